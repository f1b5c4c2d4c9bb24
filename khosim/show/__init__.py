"""How a history looks: reads snapshots and histories, and nothing in the model knows it exists."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from khosim.run.history import History
from khosim.show.frame import document, states
from khosim.show.html import fallback
from khosim.show.text import plain, state_table, transcript

__all__ = ["document", "fallback", "mimebundle", "plain", "state_table", "states", "stepper", "transcript"]


def stepper(history: History, file: str | None = None, t: int = 0) -> Any:
    """Return the widget that steps through `history`, seen from `file`, opened at `t`. Needs anywidget."""
    from khosim.show.widget import Stepper

    return Stepper(document=document(history, file), t=t)


def mimebundle(history: History) -> dict[str, Any]:
    """Return what a notebook shows of a history, richest first: the stepper, HTML without scripts, and text.

    text/plain is `plain`, the same in every process; the widget is there when anywidget can be imported.
    """
    drawn = document(history)
    bundle: dict[str, Any] = {"text/plain": plain(history), "text/html": fallback(history, drawn)}
    if find_spec("anywidget") is None:
        return bundle
    from khosim.show.widget import Stepper

    found = Stepper(document=drawn)._repr_mimebundle_()
    data = found[0] if isinstance(found, tuple) else found or {}
    return {**data, **bundle}
