"""What the source of the model says of itself, read from its docstrings."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Function", "anchor", "bug_tests", "defined", "elements", "functions"]

ENTRY = re.compile(r"^(Kernel|Locks|Left out):\s*(.*?)\s*(?=^(?:Kernel|Locks|Left out):|\Z)", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"\b(\w+)\(\)")
ELEMENT = re.compile(r"\bP(\d\d)(?:-P(\d\d))?\b")
BUG = re.compile(r"\bB\d\d\b")


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the model that follows a function of Linux."""

    name: str
    file: str
    line: int
    sentence: str
    kernel: str
    locks: str
    left_out: str
    bugs: tuple[str, ...]

    @property
    def elements(self) -> list[str]:
        """The elements of the patch that it models."""
        return elements(self.kernel)

    @property
    def linux(self) -> list[str]:
        """The functions of Linux that it follows."""
        return CALL.findall(self.kernel)


def functions(root: Path, rooms: tuple[str, ...] = ("kernel", "variants")) -> list[Function]:
    """Return every function below `root` whose docstring names what it follows, by file and line."""
    found: list[Function] = []
    for room in rooms:
        for path in sorted((root / room).glob("*.py")):
            text = path.read_text()
            found += _functions(text, path.relative_to(root.parent).as_posix())
    return found


def _functions(text: str, file: str) -> Iterator[Function]:
    for node in ast.parse(text).body:
        if not isinstance(node, ast.FunctionDef) or "Kernel:" not in (words := ast.get_docstring(node) or ""):
            continue
        entry = {name: " ".join(said.split()) for name, said in ENTRY.findall(words)}
        bugs = sorted(set(BUG.findall(ast.get_source_segment(text, node) or "")))
        yield Function(
            node.name, file, node.lineno, " ".join(words.split("\n\n")[0].split()),
            entry["Kernel"], entry.get("Locks", ""), entry.get("Left out", ""), tuple(bugs),
        )  # fmt: skip


def defined(root: Path) -> set[str]:
    """Return the name of every function and class below `root`."""
    kinds = ast.FunctionDef | ast.ClassDef
    trees = (ast.parse(path.read_text()) for path in sorted(root.rglob("*.py")))
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)}


def elements(text: str) -> list[str]:
    """Return the elements of the patch that a text names, as `P08` or as a range, `P12-P14`."""
    return [
        f"P{number:02}" for first, last in ELEMENT.findall(text) for number in range(int(first), int(last or first) + 1)
    ]


def bug_tests(folder: Path) -> dict[str, list[str]]:
    """Return, for each bug, the tests that show it, as `file: name`."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for name, bug in re.findall(r"^def (test_(b\d\d)_\w+)", path.read_text(), re.MULTILINE):
            found.setdefault(bug.upper(), []).append(f"{path.relative_to(folder.parent).as_posix()}: {name}")
    return found


def anchor(name: str) -> str:
    """Return the id of a function's entry in the appendix of code."""
    return f"fn-{name.lower().replace('_', '-')}"
