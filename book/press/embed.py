"""Steppers in a page without a kernel: from a notebook's widgets to HTML that a script of ours brings to life.

    <div class="khosim-figure" id="ID" data-t="STEP" data-steps="LAST">
      <script type="application/json">the document, packed</script>
      <div class="khosim-words">the same as tables: what is read, found and printed where no script runs</div>
    </div>

The source texts that the documents of a page name stand before its first figure, each once; they are packed, as the
documents and the stepper are: gzip, in base64. Between a file and its reader there is nobody else to compress it.
"""

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

__all__ = ["VIEW", "PressError", "bare", "bind", "differences", "documents", "figure", "loader", "script", "words_of"]

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
STEPPER = "khosim.show.widget.Stepper"
CARD = 'class="khosim-card"'
UNSAID = re.compile(r'</t(?:h|d|r|head|body)>|(?<=<th) scope="(?:row|col)"|\n(?=<tr>)')
"""What HTML lets go unsaid in a table: where a cell ends, and that a first cell heads its row. A third of its bytes."""


class PressError(Exception):
    """A chapter that cannot become a page, and what to write instead."""


def bind(book: NotebookNode) -> NotebookNode:
    """Put figures in the place of an executed notebook's steppers, and drop all widget state.

    A question stays the card that it is without its fields: these need a kernel.

    Raises `PressError` for another widget, two figures of one name, a figure without words, or a source text that
    two figures have differently.
    """
    ids: set[str] = set()
    sources: dict[str, Any] = {}
    first: dict[str, Any] = {}
    for data, model in _steppers(book):
        document = _named(model["document"], ids)
        if document["id"] in ids:
            raise PressError(f"two figures are called {document['id']!r}: give one of the recordings another title")
        ids.add(document["id"])
        for key, text in model.get("sources", {}).items():
            if sources.setdefault(key, text) != text:
                raise PressError(f"figure {document['id']!r}: source text {key} is not what it was in a figure before")
        if "text/html" not in data:
            raise PressError(f"figure {document['id']!r} has no words: end the cell with the recording itself")
        html = figure(document, model.get("t", 0), data["text/html"])
        data.clear()
        data["text/html"] = html
        first = first or data
    if sources:
        first["text/html"] = script(packed(_compact(sources)), "khosim-sources") + first["text/html"]
    for _, data in _widgets(book):
        data.pop(VIEW)
    book.metadata.pop("widgets", None)
    return book


def _named(document: dict[str, Any], taken: set[str]) -> dict[str, Any]:
    """A fork bears its parent's name, and may stand on the same page."""
    name, n = document["id"], 1
    while "other" in document and name in taken:
        name, n = f"{document['id']}-fork{'' if n == 1 else f'-{n}'}", n + 1
    return document | {"id": name}


def documents(book: NotebookNode) -> list[dict[str, Any]]:
    """Return the documents of an executed notebook's steppers, in order."""
    return [model["document"] for _, model in _steppers(book)]


def _steppers(book: NotebookNode) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each output that shows a stepper, with the stepper's traits."""
    models = book.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    for cell, data in _widgets(book):
        state = models.get(data[VIEW]["model_id"], {}).get("state", {})
        if state.get("_anywidget_id") == STEPPER:
            yield data, state
        elif CARD not in data.get("text/html", ""):
            raise PressError(f"cell {cell.id}: a page shows no widget but the stepper and questions")


def _widgets(book: NotebookNode) -> Iterator[tuple[NotebookNode, dict[str, Any]]]:
    """Each output that shows a widget, with its cell."""
    for cell in book.cells:
        yield from ((cell, output.data) for output in cell.get("outputs", ()) if VIEW in output.get("data", {}))


def figure(document: dict[str, Any], t: int, words: str) -> str:
    """Return one figure: its document, and its words for where no script runs."""
    name, last = document["id"], len(document["steps"]) - 1
    if other := document.get("other"):
        last = max(last, other["from"] + len(other["steps"]) - 1)
    inside = f'{script(packed(_compact(document)))}<div class="khosim-words">{UNSAID.sub("", words)}</div>'
    return f'<div class="khosim-figure" id="{name}" data-t="{t}" data-steps="{last}">{inside}</div>\n'


def script(value: object, name: str = "") -> str:
    """Return data as a script element that no browser runs; nothing in it can end the element."""
    text = _compact(value).replace("<", "\\u003c")
    named = f' id="{name}"' if name else ""
    return f'<script type="application/json"{named}>{text}</script>'


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def words_of(book: NotebookNode) -> list[str]:
    """What every code cell printed or showed, as text: what two runs of a chapter must have in common."""
    return ["".join(map(_words, cell.outputs)) for cell in book.cells if cell.cell_type == "code"]


def _words(output: NotebookNode) -> str:
    said = output.get("text") or output.get("data", {}).get("text/plain", "")
    return "".join(said) if isinstance(said, list) else said


def differences(run: NotebookNode, stored: NotebookNode) -> list[str]:
    """One line for each code cell whose words differ from the stored ones."""
    new, old = words_of(run), words_of(stored)
    if len(new) != len(old):
        return [f"{len(new)} code cells ran, {len(old)} are stored"]
    pairs = enumerate(zip(new, old, strict=True), 1)
    return [f"code cell {n} says something else than what is stored" for n, (now, then) in pairs if now != then]


def loader(module: Path, style: Path, embed: Path) -> str:
    """Return one classic script that carries the ES module and its style: a page from a file may not import one."""
    text = embed.read_text().replace("STEPPER_STYLE", packed(bare(style.read_text())))
    return text.replace("STEPPER_MODULE", packed(bare(module.read_text())))


def bare(text: str) -> str:
    """Return JavaScript or CSS without indents and without lines that are comments: a tenth of the bytes.

    Raises `PressError` where a template goes over several lines, for there an indent may be meant.
    """
    if any(line.count("`") % 2 for line in text.splitlines()):
        raise PressError("a template of the stepper goes over several lines: write it in one")
    lines = re.sub(r"^\s*/\*.*?\*/\s*$", "", text, flags=re.DOTALL | re.MULTILINE).splitlines()
    return "".join(f"{line.strip()}\n" for line in lines if line.strip() and not line.lstrip().startswith("//"))


def packed(text: str) -> str:
    """Return text as base64 of gzip, the same on every day."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
