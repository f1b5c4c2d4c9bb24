"""Time: every moment of a run, to look back at, and to go on from differently.

Looking back reads the snapshot of a moment. Going on from the past loads the first moment again and takes the
same choices up to there: there is no undo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any, ClassVar, overload

from khosim.errors import UsageError
from khosim.run.moment import Call, Cause, Frame, Moment, call_stack, shorten
from khosim.run.scheduler import Choice, Run
from khosim.state.cells import Cell, cell_reader
from khosim.state.snapshot import Change, Snapshot, opened
from khosim.steps import Step, Warn

__all__ = ["Call", "Cause", "Frame", "History", "Moment", "first_difference", "shorten"]


class History(Sequence[Moment]):
    """A recorded run. Index it by time; `len(history) - 1` is the number of steps."""

    _mimebundle: ClassVar[Callable[[History], dict[str, Any]] | None] = None
    _transcript: ClassVar[Callable[[History], str] | None] = None

    def __init__(self, title: str, replay: Callable[[History, list[Choice]], History]) -> None:
        """Start empty; `replay(self, choices)` must return the history that these choices give.

        `start` is the moment that a figure of it opens at.
        """
        self.title = title
        self.start = 0
        self.moments: list[Moment] = []
        self.calls: list[Call] = []
        self.choices: list[Choice] = []
        self.points: dict[int, list[Choice]] = {}
        self.failure: Exception | None = None
        self.parent: tuple[History, int] | None = None
        self._replay = replay

    @overload
    def __getitem__(self, t: int) -> Moment: ...
    @overload
    def __getitem__(self, t: slice) -> Sequence[Moment]: ...
    def __getitem__(self, t: int | slice) -> Moment | Sequence[Moment]:
        """The moment at time `t`; negative counts from the end."""
        try:
            return self.moments[t]
        except IndexError:
            raise IndexError(f"the recording has moments 0 to {self.steps}, not {t}") from None

    def __len__(self) -> int:
        """Moments, the one before the first step included."""
        return len(self.moments)

    def note(self, snapshot: Snapshot, run: Run | None, task: str, step: Step | None, call: int | None) -> None:
        """Add a moment: `step` has happened and `snapshot` is what it left."""
        t = len(self.moments)
        code = call_stack(run.tasks[task].path) if run else ()
        kernel = run.stage.machine.boots if run else snapshot.boots  # asking the snapshot would open its views
        self.moments.append(Moment(t, snapshot, step, task, call, kernel, len(self.choices), code))

    @property
    def steps(self) -> int:
        """How many steps were recorded."""
        return len(self.moments) - 1

    @property
    def kexecs(self) -> list[int]:
        """Times of the first moment of each kernel after the first."""
        pairs = zip(self.moments, self.moments[1:], strict=False)
        return [after.t for before, after in pairs if after.kernel != before.kernel]

    @property
    def warnings(self) -> list[Moment]:
        """The moments at which the kernel complained."""
        return [moment for moment in self.moments if isinstance(moment.step, Warn)]

    @property
    def digest(self) -> str:
        """16 hex digits over every state and sentence; the same run has the same digest in any process."""
        found = blake2b(digest_size=8)
        for moment in self.moments:
            found.update(moment.snapshot.told)
            found.update(moment.sentence.encode())
        return found.hexdigest()

    def seek(self, t: int) -> Snapshot:
        """The machine's state at time `t`. Raises `UsageError` outside the recording."""
        if not isinstance(t, int) or not -len(self) <= t < len(self):
            raise UsageError(f"the recording has moments 0 to {self.steps}, not {t!r}")
        return self.moments[t].snapshot

    def between(self, a: int, b: int) -> list[Change]:
        """Every cell that differs between the moments `a` and `b`."""
        return self.seek(a).diff(self.seek(b))

    def replay(self, t: int | None = None) -> Snapshot:
        """The state at time `t`, by taking the choices again from the first moment on."""
        again = self._replay(self, self.choices)
        return again.seek(self.steps if t is None else t)

    def alternatives(self, t: int) -> list[Choice]:
        """What else could have happened between moment `t` and the next."""
        start, end = self._span(t)
        return [c for at in range(start, end) for c in self.points.get(at, ()) if c != self.choices[at]]

    def _span(self, t: int) -> tuple[int, int]:
        self.seek(t)
        moment = self.moments[t]
        after = self.moments[moment.t + 1 :]
        return moment.position, after[0].position if after else len(self.choices)

    def fork(self, t: int, choice: Choice | str, title: str = "") -> History:
        """The other future: the same run up to moment `t`, then `choice`, then nobody interferes.

        This history stays as it is; the new one names it as `parent` with the first differing time, which is its
        `start`, and in its title unless one is given. Raises `UsageError` where `choice` was not open.
        """
        wanted = _parse(choice)
        start, end = self._span(t)
        for at in range(start, end):
            if wanted in self.points.get(at, ()) and self.choices[at] != wanted:
                other = self._replay(self, [*self.choices[:at], wanted])
                parts = first_difference(self, other)
                other.parent, other.start = (self, parts), min(parts, other.steps)
                other.title = title or f"{self.title}, other future at step {parts}"
                return other
        open_here = ", ".join(map(str, self.alternatives(t))) or "nothing"
        moments = [str(moment.t) for moment in self.moments if self.alternatives(moment.t)]
        raise UsageError(
            f"{wanted} was not open at moment {self.moments[t].t}; what was, beside what happened: {open_here}."
            f" Moments with a choice: {', '.join(moments[:12]) or 'none'}"
        )

    def why(self, cell: Cell | str, t: int | None = None, **where: Any) -> Cause:
        """Why a cell is what it is at time `t` (default: at the end): the last step that changed it.

        `why("bit", pfn=9)`, `why("block", index=3)`, `why("cache", index=3)`, `why("uptodate", pfn=9)` and
        every other flag, `why("refcount", pfn=9)`, `why("i_size")`, `why("kho_i_size")`,
        `why("byte", pfn=9, offset=0)`. What is not said is the first: `offset` 0 of a page, `ino` 0, the first
        preserved `file`. Raises `UsageError` for a cell that does not exist, or that nothing in the recording
        changed.
        """
        read = cell_reader(self.moments[-1].snapshot, cell, **where)
        end = self.seek(self.steps if t is None else t)
        last = next(i for i in range(len(self)) if self.moments[i].snapshot is end)
        moments = self.moments[last::-1]
        values = map(read, opened(moment.snapshot for moment in moments))
        for (moment, new), (_, old) in pairwise(zip(moments, values, strict=True)):
            if old != new:
                return self._cause(moment, old, new)
        which = ", ".join(f"{name}={value}" for name, value in where.items())
        raise UsageError(f"nothing up to moment {last} changed {cell}" + (f" ({which})" if which else ""))

    def _cause(self, moment: Moment, old: int, new: int) -> Cause:
        path = moment.code[-1][0].co_name if moment.code else ""
        call = self.calls[moment.call].text if moment.call is not None else ""
        return Cause(moment.t, path, moment.sentence, call, old, new)

    def __repr__(self) -> str:
        """One short line."""
        kernels = len(self.kexecs) + 1
        end = f", ended by {type(self.failure).__name__}" if self.failure else ""
        title = shorten(self.title, 30)
        return f"History({title!r}, {self.steps} steps, {kernels} kernel(s){end}, digest {self.digest})"

    def __str__(self) -> str:
        """The transcript, if `khosim.show` is at hand; else the short line."""
        words = type(self)._transcript  # noqa: SLF001
        return words(self) if words else repr(self)

    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, Any]:
        """In Jupyter: the stepper."""
        show = type(self)._mimebundle  # noqa: SLF001
        return show(self) if show else {"text/plain": repr(self)}


def _parse(choice: Choice | str) -> Choice:
    if isinstance(choice, Choice):
        return choice
    task, _, answer = choice.partition("=") if isinstance(choice, str) else ("", "", "none")
    try:
        return Choice(task, int(answer or 0))
    except ValueError:
        raise UsageError(f"a choice is a task, or task=answer such as cpu0=-12, not {choice!r}") from None


def first_difference(a: History, b: History) -> int:
    """The first time at which two histories differ; the length of the shorter if they do not."""
    for t, (one, two) in enumerate(zip(a, b, strict=False)):
        if (one.task, one.sentence) != (two.task, two.sentence) or one.snapshot != two.snapshot:
            return t
    return min(len(a), len(b))
