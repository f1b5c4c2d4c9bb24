"""The questions and exercises of each chapter. Importing this room fills `QUESTIONS` and `TASKS`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

__all__: list[str] = []

for _name in sorted(entry.name for entry in iter_modules(__path__)):
    import_module(f"{__name__}.{_name}")
