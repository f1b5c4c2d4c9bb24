"""Run chapters from an empty kernel and store what they say: notebooks/NN-slug.md -> notebooks/NN-slug.ipynb.

    python tools/chapters.py [notebooks/00-start-here.md ...]    without names: all of them

Stored are text and HTML, never a widget: a widget without its kernel is a blank. No clock, no machine's name.
The book's press uses `execute` too, and keeps the widgets: it makes figures of them.
"""

import os
import re
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FIGURE = "text/html"
WORDS_A_MINUTE, SECONDS_A_STEP = 200, 4
WIDGET = "application/vnd.jupyter.widget-view+json"
ROOT = Path(__file__).parent.parent
CHAPTERS = ROOT / "notebooks"


def execute(source: Path) -> NotebookNode:
    """Return a chapter with its outputs; the widgets' state is in its metadata.

    The kernel imports this copy of khosim, whichever one is installed. Raises `CellExecutionError`.
    """
    book = jupytext.read(source)
    for number, cell in enumerate(book.cells):
        cell.id = f"c{number:02}"
    client = NotebookClient(
        book, resources={"metadata": {"path": source.parent}}, record_timing=False, store_widget_state=True, timeout=60,
        coalesce_streams=True,  # what one cell prints may arrive in pieces, as luck has it
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns at each start that its sockets are local TCP
    )  # fmt: skip
    known = os.environ.get("PYTHONPATH")
    client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *([known] if known else [])])})
    book.metadata["language_info"] = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
    return book


def store(source: Path) -> None:
    """Execute one chapter and write it beside its source."""
    book = execute(source)
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET, None)
    book.metadata.pop("widgets", None)
    nbformat.validate(book)
    text = jupytext.writes(book, fmt="ipynb")
    source.with_suffix(".ipynb").write_text(text + "\n")
    words, steps = measure(book)
    minutes = round(words / WORDS_A_MINUTE + steps * SECONDS_A_STEP / 60)
    print(f"{source.name}: {len(book.cells)} cells, {words} words, {steps} steps, {minutes} minutes to read and step")


def measure(book: NotebookNode) -> tuple[int, int]:
    """Return how many words a chapter gives to read, with those of its questions, and the steps of its figures."""
    prose = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    outputs = [out for cell in book.cells for out in cell.get("outputs", ())]
    shown = [out.data["text/plain"] for out in outputs if FIGURE in out.get("data", ())]
    cards = " ".join(text for text in shown if " digest " not in text)
    steps = re.findall(r"^.+: (\d+) steps?, .*digest", "\n".join(shown), re.MULTILINE)
    return len(re.findall(r"\w[\w'.-]*", prose + cards)), sum(map(int, steps))


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("chapter", nargs="*", type=Path, default=sorted(CHAPTERS.glob("*.md")))
    for chapter in parser.parse_args().chapter:
        store(chapter.resolve())
