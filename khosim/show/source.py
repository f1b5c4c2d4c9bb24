"""The functions of a call stack: what they are, and their own source lines, read from the files that ran."""

from __future__ import annotations

import ast
import linecache
import re
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from types import CodeType
from typing import Any

from khosim.run.history import History, Moment

__all__ = ["Sources", "Stack", "describe", "kernel_codes", "kernel_stack", "lines_of", "sources"]

KERNEL = re.compile(r"^\s*Kernel:\s*([\w./-]+\.[chS]), (\w+)\(\)", re.MULTILINE)
ROOT = Path(__file__).parents[1]
DRIVERS = ("run/", "user/", "scenarios/")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Stack = tuple[tuple[str, str, int], ...]
Pieces = list[tuple[int, str]]
Sources = dict[str, dict[str, Any]]
"""What `sources` returns."""


def kernel_stack(moment: Moment) -> Stack:
    """Return the call stack, (function, file, line), from the kernel's first path on: what drives it is left out."""
    pairs = zip(moment.code, moment.stack, strict=True)
    stack = tuple((name, _file(code.co_filename, file), line) for (code, _), (name, file, line) in pairs)
    outside = next((k for k, (_, file, _) in enumerate(stack) if not file.startswith(DRIVERS)), len(stack))
    return stack[outside:]


def kernel_codes(moment: Moment) -> tuple[CodeType, ...]:
    """Return the code of each frame of `kernel_stack`."""
    return tuple(code for code, _ in moment.code[len(moment.code) - len(kernel_stack(moment)) :])


@lru_cache
def _file(name: str, file: str) -> str:
    """The file below khosim/; a cell's name differs from one process to the next, so it is not shown."""
    return file if Path(name).is_relative_to(ROOT) else "notebook"


def describe(code: CodeType, file: str) -> dict[str, Any]:
    """Return one function of the model: name, file, first line, where Linux has it, and the key of its source.

    `file` is the name to show. Where Linux has it is a file, `mm/shmem.c`, or, if the function has another name
    there, `mm/page_alloc.c, __alloc_pages`; "" for a stand-in. The key is "" where no source can be found, as for a
    function that was never in a file or a cell.
    """
    node, pieces = _found(code)
    linux = KERNEL.search(ast.get_docstring(node) or "") if node else None
    place, name = linux.groups() if linux else ("", code.co_name)
    return {
        "name": code.co_name,
        "file": file,
        "line": node.lineno if node else code.co_firstlineno,
        "kernel": place if name == code.co_name else f"{place}, {name}",
        "source": _key(pieces) if pieces else "",
    }


def sources(history: History) -> Sources:
    """Return the source of every function in a history's call stacks, by the keys in its document.

    {key: {"text": [[first line, text], ...], "lit": {line of a yield: [first, last]}}}: docstrings left out, one
    entry however many figures show it. The lines in `lit`, as decimal strings, lead to those of the stores of which
    the step yielded there tells.
    """
    runs = [history.parent[0], history] if history.parent else [history]
    codes = dict.fromkeys(code for run in runs for moment in run for code in kernel_codes(moment))
    found = [(node, pieces) for code in codes for node, pieces in [_found(code)] if node]
    return {_key(pieces): {"text": [list(piece) for piece in pieces], "lit": _lit(node)} for node, pieces in found}


def lines_of(code: CodeType) -> Pieces:
    """Return a function's source as (first line number, text) pieces around its docstring; [] if it has none."""
    return _found(code)[1]


def _found(code: CodeType) -> tuple[Function | None, Pieces]:
    lines = tuple(linecache.getlines(code.co_filename))
    node = _functions(lines).get((code.co_name, code.co_firstlineno))
    return node, _pieces(node, lines) if node else []


def _key(pieces: Pieces) -> str:
    """8 hex digits of BLAKE2b over line numbers and text: the same source has the same key everywhere."""
    return blake2b(repr(pieces).encode(), digest_size=4).hexdigest()


def _lit(function: Function) -> dict[str, list[int]]:
    """For each `yield` on its own: the first and last line of the stores right before it in its block."""
    found = {}
    blocks = [block for node in ast.walk(function) for block in (getattr(node, "body", 0), getattr(node, "orelse", 0))]
    for block in (block for block in blocks if isinstance(block, list)):
        stores: list[ast.stmt] = []
        for statement in block:
            if _yields(statement):
                if stores and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield):
                    found[str(statement.lineno)] = [stores[0].lineno, stores[-1].end_lineno or stores[-1].lineno]
                stores = []
            elif _stores(statement):
                stores.append(statement)
    return found


def _yields(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node))


def _stores(statement: ast.stmt) -> bool:
    """Whether a statement changes more than local names: it sets a cell or a field, or calls what may."""
    inner = list(ast.walk(statement))
    calls = any(isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) for node in inner)
    places = (node for node in inner if isinstance(node, ast.Subscript | ast.Attribute))
    return calls or any(isinstance(place.ctx, ast.Store | ast.Del) for place in places)


@lru_cache(maxsize=64)
def _functions(lines: tuple[str, ...]) -> dict[tuple[str, int], Function]:
    """Every function of a file by name and first line, its decorators' included, as a code object counts."""
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:  # a notebook cell with magics
        return {}
    found = [n for n in ast.walk(tree) if isinstance(n, Function)]
    return {(n.name, min([n.lineno, *(d.lineno for d in n.decorator_list)])): n for n in found}


def _pieces(node: Function, lines: tuple[str, ...]) -> Pieces:
    """The function's text around its docstring: the figure shows code, the book shows the words."""
    last = node.end_lineno or node.lineno
    spans = [(node.lineno, last)]
    head = node.body[0]
    if ast.get_docstring(node) is not None and head.end_lineno is not None:
        spans = [(node.lineno, head.lineno - 1), (head.end_lineno + 1, last)]
    return [(a, "".join(lines[a - 1 : b]).rstrip("\n")) for a, b in spans if a <= b]
