"""Steps and calls a second, watched and unwatched, at 256 frames; held against what was aimed for."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import khosim
from bench.program import Calls, bind, perform, program, written
from bench.table import PER_SECOND, Case, Effort, Row, interleave, number, ratio, shares
from khosim.run.scheduler import Run
from khosim.steps import Path, Step, Warn

__all__ = ["measure"]

FRAMES = 256
CALLS_AIMED = 3_000
STEP_AIMED = 50e-6


class Empty:
    """A stage on which nothing happens: what remains is the scheduler."""

    watch: Callable[[Run, str, Step], None] | None = None

    def __init__(self, machine: khosim.Machine) -> None:
        """Lend it a machine."""
        self.machine: Any = machine

    def complain(self, words: Warn) -> None:
        """Hear nothing."""

    def runs(self, calls: int, steps: int) -> None:
        """As many runs as a lap has calls, with as many steps, none of which does anything."""
        for _ in range(calls):
            Run(self, {"cpu0": idle(steps)}).finish()


def idle(steps: int) -> Path[None]:
    """Yield `steps` steps."""
    for _ in range(steps):
        yield Step("idle", "Nothing happens.")


def recorded(machine: khosim.Machine, lap: Calls, laps: int) -> khosim.History:
    """The recording of some laps."""
    with machine.record() as history:
        perform(lap, laps)
    return history


def measure(effort: Effort) -> list[Row]:
    """The rows of this section."""
    machine = khosim.boot(frames=FRAMES)
    lap = bind(machine.os, machine.os.memfd_create("plain", 0), program(machine.page_size))
    lap += bind(machine.os, machine.os.memfd_create("preserved", khosim.MFD_KHO), written(machine.page_size))
    perform(lap)
    steps = recorded(machine, lap, 1).steps
    laps = effort.times(40)
    per_call = round(steps / len(lap))
    cases = {
        "free": Case(lambda: perform(lap, laps), laps * steps),
        "recorded": Case(lambda: recorded(machine, lap, 1), steps),
        "snapshots": Case(lambda: [machine.snapshot() for _ in range(steps)], steps),
        "scheduler": Case(lambda: Empty(machine).runs(laps * len(lap), per_call), laps * len(lap) * per_call),
    }
    return _rows(interleave(cases, effort.rounds), steps / len(lap))


def _rows(found: dict[str, list[float]], per_call: float) -> list[Row]:
    free, taped = found["free"], found["recorded"]
    calls = [per_call * second for second in free]
    inside = shares(free, {"scheduler": found["scheduler"]}, "kernel paths, their Step objects, the way in")
    parts = {"snapshots": found["snapshots"], "the step itself": free}
    around = shares(taped, parts, "noting stack, choices and moment")
    aimed = [1 / CALLS_AIMED] * len(calls)
    return [
        Row("steps, not recorded", PER_SECOND, free, 1.0, "itself", inside),
        Row("steps, recorded", PER_SECOND, taped, ratio(free, taped), "steps, not recorded", around),
        Row("calls, not recorded", PER_SECOND, calls, ratio(aimed, calls), f"the aim, {CALLS_AIMED:,} /s",
            f"{per_call:.1f} steps a call, {number(median(free) * 1e6)} µs a step"),
        Row("one recorded step", "µs", taped, ratio(taped, [STEP_AIMED] * len(taped)), "the aim, 50 µs", around),
    ]  # fmt: skip
