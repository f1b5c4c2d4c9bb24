"""What a reader might believe of the patch, as kernels that work like it: `khosim.boot(variants=MISTAKES[name].paths)`.

One module for each chapter of the book, with all the mistakes that the chapter has to catch.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from khosim.variants.mistakes.mistake import Mistake

__all__ = ["MISTAKES", "Mistake"]


def _planted() -> dict[str, Mistake]:
    found: dict[str, Mistake] = {}
    for module in sorted(entry.name for entry in iter_modules(__path__) if entry.name.startswith("ch")):
        for mistake in import_module(f"{__name__}.{module}").MISTAKES:
            if found.setdefault(mistake.name, mistake) is not mistake:
                raise TypeError(f"two planted mistakes are named {mistake.name!r}; give one of them another name")
    return found


MISTAKES = _planted()
"""By name, in the order of the chapters."""
