"""Did you get it: questions that are answered by running the model, and exercises that are judged by it.

In a notebook: `predict("name")` shows a question, `predict("name", 3)` answers it. `exercise` and `solution` take the
names of exercises. Nothing here knows an answer before the model has run.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import khosim.teach.chapters  # noqa: F401 - fills the two tables below
from khosim.errors import UsageError
from khosim.teach.card import Card, Deck
from khosim.teach.progress import Progress, encoded
from khosim.teach.question import QUESTIONS, Question
from khosim.teach.task import CHANGE, TASKS, Task

__all__ = ["Report", "check_yourself", "exercise", "items", "names", "predict", "progress", "solution"]


def predict(name: str, answer: Any = ..., *, seed: int = 0, hint: int = 0) -> Card:
    """Ask a question, or judge an answer to it. `seed` picks another instance, `hint=2` says where to look.

    Raises `UsageError` for a name there is not, an answer of another form than the question asks for, or a hint without
    an answer.
    """
    return _card(_known(name, {n: q for n, q in QUESTIONS.items() if not q.grade}), answer, seed, hint)


def exercise(name: str, answer: Any = ..., *, seed: int = 0, hint: int = 0) -> Card:
    """Show an exercise, or judge what the reader made: a table, a recording, a kernel path, a text.

    `hint=1` and `hint=2` show its hints. Raises `UsageError` for a name there is not, or for what cannot be judged,
    in words that say what to give.
    """
    return _card(_known(name, TASKS | {n: q for n, q in QUESTIONS.items() if q.grade}), answer, seed, hint)


def check_yourself(chapter: int, *, seed: int = 0) -> Deck:
    """The closing questions of a chapter, in one output. Raises `UsageError` for a chapter without."""
    asked = [q for q in QUESTIONS.values() if q.check and q.chapter == chapter]
    if not asked:
        known = ", ".join(map(str, sorted({q.chapter for q in QUESTIONS.values() if q.check})))
        raise UsageError(f"chapter {chapter!r} has no closing questions; there are those of {known}")
    return Deck([Card(q, seed, f"Question {n} of {len(asked)}") for n, q in enumerate(asked, 1)])


def _card(item: Any, answer: Any, seed: int, hint: int) -> Card:
    if hint not in (0, 1, 2):
        raise UsageError(f"hint is 1 or 2, not {hint!r}")
    card = Card(item, seed)
    if answer is not ...:
        return card.answer(answer, hint)
    if hint and not item.hints:
        raise UsageError("a hint to a prediction is about an answer: put yours in place of the dots")
    card.hint = hint
    return card


def _known(name: str, items: Mapping[str, Any]) -> Any:
    if name in items:
        return items[name]
    if name in {**QUESTIONS, **TASKS}:
        verb = "exercise" if name in TASKS or QUESTIONS[name].grade else "predict"
        raise UsageError(f"{name!r} is asked by {verb}({name!r})")
    near = get_close_matches(str(name), items, 1, 0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(items)}"
    raise UsageError(f"there is nothing named {name!r} here; {hint}")


class Solution(str):
    """A text that prints as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        """The text."""
        return str(self)


def solution(name: str) -> Solution:
    """Show how an exercise can be solved: code, a text, or for one by hand what the model answers.

    Raises `UsageError` for what is no exercise.
    """
    item = _known(name, TASKS | {n: q for n, q in QUESTIONS.items() if q.grade})
    if name in QUESTIONS:
        return Solution(f"The model answers: {item.truth(item.case(0))!r}\nThe run: exercise({name!r}).play()")
    from khosim.teach.solutions import SOLUTIONS, pasted

    found = SOLUTIONS[name]
    if isinstance(found, str):
        return Solution(found)
    how, given = ("Record its run, then", "trace") if item.grade == CHANGE else ("To hand it in", found.__name__)
    return Solution(f"{pasted(found)}\n# {how}: exercise({name!r}, {given})")


def items() -> list[Question | Task]:
    """Every question and exercise, in the order of the book."""
    return sorted([*QUESTIONS.values(), *TASKS.values()], key=lambda item: (item.chapter, item.grade, item.name))


def names() -> list[str]:
    """The names of all `items()`: what a code of `progress()` has a bit for."""
    return [item.name for item in items()]


class Report:
    """How far a reader has come: a row for each chapter, and one code to hand in. It holds names of questions only."""

    def __init__(self, done: set[str], notice: str = "") -> None:
        """Keep what is done."""
        self.done, self.notice = done & set(names()), notice

    @property
    def code(self) -> str:
        """All of it in one short code, which `khosim progress CODE` reads."""
        return encoded(self.done, names())

    @property
    def chapters(self) -> dict[int, tuple[int, int]]:
        """(done, all) of each chapter."""
        chapter = {item.name: item.chapter for item in items()}
        every = list(chapter.values())
        return {n: (sum(chapter[name] == n for name in self.done), every.count(n)) for n in sorted(set(every))}

    def __repr__(self) -> str:
        """A row for each chapter, and the code."""
        rows = [f"chapter {n:02}  {'#' * done}{'.' * (every - done)}  {done} of {every}"
                for n, (done, every) in self.chapters.items()]  # fmt: skip
        return "\n".join([*rows, f"code: {self.code}", *filter(None, [self.notice])])


def progress() -> Report:
    """How far you have come, as the file beside this notebook says."""
    kept = Progress()
    return Report(set(kept.right), kept.notice)
