"""Run every chapter, hold what it says against what is stored, and make its steppers figures.

A run is kept until the chapter, the model or the recorded runs change, so that a second build is quick.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellExecutionError

from book.press.embed import PressError, bind, differences, documents
from book.press.model import BUG, elements
from tools.chapters import execute

__all__ = ["KEPT", "Chapter", "kept", "press"]

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "book" / "_build" / "kept"
AT_ONCE = 2
WHAT_RUNS = ("khosim/**/*.py", "tests/traces/*.gz", "tools/chapters.py")


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter as a page: its notebook with figures in it, what was wrong, and what its figures ran."""

    name: str
    text: str
    wrong: list[str] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What its first heading says."""
        found = re.search(r"^# (.+)$", self._prose(), re.MULTILINE)
        return found[1] if found else self.name

    @property
    def names(self) -> set[str]:
        """The elements and bugs of the patch that its text names."""
        prose = self._prose()
        return {*elements(prose), *BUG.findall(prose)}

    def _prose(self) -> str:
        cells = nbformat.reads(self.text, as_version=4).cells
        return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")

    @property
    def functions(self) -> set[str]:
        """The functions of the model that ran in its figures."""
        return {function["name"] for document in self.documents for function in document["functions"]}


def press(sources: Iterable[Path], cache: Path) -> list[Chapter]:
    """Return every chapter, in order, two at a time; `cache` holds those that need no second run."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda source: _chapter(source, cache), sorted(sources)))


def _chapter(source: Path, cache: Path) -> Chapter:
    stored = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    try:
        made = kept(cache, source.stem, [source], lambda: nbformat.writes(execute(source)))
        book = nbformat.reads(made, as_version=4)
        wrong = [f"{source.name}: {line}" for line in differences(book, stored)]
        shown = documents(book)
        return Chapter(source.stem, nbformat.writes(bind(book)), wrong, shown)
    except (PressError, CellExecutionError) as error:
        return Chapter(source.stem, nbformat.writes(stored), [f"{source.name}: {error}"])


def kept(cache: Path, name: str, files: Iterable[Path], make: Callable[[], str]) -> str:
    """Return what `make` made, or what it made before of the same files and the same model."""
    key = digest([*files, *_what_runs()])
    path = cache / f"{name}-{key}"
    if path.exists():
        return path.read_text()
    made = make()
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob(f"{name}-*"):
        old.unlink()
    path.write_text(made)
    return made


def _what_runs() -> Iterator[Path]:
    for pattern in WHAT_RUNS:
        yield from sorted(path for path in ROOT.glob(pattern) if path.is_file())


def digest(files: Iterable[Path]) -> str:
    """Return a name for what is in `files`, wherever they lie."""
    mark = blake2b(digest_size=8)
    for path in files:
        mark.update(blake2b(path.name.encode() + b"\0" + path.read_bytes(), digest_size=16).digest())
    return mark.hexdigest()
