"""What if it were written otherwise: repairs and planted mistakes, one file each.

A variant replaces whole kernel paths: `khosim.boot(variants=REPAIRS["B24"])`.
"""

from __future__ import annotations

from khosim.variants.registry import REPAIRS

__all__ = ["REPAIRS"]
