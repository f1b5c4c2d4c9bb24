"""Nothing of the patch, and no bug in it, is forgotten.

The patch's elements are P01 to P41 (see the first chapter); a docstring of `khosim/kernel` names those it models, in
its `Kernel:` entry, as `P08` or as a range, `P12-P14`.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ELEMENTS = [f"P{number:02}" for number in range(1, 42)]
NOT_HERE = {
    "B22": "an address in C, formed and not used", "B23": "a pointer in C, left unset",
    "B25": "one store is one step here", "B28": "owner, mode and seals are not modelled",
    "B29": "seals are not modelled", "B30": "boot gives a preserved frame one reference, clean",
    "B33": "no machine here has 2**32 frames", "B34": "a cost, computed and not run",
    "B36": "all memory is direct-mapped", "B37": "no two files share a page", "B38": "no memory control groups",
    "B39": "no NUMA", "B46": "nothing is timed",
}  # fmt: skip
"""Bugs of the catalogue that no test here can show, and why."""
BUGS = [f"B{number:02}" for number in range(1, 47)]


def docstrings():
    """(file: function, its docstring) of the kernel."""
    for path in sorted((ROOT / "khosim/kernel").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and (words := ast.get_docstring(node)):
                yield f"{path.name}: {node.name}", words


def named(words):
    """The elements that a docstring's `Kernel:` entry names."""
    entry = re.search(r"^Kernel:(.*?)^Locks:", words, re.DOTALL | re.MULTILINE)
    for first, last in re.findall(r"\bP(\d\d)(?:-P(\d\d))?\b", entry[1] if entry else ""):
        yield from (f"P{number:02}" for number in range(int(first), int(last or first) + 1))


MODELLED = {where: elements for where, words in docstrings() if (elements := list(named(words)))}


@pytest.mark.parametrize("element", ELEMENTS)
def test_every_element_of_the_patch_is_modelled_somewhere(element):
    assert any(element in elements for elements in MODELLED.values())


@pytest.mark.parametrize("where", MODELLED)
def test_no_docstring_names_an_element_that_does_not_exist(where):
    assert set(MODELLED[where]) <= set(ELEMENTS)
    assert len(MODELLED[where]) == len(set(MODELLED[where]))


def bugs_tested():
    for path in sorted((ROOT / "tests/kernel").glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and (bug := re.match(r"test_(b\d\d)_", node.name)):
                yield bug[1].upper()


def test_every_bug_has_a_test_that_shows_it_or_a_reason():
    shown = set(bugs_tested())
    assert shown | set(NOT_HERE) == set(BUGS)
    assert not shown & set(NOT_HERE)
