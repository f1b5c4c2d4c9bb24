"""Names of functions in the text: `shmem_get_folio()` in backticks becomes a link if it resolves, and an error if not.

So a name reads well in Jupyter too, where a role would show its own notation.
"""

import mmap
import os
from collections.abc import Collection, Iterable
from types import ModuleType

import khosim
from book.press.model import Function, anchor
from khosim import show
from khosim.user.mmap import Mapping
from khosim.user.os import Os

__all__ = ["OBJECTS", "Names"]

OBJECTS: dict[str, type | ModuleType] = {
    "khosim": khosim, "show": show, "m": khosim.Machine, "m.os": Os, "trace": khosim.History, "os": os, "mmap": mmap,
}  # fmt: skip
"""What a chapter calls its objects: a name behind one of these must be an attribute of it."""


class Names:
    """All names of functions that a text may use."""

    def __init__(self, model: Iterable[Function], listed: Collection[str]) -> None:
        """Take the functions of the model; `listed` are names that the model has no function for."""
        model = list(model)
        self.listed = listed
        self.anchors = {name: anchor(f.name) for f in model for name in f.linux} | {
            f.name: anchor(f.name) for f in model
        }

    def find(self, name: str) -> str | None:
        """Return the id of a name's entry in the appendix of code; "" if it is known and has none; None if unknown."""
        if name in self.anchors:
            return self.anchors[name]
        thing, _, attribute = name.rpartition(".")
        if thing:
            return "" if thing in OBJECTS and hasattr(OBJECTS[thing], attribute) else None
        return "" if name in self.listed or hasattr(Os, name) or hasattr(Mapping, name) else None
