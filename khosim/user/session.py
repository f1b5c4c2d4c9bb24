"""Programs run on a stage: calls become kernel paths, a kexec swaps the machine, a recorder may watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from khosim.config import MachineConfig
from khosim.errors import KernelFailure, MachineGone, UsageError
from khosim.kernel import kexec
from khosim.run.history import Call, History
from khosim.run.scheduler import Choice, Luck, Run, no_luck
from khosim.state.machine import MachineState
from khosim.state.snapshot import Snapshot
from khosim.steps import Path, Step, Warn
from khosim.user.calls import CALLS
from khosim.user.words import written

__all__ = ["Request", "Session"]

Request = tuple[str, tuple[Any, ...]]
"""A call to be made: its name in `CALLS`, its arguments."""
Variants = Mapping[str, Callable[..., Any]]


class Session:
    """A chain of kernels and whoever watches it. It is the `Stage` of every run on its machine.

    `make` builds a machine (blank) for this session; `machine` is the one that lives now.
    """

    def __init__(self, config: MachineConfig, variants: Variants,
                 make: Callable[[Session], MachineState]) -> None:  # fmt: skip
        """Boot the first kernel."""
        self._blank(config, variants, make)
        Run(self, {"cpu0": kexec.start_kernel(self.machine, 0)}).finish()

    @classmethod
    def at(cls, snapshot: Snapshot, variants: Variants, make: Callable[[Session], MachineState]) -> Session:
        """A session whose machine is what it was at `snapshot`, with nothing of its past."""
        session = cls.__new__(cls)
        session._blank(snapshot.config, variants, make)  # noqa: SLF001 - another of our own kind
        session.machine.load_buffer(snapshot.buffer)
        return session

    def _blank(self, config: MachineConfig, variants: Variants, make: Callable[[Session], MachineState]) -> None:
        self.config, self.variants, self.make = config, variants, make
        self.watch: Callable[[Run, str, Step], None] | None = None
        self.luck: Luck = no_luck
        self.history: History | None = None
        self.program: list[dict[str, list[Request]]] = []
        self.complaints: list[str] = []
        self.failure: KernelFailure | None = None
        self._base = 0
        self._run: Run | None = None
        self._current: dict[str, int] = {}
        self.machine = make(self)

    def __repr__(self) -> str:
        """One short line."""
        return f"Session(kernel {self.machine.boots}, {'dead' if self.failure else 'alive'})"

    # ---- making calls

    def call(self, name: str, *args: Any) -> Any:
        """Make one call of the program, on CPU 0; what it returns."""
        return self.together({"cpu0": [(name, args)]})["cpu0"][0]

    def together(self, tasks: Mapping[str, Sequence[Request]], choices: Iterable[Choice] | None = None,
                 luck: Luck | None = None) -> dict[str, list[Any]]:  # fmt: skip
        """Run several tasks of calls side by side: `choices` first, then in order; each task's results.

        Takes no more of `choices` than the tasks need. Raises `UsageError` for a choice that is not open, and what the
        modelled kernel dies of; from then on the machine refuses to be used.
        """
        run = self.start(tasks)
        following = iter(choices or ())
        try:
            while not run.done and (choice := next(following, None)):
                run.take(choice)
            return run.finish(luck=luck or self.luck)
        except UsageError:
            run.finish(luck=luck or self.luck)  # no lock stays held because of a reader's slip
            raise
        except KernelFailure as failure:
            self.died(failure)
            raise
        finally:
            self._synchronise(run)

    def start(self, tasks: Mapping[str, Sequence[Request]]) -> Run:
        """A run of tasks of calls, parked before its first line. Raises `MachineGone` if the kernel has died."""
        if self.failure is not None:
            raise MachineGone(f"this kernel is dead ({self.failure}); look at its trace, or boot another machine")
        if self.history is not None:
            if self._run is not None:
                self._synchronise(self._run)  # one that was driven by hand took its last choices unseen
            self.program.append({name: list(requests) for name, requests in tasks.items()})
            self._base = len(self.history.choices)
        paths = {name: self._perform(name, requests) for name, requests in tasks.items()}
        self._run = Run(self, paths, mark=self.history is not None)
        return self._run

    def path(self, name: str, *args: Any) -> Path[Any]:
        """The kernel path of a call, not started, for a run that is put together by hand."""
        return CALLS[name](self.machine, *args)

    def _perform(self, task: str, requests: Sequence[Request]) -> Path[list[Any]]:
        results = []
        for name, args in requests:
            call = self._open(task, name, args)
            if name == "kexec":
                yield from self._kexec(task)
                result: Any = None
            else:
                result = yield from CALLS[name](self.machine, *args)
            if call is not None and self.history is not None:
                call.result, call.last = result, self.history.steps
            results.append(result)
        return results

    def _kexec(self, task: str) -> Path[None]:
        old = self.machine
        fdt = yield from kexec.kernel_kexec(old)
        if self._run is not None:
            self._run.end_others(task)
        self.machine = self.make(self)
        self.machine.arrays["phys"][:] = old.arrays["phys"]
        self.machine.boots = old.boots
        yield from kexec.start_kernel(self.machine, fdt)

    # ---- watching

    def complain(self, words: Warn) -> None:
        """Keep what the kernel complained of."""
        self.complaints.append(words.sentence)

    def died(self, failure: KernelFailure) -> None:
        """Remember what the kernel died of."""
        self.failure = failure
        if self.history is not None:
            self.history.failure = failure

    def record(self, title: str, base: Snapshot | None = None) -> History:
        """Record from now on, until `stop`; `base` is a snapshot of the machine as it is, if there is one."""
        base = base or Snapshot(self.machine)
        program = self.program = []
        history = History(title, lambda past, choices: self._again(base, program, past, choices))
        history.note(base, None, "cpu0", None, None)
        self.history, self.watch, self._run = history, self._note, None
        return history

    def stop(self) -> None:
        """Record no more."""
        if self._run is not None:
            self._synchronise(self._run)
        self.history = self.watch = None

    def _again(self, base: Snapshot, program: list[dict[str, list[Request]]], past: History,
               choices: list[Choice]) -> History:  # fmt: skip
        other = Session.at(base, self.variants, self.make)
        history = other.record(past.title, base)
        following = iter(choices)
        try:
            for tasks in program:
                other.together(tasks, following)
        except KernelFailure:
            pass  # it is noted in the history
        return history

    def _open(self, task: str, name: str, args: tuple[Any, ...]) -> Call | None:
        if self.history is None:
            return None
        at = self.history.steps
        call = Call(task, name, args, at + 1, at, written(name, args))
        self._current[task] = len(self.history.calls)
        self.history.calls.append(call)
        return call

    def _note(self, run: Run, task: str, step: Step) -> None:
        if self.history is not None:
            self._synchronise(run)
            last = self.history.moments[-1].snapshot
            self.history.note(Snapshot(self.machine, last), run, task, step, self._current[task])

    def _synchronise(self, run: Run) -> None:
        """Carry the run's choices over to the history."""
        if self.history is not None:
            known = len(self.history.choices) - self._base
            self.history.choices += run.taken[known:]
            for at in range(known, len(run.taken)):
                if at in run.points:
                    self.history.points[self._base + at] = run.points[at]
