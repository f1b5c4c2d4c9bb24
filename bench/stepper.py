"""The stepper in a browser beside two other ways to draw the same memory: click to painted, scrubbing, weight.

All is measured on one recording a size. A round clicks the stepper's button on a bare page, draws with matplotlib,
and clicks a button in JupyterLab whose kernel draws with ipycanvas. A click is a real mouse's; it ends at the first
task after the animation frame that follows the draw. matplotlib is timed in Python to a finished PNG, with no
transport and no browser, and ipycanvas draws rectangles only: both are favoured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

import khosim
from bench.browser import Clicks, bare, chromium, missing, opened, scrub
from bench.recordings import recording
from bench.table import PER_SECOND, Effort, Row, ratio, say, shares
from khosim.show import document, sources
from khosim.show.frame import file_of
from khosim.show.picture import picture
from tools.browser import served
from tools.lab import ROOT, jupyterlab

__all__ = ["SIZES", "measure"]

SIZES = (256, 4096, 1_048_576)
CLICKS, DRAWS, SECONDS = 20, 3, 3.0
NEXT = "button[aria-label='Step forward']"
BOOK = ROOT / "book" / "_build" / "html" / "notebooks" / "00-start-here.html"


def measure(effort: Effort) -> list[Row]:
    """The rows of this section, eight for each size, and the weight of a page of the book."""
    lacks, canvas_lacks = missing(), missing("ipycanvas", "jupyterlab", "ipykernel")
    with ExitStack() as stack:
        browser = stack.enter_context(chromium()) if not lacks else None
        lab = stack.enter_context(_lab(browser)) if not canvas_lacks else None
        rows = [row for frames in SIZES for row in _size(frames, effort, browser, lab, lacks, canvas_lacks)]
        return [*rows, _page_weight(browser, lacks)]


@contextmanager
def _lab(browser: Any) -> Iterator[Any]:
    """A page of JupyterLab with a notebook for each size, not yet run."""
    import nbformat

    say("  starting JupyterLab")
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for frames in SIZES:
            code = f"from bench.canvas import board\nfrom bench.recordings import recording\nboard(recording({frames}))"
            kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
            book = nbformat.v4.new_notebook(metadata=kernel, cells=[nbformat.v4.new_code_cell(code)])
            nbformat.write(book, folder / f"{frames}.ipynb")
        with jupyterlab(folder, folder) as home:
            page = opened(browser, width=1200)
            page.goto(f"{home}lab")
            page.wait_for_function("() => window.jupyterapp")
            page.evaluate("() => jupyterapp.restored.then(() => null)")
            yield page


def _board(lab: Any, frames: int) -> tuple[Clicks, Clicks]:
    """The stepper and the canvas of one size, in one notebook, drawn for the first time."""
    lab.evaluate(
        """async (path) => {
            const panel = await jupyterapp.commands.execute("docmanager:open", { path, factory: "Notebook" });
            await panel.context.ready;
            await panel.sessionContext.ready;
            await panel.revealed;
            await jupyterapp.commands.execute("notebook:run-all-cells");
        }""",
        f"{frames}.ipynb",
    )
    part = ".jp-NotebookPanel:not(.lm-mod-hidden)"
    return Clicks(lab, part, NEXT), Clicks(lab, part, ".bench-next")


def _size(frames: int, effort: Effort, browser: Any, lab: Any, *lacks: str) -> list[Row]:
    say(f"  {frames:,} frames: recording")
    history = recording(frames)
    doc = json.dumps(document(history)).encode()
    traits = json.dumps({"document": json.loads(doc), "sources": sources(history)}).encode()
    with ExitStack() as stack:
        page = None
        if browser:
            home = stack.enter_context(served(bare(traits)))
            page = opened(browser, width=900)
            stack.callback(page.context.close)
            page.goto(home)
        found = _rounds(history, effort, page, _board(lab, frames) if lab else None)
    return _rows(f"{frames:,} frames", found, doc, traits, history, lacks)


class Found(NamedTuple):
    """Seconds, one list a round: every click or redraw, and what a round gives once."""

    stepper: list[list[float]]
    hosted: list[list[float]]
    canvas: list[list[float]]
    plotted: list[list[float]]
    looked: list[list[float]]
    scrubbed: list[float]
    usable: list[float]


def _rounds(history: khosim.History, effort: Effort, page: Any, hosted: tuple[Clicks, Clicks] | None) -> Found:
    """Measure, what is compared taking turns."""
    from khosim.show import plot

    found = Found([], [], [], [], [], [], [])
    clicks, draws, file = effort.times(CLICKS), effort.times(DRAWS), file_of(history)
    for turn in range(effort.rounds):
        say(f"    round {turn + 1} of {effort.rounds}")
        if page:
            page.reload()
            page.wait_for_function("() => window.usable")
            found.usable.append(page.evaluate("() => usable / 1000"))
            found.stepper.append(Clicks(page, "main", NEXT)(clicks))
            found.scrubbed.append(1 / scrub(page, SECONDS * max(effort.share, 0.1)))
        moments = [history[(turn * draws + k) % len(history)].snapshot for k in range(draws)]
        found.plotted.append([_timed(lambda s=s: plot.plate(s, plot.memory).png()) for s in moments])
        found.looked.append([_timed(lambda s=s: picture(s, file)) for s in moments])
        if hosted:
            found.hosted.append(hosted[0](clicks))
            found.canvas.append(hosted[1](clicks))
    return found


def _timed(work: Any) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _rows(
    name: str, found: Found, doc: bytes, traits: bytes, history: khosim.History, lacks: Sequence[str]
) -> list[Row]:
    steps = len(history) - 1
    per_step = len(json.dumps(json.loads(doc)["steps"]).encode()) / steps
    stepper, hosted, canvas, plotted, looked = ([median(times) for times in kind] for kind in found[:5])
    none, none_canvas = (f"not measured: needs {words}" if words else "" for words in lacks)
    inside = shares(plotted, {"reading the snapshot": looked}, "drawing and PNG")
    return [
        Row(f"{name}: stepper, click to painted", "ms", stepper, _times(stepper, plotted), "matplotlib",
            none or _slowest(found.stepper)),
        Row(f"{name}: matplotlib, a redraw", "ms", plotted, _times(plotted, stepper), "stepper",
            f"{_slowest(found.plotted)}; in Python, to a finished PNG: {inside}"),
        Row(f"{name}: stepper in JupyterLab, click to painted", "ms", hosted, _times(hosted, canvas), "ipycanvas",
            none_canvas or _slowest(found.hosted)),
        Row(f"{name}: ipycanvas, click to painted", "ms", canvas, _times(canvas, hosted), "stepper in JupyterLab",
            none_canvas or f"{_slowest(found.canvas)}; beside it, with a live kernel, and rectangles alone"),
        Row(f"{name}: stepper, scrubbed", PER_SECOND, found.scrubbed, None, "", none or "a step each animation frame"),
        Row(f"{name}: stepper, time to usable", "ms", found.usable, None, "", none or "from navigation to painted"),
        Row(f"{name}: document", "bytes", [len(doc)], len(traits) / len(doc), "document with source text",
            f"{steps} steps of {history[0].snapshot.buffer.nbytes:,} bytes of state"),
        Row(f"{name}: a step of the document", "bytes", [per_step], per_step / len(doc), "document",
            "what changed, as runs"),
    ]  # fmt: skip


def _times(some: Sequence[float], others: Sequence[float]) -> float | None:
    return ratio(some, others) if some and others else None


def _slowest(rounds: list[list[float]]) -> str:
    """The time within which 95 of 100 were done."""
    if not rounds:
        return ""
    every = [1000 * seconds for times in rounds for seconds in times]
    return f"95 of 100 within {np.quantile(every, 0.95):.1f} ms, of {len(every)}"


def _page_weight(browser: Any, lacks: str) -> Row:
    """The bytes of every file that the first chapter's page of the built book loads."""
    name = "a page of the book"
    if lacks or not BOOK.is_file():
        return Row(name, "bytes", (), None, "", f"not measured: needs {lacks or 'the book: make book'}")
    page, asked = browser.new_page(), set[str]()
    page.on("request", lambda request: asked.add(request.url.split("?")[0].split("#")[0]))
    page.goto(BOOK.as_uri())
    page.wait_for_load_state("load")
    page.close()
    files = [Path(url2pathname(urlsplit(url).path)) for url in asked if url.startswith("file:")]
    sizes = [file.stat().st_size for file in files if file.is_file()]
    return Row(name, "bytes", [float(sum(sizes))], sum(sizes) / BOOK.stat().st_size, "its HTML", f"{len(sizes)} files")
