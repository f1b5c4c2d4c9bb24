"""Exercises, in four grades: trace by hand, change a scenario, write a piece of kernel path, think about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc, signature
from typing import Any, Protocol

from khosim.config import MachineConfig
from khosim.errors import UsageError
from khosim.run.history import History
from khosim.steps import PATHS
from khosim.teach.question import ask, named
from khosim.teach.shortest import Holds, shortest
from khosim.teach.verdict import Verdict
from khosim.user.machine import session

__all__ = ["TASKS", "Task", "by_hand", "change", "discuss", "write_path"]

CHANGE, WRITE, DISCUSS = 2, 3, 4
RECORDED = """
import khosim

m = khosim.boot()
with m.record("mine") as trace:
    ...  # your program
"""
Judge = Callable[[Any], Verdict]


class Asked(Protocol):
    """What an exercise function has in common with all others: its name, and its docstring, which is the task."""

    __name__: str
    __doc__: str | None


@dataclass(frozen=True, slots=True)
class Task:
    """An exercise of grade 2, 3 or 4. `judge` raises `UsageError` for an answer of another kind.

    `start` is code to begin with, where the answer is code.
    """

    name: str
    chapter: int
    objective: int
    grade: int
    hints: tuple[str, str]
    asks: str
    form: str
    judge: Judge
    start: str = ""


TASKS: dict[str, Task] = {}
"""Every exercise that is not by hand, by name."""


def _add(make: Asked, chapter: int, objective: int, grade: int, hints: tuple[str, str], form: str,
         judge: Judge, start: str = "") -> None:  # fmt: skip
    name = named(make)  # type: ignore[arg-type]  # a function, of whatever signature
    if name in TASKS:
        raise TypeError(f"two exercises are named {name!r}; give one of them another name")
    TASKS[name] = Task(name, chapter, objective, grade, hints, cleandoc(make.__doc__ or ""), form, judge, start)


def by_hand(*, chapter: int, objective: int, hints: tuple[str, str]) -> Callable[..., Any]:
    """Grade 1: a question that is answered on paper first."""
    return ask(chapter=chapter, objective=objective, grade=1, hints=hints)


def change(*, chapter: int, objective: int, hints: tuple[str, str]) -> Callable[..., Any]:
    """Grade 2: the reader records a run; the function yields (step, sentence) for each property that does not hold."""

    def add(properties: Callable[[History], Iterator[tuple[int, str]]]) -> Any:
        def judge(trace: Any) -> Verdict:
            if not isinstance(trace, History):
                raise UsageError(f"give the recording that `with m.record(...) as trace:` made, not {trace!r}")
            if replaced := trace.seek(0).variants:
                raise UsageError(f"record it on the kernel as posted: boot without {', '.join(map(repr, replaced))}")
            for t, sentence in properties(trace):
                trace.start = max(0, min(t, trace.steps))
                return Verdict(False, f"Not yet. {sentence} Your run opens at step {trace.start}.", trace=trace)
            return Verdict(True, f"Right: each property holds in your run of {trace.steps} steps.", trace=trace)

        form = "the recording that `with m.record(...) as trace:` made of your run"
        _add(properties, chapter, objective, CHANGE, hints, form, judge, RECORDED)
        return properties

    return add


def write_path(*, chapter: int, objective: int, hints: tuple[str, str], paths: tuple[str, ...], lines: Sequence[str],
               most: int, start: str = "") -> Callable[..., Any]:  # fmt: skip
    """Grade 3: the reader writes kernel paths, and every program of up to `most` of `lines` after `start` is tried.

    The function yields a sentence for each property that does not hold after a run, alone or with what shows it.
    """

    def add(holds: Holds) -> Any:
        def judge(written: Any) -> Verdict:
            variants = _written(written, paths)
            found, tried = shortest(start, lines, most, holds, variants)
            if found is None:
                return Verdict(True, f"Right: all properties hold after each of {tried} programs.")
            words = f"Not yet. {found.sentence}\nThe shortest program that shows it, of {tried} tried:\n{found.program}"
            return Verdict(False, words, trace=found.trace)

        form = f"your function for `{paths[0]}()`"
        if len(paths) > 1:
            form += ", or a dict of functions by their names"
        _add(holds, chapter, objective, WRITE, hints, form, judge, _posted(paths))
        return holds

    return add


def _posted(paths: tuple[str, ...]) -> str:
    """Code that defines these paths as they were posted: what a reader changes."""
    code = "from khosim.steps import PATHS, Step"
    for name in paths:
        told = ", ".join(signature(PATHS[name]).parameters)
        code += f'\n\n\ndef {name}({told}):  # as it is: change it\n    return (yield from PATHS["{name}"]({told}))'
    return code


def _written(written: Any, paths: tuple[str, ...]) -> Mapping[str, Callable[..., Any]]:
    variants = written if isinstance(written, Mapping) else dict.fromkeys(paths[:1], written)
    if strange := set(variants) - set(paths):
        raise UsageError(f"this exercise is about {', '.join(paths)}; leave out {', '.join(map(str, sorted(strange)))}")
    session(_SMALL, variants)  # refuses, in words, what is no kernel path
    return variants


def discuss(*, chapter: int, objective: int, hints: tuple[str, str]) -> Callable[..., Any]:
    """Grade 4: an open question. Any answer of some words is taken, and is given our own thoughts to compare with."""

    def add(task: Asked) -> Any:
        name = named(task)  # type: ignore[arg-type]  # a function, of whatever signature

        def judge(text: Any) -> Verdict:
            if not isinstance(text, str) or len(text.split()) < FEWEST_WORDS:
                raise UsageError(f"write your thoughts as a text of {FEWEST_WORDS} words or more, not {text!r}")
            from khosim.teach.solutions import SOLUTIONS

            thoughts = [" ".join(paragraph.split()) for paragraph in SOLUTIONS[name].strip().split("\n\n")]
            return Verdict(True, "\n\n".join(["Compare it with what we think.", *thoughts]))

        form = f"your thoughts, as a text of {FEWEST_WORDS} words or more"
        _add(task, chapter, objective, DISCUSS, hints, form, judge)
        return task

    return add


FEWEST_WORDS = 8
_SMALL = MachineConfig()
