"""What an answer is typed or picked with: one input for each entry, in the form of the truth and with nothing of it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import ipywidgets as w

from khosim.errors import UsageError
from khosim.teach.answer import kind, part, parts_of

__all__ = ["Inputs"]

NARROW, WIDE = "14rem", "36rem"
GAP = ""  # a choice that is none yet


class Inputs(w.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Inputs for an answer of the form of `truth`; `read()` returns it."""

    def __init__(self, truth: Any, options: tuple[str, ...]) -> None:
        """Choose the inputs."""
        self.options = options
        self.kind = type(truth)
        known = parts_of(truth)
        self.form, self.kinds = part(known, " or ".join(map(repr, options))), {kind(value) for value in known}
        self.entries: dict[Any, Any]
        if isinstance(truth, set | frozenset):
            self.entries = {o: w.Checkbox(False, description=o, indent=False) for o in options}
            super().__init__([*self.entries.values()])
            return
        if isinstance(truth, Mapping):
            self.entries = {entry: self._one(value, str(entry), NARROW) for entry, value in truth.items()}
        elif isinstance(truth, list):
            self.entries = {at: self._one(value, str(at), NARROW) for at, value in enumerate(truth)}
        else:
            self.entries = {None: self._one(truth, "Answer", WIDE)}
        super().__init__([w.HBox([*self.entries.values()], layout=w.Layout(flex_flow="row wrap"))])

    def __repr__(self) -> str:
        """Say what there is, with no address."""
        return f"Inputs({len(self.entries)})"

    def _one(self, value: Any, name: str, width: str) -> Any:
        layout, style = w.Layout(width=width), {"description_width": "initial"}
        if isinstance(value, bool) or (isinstance(value, str) and self.options):
            choices = self.options or ("True", "False")
            if width is WIDE:
                return w.RadioButtons(options=choices, value=None, description=name, layout=layout)
            return w.Dropdown(options=(GAP, *choices), description=name, layout=layout, style=style)
        return w.Text(description=name, placeholder="...", layout=layout, style=style)

    def read(self) -> Any:
        """The answer. Raises `UsageError` that names each input that is still empty, or one that cannot be read."""
        if self.kind in (set, frozenset):
            return {option for option, box in self.entries.items() if box.value}
        empty = [field.description for field in self.entries.values() if not field.value]
        if empty:
            raise UsageError(f"Nothing stands yet in {', '.join(empty)}. This did not count as an answer.")
        values = {entry: self._value(field) for entry, field in self.entries.items()}
        if issubclass(self.kind, Mapping):
            return values
        return list(values.values()) if self.kind is list else values[None]

    def _value(self, field: Any) -> Any:
        typed = field.value
        if typed in self.options:
            return typed
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            value = ast.literal_eval(typed)
            if kind(value) in self.kinds:
                return value
        raise UsageError(f"{field.description}: write {self.form}, not {typed}. This did not count as an answer.")
