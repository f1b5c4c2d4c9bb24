"""The functions of a call stack with their own source lines, read from the files that ran."""

from __future__ import annotations

import ast
import linecache
import re
from functools import lru_cache
from types import CodeType
from typing import Any

__all__ = ["describe"]

KERNEL = re.compile(r"^\s*Kernel:\s*(.+?)\s*$", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def describe(code: CodeType, file: str) -> dict[str, Any]:
    """Return one function of the model: name, file, first line, Linux's name for it, and its source.

    `file` is the name to show. `source` is a list of [first line number, text] pieces with the docstring left
    out; it is empty where no source can be found, as for a function that was never in a file or a cell.
    """
    lines = tuple(linecache.getlines(code.co_filename))
    node = _functions(lines).get((code.co_name, code.co_firstlineno))
    found = {"name": code.co_name, "file": file, "line": code.co_firstlineno, "kernel": "", "source": []}
    if node is None:
        return found
    kernel = KERNEL.search(ast.get_docstring(node) or "")
    words = kernel.group(1).rstrip(".") if kernel else ""
    return found | {"line": node.lineno, "kernel": words, "source": _pieces(node, lines)}


@lru_cache(maxsize=64)
def _functions(lines: tuple[str, ...]) -> dict[tuple[str, int], Function]:
    """Every function of a file by name and first line, its decorators' included, as a code object counts."""
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:  # a notebook cell with magics
        return {}
    found = [n for n in ast.walk(tree) if isinstance(n, Function)]
    return {(n.name, min([n.lineno, *(d.lineno for d in n.decorator_list)])): n for n in found}


def _pieces(node: Function, lines: tuple[str, ...]) -> list[list[int | str]]:
    """The function's text around its docstring: the figure shows code, the book shows the words."""
    last = node.end_lineno or node.lineno
    spans = [(node.lineno, last)]
    head = node.body[0]
    if ast.get_docstring(node) is not None and head.end_lineno is not None:
        spans = [(node.lineno, head.lineno - 1), (head.end_lineno + 1, last)]
    return [[a, "".join(lines[a - 1 : b]).rstrip("\n")] for a, b in spans if a <= b]
