"""Recorded ops a second, replayed on the simulated kernel and compared, file by file."""

from __future__ import annotations

from collections.abc import Sequence

from bench.table import PER_SECOND, Case, Effort, Row, interleave, ratio, say, shares
from khosim.conform.ops import Player
from khosim.conform.runs import RecordedRun, read_runs
from khosim.conform.verdict import judge_run
from khosim.errors import KernelFailure

__all__ = ["FILES", "measure"]

FILES = ("scenarios", "random", "huge")
OPS = 600
"""Recorded ops of a file that one round takes; they come from runs spread evenly over it."""


def measure(effort: Effort) -> list[Row]:
    """The rows of this section."""
    return [_file(name, effort) for name in FILES]


def _file(name: str, effort: Effort) -> Row:
    path = effort.traces / f"{name}.jsonl.gz"
    if not path.is_file():
        return Row(f"{name}: replayed", PER_SECOND, (), None, "", f"not measured: there is no {path.name}")
    say(f"  {name}")
    everything = list(read_runs(path))
    runs = everything[:: max(1, sum(len(run.steps) for run in everything) // effort.times(OPS))]
    ops = sum(judge_run(run).steps for run in runs)
    cases = {
        "boot": Case(lambda: _play(runs, 0), ops),
        "played": Case(lambda: _play(runs), ops),
        "dumped": Case(lambda: _play(runs, dump=True), ops),
        "judged": Case(lambda: [judge_run(run).steps for run in runs], ops),
    }
    found = interleave(cases, effort.rounds)
    judged, played = found["judged"], found["played"]
    parts = {
        "booting": found["boot"],
        "playing": _less(played, found["boot"]),
        "describing the state": _less(found["dumped"], played),
    }
    bound = f"{shares(judged, parts, 'comparing')} ({ops:,} ops of {len(runs)} runs)"
    return Row(f"{name}: replayed", PER_SECOND, judged, ratio(played, judged), "playing without comparing", bound)


def _less(some: Sequence[float], others: Sequence[float]) -> list[float]:
    return [max(0.0, a - b) for a, b in zip(some, others, strict=True)]


def _play(runs: list[RecordedRun], ops: int | None = None, *, dump: bool = False) -> None:
    """Play the first `ops` of each run (default: as many as were recorded), and compare nothing."""
    for run in runs:
        player = Player(run.script, kho=run.kho)
        try:
            for op in run.script[: len(run.steps) + 1 if ops is None else ops]:
                player.play(op)
                if dump:
                    player.state()
        except KernelFailure:
            continue
