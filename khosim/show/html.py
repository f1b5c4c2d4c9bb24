"""A history as plain HTML: what a reader sees where no script runs. No style, no script, no picture.

JupyterLab cleans the output of an untrusted notebook; tables, lists and <details> survive that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from khosim.run.history import History
from khosim.show.frame import Document, file_of, states
from khosim.show.picture import picture
from khosim.show.text import HEAD, memory_lines, shown, sizes_line, table_rows

__all__ = ["fallback"]


def fallback(history: History, document: Document) -> str:
    """Return the steps and the state `shown` as HTML, complete without a figure; `document` is of it."""
    file, end, t = file_of(history), len(history) - 1, shown(history)
    drawn = picture(history[t].snapshot, file)
    words = ([sizes_line(drawn, file)] if file else []) + memory_lines(drawn)
    state = _table(HEAD, table_rows(drawn)) + "".join(f"\n<p>{escape(line)}</p>" for line in words)
    return "\n".join([
        f"<p><strong>{escape(history.title)}</strong>: {end} steps, digest <code>{history.digest}</code></p>",
        _details("Every step", _table(("step", "who", "what happens"), _steps(document))),
        _details(f"After step {t}", state),
    ])  # fmt: skip


def _steps(document: Document) -> list[tuple[str, ...]]:
    """One row a step; a kexec and a violation stand in the row they belong to."""
    rows: list[tuple[str, ...]] = []
    known: tuple[str, ...] = ()
    for state in states(document):
        words = [state.say] if state.say else []
        words += ["A new kernel runs."] if state.t in document["kexecs"] else []
        words += [f"Violated: {bad}" for bad in state.bad if bad not in known]
        known = state.bad
        if words:
            rows.append((str(state.t), state.cpu, " ".join(words)))
    return rows


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in rest) + "</tr>\n"
        for first, *rest in rows
    )
    return f"<table><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table>"


def _details(summary: str, inside: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>\n{inside}\n</details>"
