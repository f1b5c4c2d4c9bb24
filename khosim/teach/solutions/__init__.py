"""One solution for each exercise, in a module a chapter: shown on request, tested, and in no page of the book."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

__all__ = ["SOLUTIONS"]


def _solved() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module in sorted(entry.name for entry in iter_modules(__path__)):
        found |= import_module(f"{__name__}.{module}").SOLUTIONS
    return found


SOLUTIONS: dict[str, Any] = _solved()
"""By the exercise's name: a program (a function of a machine), kernel paths, or a text."""
