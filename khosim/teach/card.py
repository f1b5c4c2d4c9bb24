"""What a question or an exercise looks like: text, HTML, and in JupyterLab fields to answer with."""

from __future__ import annotations

from html import escape
from importlib.util import find_spec
from typing import Any

from khosim.errors import UsageError
from khosim.run.history import History
from khosim.teach.answer import form
from khosim.teach.progress import Progress
from khosim.teach.question import Question
from khosim.teach.task import Task
from khosim.teach.verdict import Verdict

__all__ = ["Card", "Deck"]

GRADES = {
    0: "Predict", 1: "Exercise: trace by hand", 2: "Exercise: change the program", 3: "Exercise: write a kernel path",
    4: "Exercise: think",
}  # fmt: skip

HINTS = 2  # levels of help


class Card:
    """One question or exercise as a reader holds it; with `verdict` once an answer was given.

    `play()` returns the recording of its program.
    """

    def __init__(self, item: Question | Task, seed: int = 0, title: str = "") -> None:
        """Lay the instance of a seed on the table. Without a title it bears its grade's."""
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise UsageError(f"seed is a whole number from 0 on, not {seed!r}")
        self.item, self.seed = item, seed
        self.title = title or GRADES[item.grade]
        self.verdict: Verdict | None = None
        self.hint, self.notice = 0, ""  # hint: how many of its hints are shown
        if isinstance(item, Question):
            case = item.case(seed)
            self.asks, self.program, self.options = case.asks, case.program.strip("\n"), case.options
            self.truth_form = form(item.truth(case), case.options)
        else:
            self.asks, self.program, self.options, self.truth_form = item.asks, item.start.strip("\n"), (), item.form

    @property
    def verb(self) -> str:
        """The function of this room that asks this."""
        return "exercise" if self.item.grade else "predict"

    def answer(self, answer: Any, hint: int = 0) -> Card:
        """Judge an answer, and note that there was one. Raises `UsageError` for one that cannot be judged."""
        self.hint = hint
        if isinstance(self.item, Question):
            self.verdict = self.item.judge(self.seed, answer, hint)
        else:
            self.verdict = self.item.judge(answer)
        self.notice = Progress().note(self.item.name, self.seed, self.verdict.right)
        return self

    def play(self) -> History:
        """The recording of the program above. Raises `UsageError` for an exercise that has none."""
        if not isinstance(self.item, Question):
            raise UsageError(f"{self.item.name!r} has no program of its own to play; record yours")
        return self.item.run(self.seed)

    @property
    def said(self) -> str:
        """What was said to the answer, and what to do next; nothing before there is one."""
        if self.verdict is None:
            return ""
        call = f"{self.verb}({self.item.name!r}, seed="
        lines = [self.verdict.words]
        if not self.verdict.right and self.hint < HINTS:
            lines.append(f"More help: hint={self.hint + 1 if self.item.hints else HINTS}")
        if isinstance(self.item, Question):
            another, run = f"Another one: {call}{self.seed + 1})", f"The run itself: {call}{self.seed}).play()"
            lines.append(another if self.verdict.right else run)
        return "\n".join([*lines, *filter(None, [self.notice])])

    @property
    def how(self) -> str:
        """How to answer in plain Python."""
        given = f", seed={self.seed}" if self.seed else ""
        return f"{self.verb}({self.item.name!r}, ...{given})"

    def __repr__(self) -> str:
        """The card as text: what a stored output holds. Once it is answered, the verdict alone."""
        title = f"{self.title} ({self.item.name})"
        hints = [f"Hint {n}: {text}" for n, text in enumerate(self.item.hints[: self.hint], 1)]
        if self.verdict is not None:
            return "\n\n".join([title, self.said, *hints])
        parts = [title, self.asks]
        if self.program:
            parts.append("\n".join(f"    {line}" for line in self.program.splitlines()))
        parts.append(f"Answer with {self.truth_form}, in place of the dots: {self.how}")
        return "\n\n".join([*parts, *hints])

    def html(self) -> str:
        """The card as HTML without a script."""
        title = f'<p class="khosim-card-title">{self.title}</p>'
        code = f"<pre><code>{escape(self.program)}</code></pre>" if self.program else ""
        how = f"<code>{escape(self.how)}</code>"
        form = f"Answer with {_markdown(self.truth_form, inline=True)}, in place of the dots: {how}"
        hints = "".join(
            f"<details{' open' * (n <= self.hint)}><summary>Hint {n}</summary>{_markdown(text)}</details>"
            for n, text in enumerate(self.item.hints, 1)
        )
        name = escape(f"{self.title}, {self.item.name}", quote=True)
        inside = f'{title}{_markdown(self.asks)}{code}<p class="khosim-card-form">{form}</p>{hints}'
        if self.verdict is not None:
            helped = "" if self.verdict.right else hints
            inside = f'{title}<pre class="khosim-card-said">{escape(self.said)}</pre>{helped}'
        return f'<section class="khosim-card" aria-label="{name}">{inside}</section>'

    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, Any]:
        """In Jupyter: fields to answer with; HTML and text everywhere."""
        return {"text/plain": repr(self), "text/html": self.html(), **_fields(self)}


class Deck:
    """Several cards, one below the other."""

    def __init__(self, cards: list[Card]) -> None:
        """Keep them in order."""
        self.cards = cards

    def __repr__(self) -> str:
        """All of them as text."""
        return "\n\n\n".join(map(repr, self.cards))

    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, Any]:
        """In Jupyter: all of them, with fields."""
        html = "\n".join(card.html() for card in self.cards)
        return {"text/plain": repr(self), "text/html": html, **_fields(*self.cards)}


def _markdown(text: str, *, inline: bool = False) -> str:
    from markdown_it import MarkdownIt

    made = MarkdownIt()
    return str(made.renderInline(text) if inline else made.render(text))


def _fields(*cards: Card) -> dict[str, Any]:
    """The widget's part of a bundle; empty where there are no widgets."""
    if find_spec("ipywidgets") is None:
        return {}
    from khosim.teach.fields import shown

    return shown(*cards)
