"""One solution for each exercise, in a module a chapter: shown on request, tested, and in no page of the book."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from sys import modules
from typing import Any

__all__ = ["SOLUTIONS", "pasted"]


def _solved() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module in sorted(entry.name for entry in iter_modules(__path__)):
        found |= import_module(f"{__name__}.{module}").SOLUTIONS
    return found


SOLUTIONS: dict[str, Any] = _solved()
"""By the exercise's name: a program (a function of a machine), a kernel path, or a text."""


def pasted(function: Callable[..., Any]) -> str:
    """Its code, after the imports that it needs: what runs when it is pasted into a cell."""
    code = inspect.getsource(function)
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    return "\n".join([*_imports(function, used), "\n", code])


def _imports(function: Callable[..., Any], used: set[str]) -> Iterator[str]:
    for line in ast.parse(inspect.getsource(modules[function.__module__])).body:
        if isinstance(line, ast.Import | ast.ImportFrom):
            line.names = [name for name in line.names if (name.asname or name.name.partition(".")[0]) in used]
            if line.names:
                yield ast.unparse(line)
