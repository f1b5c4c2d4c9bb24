"""One program on two kernels, call by call, up to the first call they answer differently."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from khosim.compare.calls import Call, Failed, Outcome, Stat, described
from khosim.compare.host import Host, huge_policy
from khosim.compare.host_map import PAGE_SIZE
from khosim.compare.player import Face, Player
from khosim.compare.program import Program, Recorder
from khosim.compare.report import Difference
from khosim.compare.shrink import shrink
from khosim.errors import UsageError

__all__ = ["Boot", "Duel"]

Boot = Callable[[], Face]
_SLIP = Failed("UsageError")
_SLIPS = {"IndexError", "TypeError", "ValueError"}
_SPARSE = (3, 4)  # SEEK_DATA, SEEK_HOLE


@dataclass(frozen=True, slots=True)
class Duel:
    """The real kernel against what `boot` gives, a fresh one for each program.

    `huge` is this machine's huge page policy for memfds, None for small pages. With huge pages a memfd holds
    more than was asked for, which `st_blocks`, mincore, SEEK_DATA and SEEK_HOLE tell; then these are not
    compared.
    """

    boot: Boot
    huge: str | None = field(default_factory=huge_policy)

    @property
    def notes(self) -> tuple[str, ...]:
        """What cannot be compared here."""
        if self.huge is None:
            return ()
        reason = f"shmem_enabled is {self.huge!r} here, so memfds get huge pages"
        return (f"st_blocks, mincore, SEEK_DATA and SEEK_HOLE are not compared: {reason}",)

    def play(self, calls: Sequence[Call], origin: str = "") -> Difference | None:
        """Play straight through. The difference is not shrunk."""
        outcomes: list[Outcome] = []
        with Host() as host:
            real, simulated = Player(host), Player(self.boot())
            for call in calls:
                outcomes.append(real.play(call))
                other = simulated.play(call)
                if not self._agree(call, outcomes[-1], other):
                    played = tuple(calls[: len(outcomes)])
                    return Difference(played, tuple(outcomes), other, len(played), origin)
        return None

    def run(self, program: Program, origin: str) -> tuple[int, Difference | None]:
        """Run the reader's program on each kernel; how many calls it made, and the difference, not shrunk.

        Raises `UsageError` if the program itself fails, or makes other calls the second time with no cause.
        """
        with Host() as host:
            real = _recorded(host, program)
        simulated = Recorder(self.boot())
        simulated.run(program)
        pairs = zip_longest(real.calls, simulated.calls, real.outcomes, simulated.outcomes)
        for at, (call, other_call, outcome, other) in enumerate(pairs):
            if call != other_call:
                raise UsageError(f"the program is not the same twice: call {at + 1} is {call}, then {other_call}")
            if not self._agree(call, outcome, other):
                calls, outcomes = tuple(real.calls[: at + 1]), tuple(real.outcomes[: at + 1])
                return at + 1, Difference(calls, outcomes, other, at + 1, origin)
        _refuse_slip(simulated)
        return len(real.calls), None

    def shrunk(self, difference: Difference) -> Difference:
        """The same kind of difference, in as short a program as was found."""
        kind = _kind(difference)

        def differs(calls: Sequence[Call]) -> int | None:
            try:
                found = self.play(calls)
            except UsageError:  # shrunk to a call that khosim cannot play
                return None
            return len(found.calls) - 1 if found and _kind(found) == kind else None

        if differs(difference.calls) is None:  # the program depends on more than its calls
            return difference
        small = self.play(shrink(difference.calls, differs, PAGE_SIZE), difference.origin)
        if small is None:
            return difference
        return Difference(small.calls, small.outcomes, small.simulated, difference.found, difference.origin)

    def _agree(self, call: Call, real: Outcome, simulated: Outcome) -> bool:
        """Whether the answers are equal and of one type, or differ only by this machine's huge pages.

        A numpy integer equals an int, but a reader who prints it sees that it is not one.
        """
        if real == simulated:
            return type(real) is type(simulated)
        if simulated == _SLIP:
            return _both_slipped(call, real, simulated)
        if self.huge is None:
            return False
        if isinstance(real, Stat) and isinstance(simulated, Stat):
            return real.st_size == simulated.st_size
        return call.name == "mincore" or (call.name == "lseek" and call.args[-1] in _SPARSE)


def _both_slipped(call: Call, real: Outcome, simulated: Outcome) -> bool:
    """A reader's slip: khosim has words of its own for it, Python's `mmap` knows only these.

    Raises `UsageError` if the real kernel took the call: then khosim cannot play it, which is no difference.
    """
    if isinstance(real, Failed) and real.kind in _SLIPS:
        return True
    raise UsageError(f"{call} cannot be compared: {described(simulated)}")


def _kind(difference: Difference) -> tuple[str, ...]:
    """What must stay while a difference is shrunk, lest another one take its place."""
    answers = (difference.real, difference.simulated)
    words = (answer.kind if isinstance(answer, Failed) else type(answer).__name__ for answer in answers)
    return (difference.calls[-1].name, *words)


def _recorded(face: Face, program: Program) -> Recorder:
    recorder = Recorder(face)
    recorder.run(program)
    _refuse_slip(recorder)
    return recorder


def _refuse_slip(recorder: Recorder) -> None:
    """An exception that came of no call is the program's own."""
    error = recorder.ended
    if error is None:
        return
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" in line {trace.tb_lineno}" if trace is not None else ""
    raise UsageError(f"the program fails{where}: {type(error).__name__}: {error}") from error
