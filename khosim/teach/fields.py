"""Fields to answer with, in JupyterLab: a card with an input below it, and the verdict below that."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as w

from khosim.errors import UsageError
from khosim.show import stepper, view
from khosim.teach.card import Card
from khosim.teach.inputs import Inputs
from khosim.teach.question import Question

__all__ = ["Fields", "shown"]

WIDE = "36rem"  # as wide as a line of the text above it
FRAME = "border-left: 3px solid var(--jp-brand-color1); padding-left: 1em"
WHOLE_WORDS = "white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere"  # JupyterLab breaks within them
UNKEPT = "What is written here is gone with the kernel. What you want to keep goes into a cell."
CODE = ".jp-ThemedContainer .jp-RenderedHTMLCommon .khosim-card pre"  # as strong as JupyterLab's own, and later
AIR = f"<style>{CODE} {{ margin-bottom: 1em; {WHOLE_WORDS} }}</style>"


class Fields(w.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The card of a question, an input in the form of its answer, and three buttons.

    Traits: those of `ipywidgets.VBox`. Nothing of the answer is in any of them.
    """

    def __init__(self, card: Card) -> None:
        """Lay a card on the table."""
        self.card, self.hint = card, 0
        self.words = w.HTML()
        self.said = w.HTML()
        self.run = w.VBox()
        self.input = self._input()
        self.field = w.VBox([self.input])
        below = [] if card.verdict else self._below()  # who answers in Python goes on in Python
        super().__init__([self.words, *below, self.said, self.run])
        self._show()

    def __repr__(self) -> str:
        """Say whose fields these are, with no address."""
        return f"Fields({self.card.item.name!r}, seed {self.card.seed})"

    def _show(self) -> None:
        self.words.value = f'{AIR}<div class="jp-RenderedHTMLCommon" style="{FRAME}">{self.card.html()}</div>'

    def _input(self) -> Any:
        item, card = self.card.item, self.card
        if not isinstance(item, Question):
            return w.Textarea(description="Thoughts", placeholder=UNKEPT, rows=4, layout=w.Layout(width=WIDE))
        return Inputs(item.truth(item.case(card.seed)), card.options)

    def _below(self) -> list[Any]:
        thinking, question = self.card.item.grade == THINK, isinstance(self.card.item, Question)
        if not (thinking or question):
            return []  # a recording or a function is given as Python
        buttons = [_button("Check", self._check)]
        if question:
            buttons += [_button("Another one", self._again), _button("Show the run", self._play)]
        return [self.field, w.HBox(buttons)]

    def _check(self, _button: Any) -> None:
        try:
            self.card.answer(self.input.read() if isinstance(self.input, Inputs) else self.input.value, self.hint)
        except UsageError as error:
            self._say(str(error))
            return
        verdict = self.card.verdict
        if verdict is not None:
            self._say("\n".join(filter(None, [verdict.words, self.card.notice])))
            self.hint = 0 if verdict.right else 2

    def _again(self, _button: Any) -> None:
        """Take the next instance, with an empty field."""
        self.card, self.hint = Card(self.card.item, self.card.seed + 1, self.card.title), 0
        self.input = self._input()
        self.field.children = (self.input,)
        self.run.children = ()
        self._say("")
        self._show()

    def _play(self, _button: Any) -> None:
        self.run.children = (stepper(self.card.play()),)

    def _say(self, words: str) -> None:
        self.said.value = f'<pre role="status" style="{WHOLE_WORDS}">{escape(words)}</pre>' if words else ""


THINK = 4


def _button(name: str, act: Any) -> Any:
    made = w.Button(description=name, layout=w.Layout(width="auto"))
    made.on_click(act)
    return made


def shown(*cards: Card) -> dict[str, Any]:
    """The widget's part of what a notebook shows of some cards, their counterexamples below them."""
    rows: list[Any] = []
    for card in cards:
        rows.append(Fields(card))
        if card.verdict is not None and card.verdict.trace is not None:
            rows.append(stepper(card.verdict.trace))
    return view(w.VBox(rows))
