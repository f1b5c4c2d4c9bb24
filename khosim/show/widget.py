"""The stepper as a Jupyter widget: Python holds a document and a step number, stepper.js does the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

__all__ = ["Stepper"]

STATIC = Path(__file__).parent / "static"


class Stepper(anywidget.AnyWidget):
    """Steps through a recorded history in the browser.

    Traits: `document`, a document of `khosim.show.frame`; `sources`, the source text it names by key; `t`, the step
    in view, 0 for before the first. The browser sends `t` when it has rested for a quarter of a second, no more.
    """

    _esm = STATIC / "stepper.js"
    _css = STATIC / "stepper.css"
    document = traitlets.Dict().tag(sync=True)
    sources = traitlets.Dict().tag(sync=True)
    t = traitlets.Int(0).tag(sync=True)

    def __repr__(self) -> str:
        """Say what is shown, with no address and no model id: a stored output may hold this line."""
        doc: dict[str, Any] = self.document
        steps = len(doc.get("steps", ())) - 1
        return f"Stepper({doc.get('title', '')!r}, {steps} steps, digest {doc.get('digest', '')})"
