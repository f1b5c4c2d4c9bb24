"""Run chapters from an empty kernel and store what they say: notebooks/NN-slug.md -> notebooks/NN-slug.ipynb.

    python tools/chapters.py [notebooks/00-start-here.md ...]

Stored are text and HTML, never a widget: a widget without its kernel is a blank. No clock, no machine's name.
"""

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

WIDGET = "application/vnd.jupyter.widget-view+json"
CHAPTERS = Path(__file__).parent.parent / "notebooks"


def run(source: Path) -> None:
    """Execute one chapter beside its source."""
    book = jupytext.read(source)
    for number, cell in enumerate(book.cells):
        cell.id = f"c{number:02}"
    NotebookClient(book, resources={"metadata": {"path": source.parent}}, record_timing=False,
                   store_widget_state=False, timeout=60).execute()  # fmt: skip
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET, None)
    book.metadata.pop("widgets", None)
    book.metadata["language_info"] = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
    nbformat.validate(book)
    text = jupytext.writes(book, fmt="ipynb")
    source.with_suffix(".ipynb").write_text(text + "\n")
    print(source.name, len(book.cells), "cells", len(text), "bytes")


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(CHAPTERS.glob("*.md")):
        run(Path(name))
