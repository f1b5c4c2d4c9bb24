"""Variants by the number of the bug they repair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from khosim.variants import b01_hole_stays_a_hole, b19_keep_the_block, b24_mirror_every_size

__all__ = ["REPAIRS"]

REPAIRS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "B01": b01_hole_stays_a_hole.VARIANT,
    "B19": b19_keep_the_block.VARIANT,
    "B24": b24_mirror_every_size.VARIANT,
}
"""Bug number -> the paths that repair it, for `khosim.boot(variants=...)`."""
