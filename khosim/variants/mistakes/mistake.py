"""A planted mistake: what a reader might believe, as a kernel that works like it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Mistake"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A belief and the kernel paths, each replaced whole, that make it true; `chapter` is the one to dispel it."""

    name: str
    chapter: int
    belief: str
    paths: Mapping[str, Callable[..., Any]]
