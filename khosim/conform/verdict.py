"""Recorded against simulated: one run at a time, every field of every step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from khosim.conform.fields import LEVELS, Simulated, differences
from khosim.conform.ops import Player
from khosim.conform.player import Variants
from khosim.conform.runs import RecordedRun, read_runs
from khosim.errors import KernelFailure, KernelPanic, Livelock

__all__ = ["LEVELS", "Difference", "RunVerdict", "Tally", "judge_file", "judge_run"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field on which the two disagree."""

    run: str
    mode: str
    step: int
    op: str
    level: str
    field: str
    recorded: Any
    simulated: Any

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.run} ({self.mode}) step {self.step} `{self.op}` {self.field}: "
            f"recorded {_short(self.recorded)}, simulated {_short(self.simulated)}"
        )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 160 else text[:150] + " ..."  # noqa: PLR2004


@dataclass(slots=True)
class RunVerdict:
    """One run: which steps agree at each level, how many were masked, and every difference."""

    run: RecordedRun
    steps: int = 0
    agree: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))
    masked: int = 0
    differences: list[Difference] = field(default_factory=list)

    def agrees(self, level: str) -> bool:
        """Whether every step agrees at `level` and the levels before it."""
        wanted = LEVELS[: LEVELS.index(level) + 1]
        return not any(found.level in wanted for found in self.differences)


@dataclass(slots=True)
class Tally:
    """The sums over many runs."""

    level: str = "state"
    runs: int = 0
    runs_agree: int = 0
    steps: int = 0
    kho_steps: int = 0
    agree: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))
    masked: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(self, verdict: RunVerdict) -> None:
        """Count one run."""
        self.runs += 1
        self.runs_agree += verdict.agrees(self.level)
        self.steps += verdict.steps
        self.kho_steps += verdict.steps if verdict.run.kho else 0
        self.masked += verdict.masked
        self.differences += verdict.differences
        for level in LEVELS:
            self.agree[level] += verdict.agree[level]

    @property
    def ok(self) -> bool:
        """Whether all runs agree at the asked level."""
        return self.runs_agree == self.runs

    def __str__(self) -> str:
        """The closing line of `khosim conform`."""
        counts = "  ".join(f"{level} {self.agree[level]}/{self.steps}" for level in LEVELS)
        return f"runs {self.runs_agree}/{self.runs}  {counts}  masked {self.masked}"


def judge_file(path: Path) -> Iterator[RunVerdict]:
    """Judge every run of a file."""
    for run in read_runs(path):
        yield judge_run(run)


def judge_run(run: RecordedRun, variants: Variants | None = None) -> RunVerdict:
    """Play a run's script on the model and compare every step, and how it ended."""
    verdict = RunVerdict(run)
    player = Player(run.script, kho=run.kho, variants=variants)
    stale = False
    for n, op in enumerate(run.script):
        try:
            results = player.play(op)
        except KernelFailure as failure:
            _end(verdict, n, op, failure)
            return verdict
        if n >= len(run.steps):
            _end(verdict, n, op, None)
            return verdict
        state = player.state()
        stale = stale or any(_is_stale(block) for block in state.get("blocks", ()))
        verdict.steps += 1
        verdict.masked += stale
        seen = Simulated(results, state, player.witness.events, stale, player.tainted())
        found = [Difference(run.name, run.mode, n, op, *words) for words in differences(run.steps[n], seen)]
        verdict.differences += found
        for level in LEVELS:
            verdict.agree[level] += not any(difference.level == level for difference in found)
    return verdict


def _is_stale(block: dict[str, Any]) -> bool:
    return block["st"] in ("free", "other") or "frame_now" in block or "mismatch" in block


def _end(verdict: RunVerdict, n: int, op: str, failure: KernelFailure | None) -> None:
    """One of the two died in op `n`: see whether both did, of the same thing."""
    run = verdict.run
    recorded = _cause(run) if n == len(run.steps) and run.outcome != "ok" else None
    simulated = _failure(failure)
    verdict.steps += 1
    same = recorded is not None and simulated is not None and recorded in {simulated, "hang"}
    for level in LEVELS:
        verdict.agree[level] += same
    if not same:
        verdict.differences.append(
            Difference(run.name, run.mode, n, op, "results", "outcome", recorded or "goes on", simulated or "goes on")
        )


def _cause(run: RecordedRun) -> str:
    """What the recorded kernel died of, without addresses."""
    if run.panic.startswith("KHODBG LIVELOCK "):
        return "livelock: " + run.panic.removeprefix("KHODBG LIVELOCK ")
    if run.panic.startswith("Kernel mode fault at addr "):
        return "fault: " + run.panic.split(",")[0].rsplit(" ", 1)[-1]
    for line in run.console:
        where = re.search(r"BUG: failure at \S+/(\w+)\(\)", line)
        if where:
            return "bug: " + where[1]
    return "hang" if run.outcome == "hang" else "panic: " + run.panic


def _failure(failure: KernelFailure | None) -> str | None:
    """What the model died of, in the same words."""
    if failure is None:
        return None
    words = str(failure)
    if isinstance(failure, Livelock):
        return "livelock: " + words
    if isinstance(failure, KernelPanic) and words.startswith("Kernel mode fault"):
        return "fault: " + words.rsplit(" ", 1)[-1]
    where = re.search(r"in (\w+)\(\)", words)
    return "bug: " + where[1] if where else "panic: " + words
