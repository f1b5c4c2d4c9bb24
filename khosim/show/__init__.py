"""How a history looks: reads snapshots and histories, and nothing in the model knows it exists."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from khosim.errors import UsageError
from khosim.run.history import History
from khosim.show.frame import document, states
from khosim.show.given import a_recording
from khosim.show.html import fallback
from khosim.show.owners import names_of
from khosim.show.source import sources
from khosim.show.text import plain, state_table, transcript

__all__ = [
    "document",
    "fallback",
    "mimebundle",
    "plain",
    "sources",
    "state_table",
    "states",
    "stepper",
    "transcript",
    "view",
]


def stepper(history: History, file: str | None = None, t: int | None = None) -> Any:
    """Return the widget that steps through `history`, seen from `file`, opened at `t`. Needs anywidget.

    Without `t` it opens where the history says: at its `start`, else before the first step. Raises `UsageError` for
    what is no recording, a file that never was, a `t` outside.
    """
    a_recording("stepper", history)
    if t is not None and (not isinstance(t, int) or not 0 <= t < len(history)):
        raise UsageError(f"the recording has moments 0 to {len(history) - 1}, not {t!r}")
    if file is not None and file not in (known := names_of(moment.snapshot for moment in history)):
        raise UsageError(f"no file of the recording is named {file!r}; there are: {', '.join(known) or 'none'}")
    return _widget(history, document(history, file), t)


def mimebundle(history: History) -> dict[str, Any]:
    """Return what a notebook shows of a history, richest first: the stepper, HTML without scripts, and text.

    text/plain is `plain`, the same in every process; the widget is there when anywidget can be imported.
    """
    drawn = document(history)
    bundle: dict[str, Any] = {"text/plain": plain(history), "text/html": fallback(history, drawn)}
    if find_spec("anywidget") is None:
        return bundle
    return {**view(_widget(history, drawn)), **bundle}


def view(widget: Any) -> dict[str, Any]:
    """Return the part of a mime bundle that stands for a widget: all that it gives but text."""
    found = widget._repr_mimebundle_()
    data = found[0] if isinstance(found, tuple) else found or {}
    return {kind: value for kind, value in data.items() if not kind.startswith("text/")}


def _widget(history: History, drawn: dict[str, Any], t: int | None = None) -> Any:
    from khosim.show.widget import Stepper

    return Stepper(document=drawn, sources=sources(history), t=drawn.get("start", 0) if t is None else t)
