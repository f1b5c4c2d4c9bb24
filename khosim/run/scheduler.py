"""Who goes next: tasks that are generators, and one door for luck.

A run is its choices. `choices()` lists what may happen next, `take()` makes one happen; the same list taken
again gives the same run, in any process. The engine would drive any generators over any machine with a `buffer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from khosim.errors import Deadlock, Endless, Livelock, UsageError
from khosim.steps import Choose, Event, Path, Retry, Step, Wait, Warn

__all__ = ["Choice", "Luck", "Run", "Stage", "no_luck"]


class Choice(NamedTuple):
    """One entry of a run: which task goes on, and what it is told; `answer` is 0 if it did not ask."""

    task: str
    answer: int = 0

    def __str__(self) -> str:
        """`cpu0`, or `cpu0=-12` where luck answered."""
        return f"{self.task}={self.answer}" if self.answer else self.task


PATIENCE = 100
"""Rounds in which bad luck alone keeps a task going round, until it counts as a livelock."""
MOST_STEPS = 200_000
"""Steps a run may take; whoever takes more would take for ever, and each is kept."""
Luck = Callable[[Choose], int]
"""Answers a question with one of its options."""


class Stage(Protocol):
    """Where a run takes place: the machine of the moment (a kexec replaces it), and who watches."""

    machine: Any
    watch: Callable[[Run, str, Step], None] | None

    def complain(self, words: Warn) -> None:
        """Hear a complaint of the kernel."""


def no_luck(question: Choose) -> int:
    """Nothing interferes: the first option."""
    return question.options[0]


@dataclass(slots=True)
class Task:
    """One thread of calls: its generator, the event it is parked at, and its result once it has one.

    `retried`: the state at its last retry, True once it is known to go round. `unlucky`: luck has interfered since;
    `rounds`: how often that alone kept it from going on.
    """

    path: Path[Any] = field(repr=False)  # a generator's repr is an address
    parked: Event | None = None
    done: bool = False
    result: Any = None
    retried: Any = field(default=None, repr=False)
    unlucky: bool = False
    rounds: int = 0


class Run:
    """Tasks on a stage. Each is parked before its first line; starting it is a choice like any other."""

    def __init__(self, stage: Stage, tasks: Mapping[str, Path[Any]], *, mark: bool = False) -> None:
        """Park the tasks; `mark` keeps in `points` what else could have been chosen."""
        self.mark = mark
        self.stage = stage
        self.tasks = {name: Task(path) for name, path in tasks.items()}
        self.taken: list[Choice] = []
        self.points: dict[int, list[Choice]] = {}

    def choices(self) -> list[Choice]:
        """What may happen next, in the order of the tasks; empty when all are done or all wait."""
        found = []
        for name, task in self.tasks.items():
            if task.done or not self._can_go(task):
                continue
            options = task.parked.options if isinstance(task.parked, Choose) else (0,)
            found += [Choice(name, option) for option in options]
        return found

    def _can_go(self, task: Task) -> bool:
        event = task.parked
        if isinstance(event, Wait):
            return event.until(self.stage.machine, *event.args)
        return not (isinstance(event, Retry) and task.retried is True)

    def take(self, choice: Choice) -> Event | None:
        """Let a task go on to its next event; None when that ended it.

        Raises `UsageError` for a choice that is not open.
        """
        task = self.tasks.get(choice.task)
        if task is None or choice not in self.choices():
            able = ", ".join(map(str, self.choices())) or "nothing; the run is over"
            raise UsageError(f"{choice} cannot happen here; what can: {able}")
        return self._resume(task, choice)

    def _resume(self, task: Task, choice: Choice) -> Event | None:
        asked = isinstance(task.parked, Choose)
        if isinstance(task.parked, Choose) and choice.answer != task.parked.options[0]:
            task.unlucky = True
        if self.mark:
            self._mark()
        self.taken.append(choice)
        try:
            event = task.path.send(choice.answer if asked else None)
        except StopIteration as end:
            task.done, task.parked, task.result = True, None, end.value
            return None
        self._accept(event, choice.task)
        task.parked = event
        if isinstance(event, Retry):
            self._spins(task)
        elif isinstance(event, Step):
            self._wake()
        if isinstance(event, Warn):
            self.stage.complain(event)
        if isinstance(event, Step) and self.stage.watch:
            self.stage.watch(self, choice.task, event)
        return event

    def _accept(self, event: object, name: str) -> None:
        """Refuse what is no event, and a run that does not end."""
        if not isinstance(event, Step | Choose | Wait):
            raise UsageError(f"a path yields Step, Warn, Choose, Wait or Retry, not {event!r}; see khosim.steps")
        if len(self.taken) > MOST_STEPS:
            raise Endless(f"{name} has taken {MOST_STEPS:,} steps and goes on; a loop needs an end, or a Retry")

    def _mark(self) -> None:
        """Remember where the run could have gone another way."""
        able = self.choices()
        if len(able) > 1:
            self.points[len(self.taken)] = able

    def _spins(self, task: Task) -> None:
        """Note whether a task came back to its retry with nothing changed: then only another can help it."""
        state: np.ndarray[Any, Any] = self.stage.machine.buffer
        before = task.retried
        same = isinstance(before, np.ndarray) and np.array_equal(before, state)
        task.rounds = task.rounds + 1 if same else 0
        if same and (not task.unlucky or task.rounds == PATIENCE):
            task.retried = True
        else:
            task.retried = state.copy()
        task.unlucky = False

    def _wake(self) -> None:
        """Something was stored: a task that goes round may look again."""
        for task in self.tasks.values():
            if task.retried is True and not task.done:
                task.retried = None

    def end_others(self, name: str) -> None:
        """End every task but one, wherever it is: its machine is no more."""
        for other, task in self.tasks.items():
            if other != name and not task.done:
                task.path.close()
                task.done, task.parked = True, None

    def stuck(self) -> Exception:
        """Why no task can go on though not all are done."""
        reasons = []
        for name, task in self.tasks.items():
            if isinstance(task.parked, Retry):
                return Livelock(task.parked.sentence)
            if isinstance(task.parked, Wait):
                reasons.append(f"{name} waits because {task.parked.reason}")
        return Deadlock("; ".join(reasons))

    @property
    def done(self) -> bool:
        """Whether every task has ended."""
        return all(task.done for task in self.tasks.values())

    def __repr__(self) -> str:
        """Show how far it is."""
        ended = sum(task.done for task in self.tasks.values())
        return f"Run({len(self.taken)} choices taken, {ended} of {len(self.tasks)} task(s) done)"

    def finish(self, choices: Iterable[Choice] = (), luck: Luck = no_luck) -> dict[str, Any]:
        """Take `choices`, then go on in the order of the tasks, asking `luck`; the tasks' results.

        Raises `Livelock` or `Deadlock` when no task can go on, and whatever a path raises.
        """
        for choice in choices:
            self.take(choice)
        for name, task in self.tasks.items():
            self._finish_task(name, task, luck)
        if not self.done:
            raise self.stuck()
        return {name: task.result for name, task in self.tasks.items()}

    def _finish_task(self, name: str, task: Task, luck: Luck) -> None:
        while not task.done:
            if not self._can_go(task):
                if any(self._can_go(other) for other in self.tasks.values() if not other.done):
                    self._let_others(task, luck)
                    continue
                raise self.stuck()
            answer = luck(task.parked) if isinstance(task.parked, Choose) else 0
            self._resume(task, Choice(name, answer))

    def _let_others(self, task: Task, luck: Luck) -> None:
        for name, other in self.tasks.items():
            while other is not task and not other.done and self._can_go(other) and not self._can_go(task):
                answer = luck(other.parked) if isinstance(other.parked, Choose) else 0
                self._resume(other, Choice(name, answer))
