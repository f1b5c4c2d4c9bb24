"""Recorded against simulated, field by field of one step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["LEVELS", "MASKED_FIELDS", "Simulated", "differences"]

LEVELS = ("results", "state", "events")
NOT_RESULTS = ("n", "op", "state", "noop")
MASKED_FIELDS = ("st", "frame_now", "ref", "runs", "mismatch")
"""Of a block, and only from a run's first stale block on: they tell which frame the recorded allocator reused.

From there on the bytes of a page that came back from a frame of the recorder's own program (see `heap`) are left out
too: `runs` of that page, and of what is read while the file has one.
"""
Found = tuple[str, Any, Any]
"""A field's name, what was recorded, what was simulated."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What the model did in one step; `tainted` are the indexes of pages that came back from foreign frames."""

    results: dict[str, Any]
    state: dict[str, Any]
    events: list[list[Any]]
    stale: bool
    tainted: set[int]


def differences(step: dict[str, Any], ours: Simulated) -> Iterator[tuple[str, str, Any, Any]]:
    """(level, field, recorded, simulated) of all that differs in one step."""
    for level, compare in (("results", _results), ("state", _states), ("events", _events)):
        for name, recorded, simulated in compare(step, ours):
            yield level, name, recorded, simulated


def _results(step: dict[str, Any], ours: Simulated) -> Iterator[Found]:
    for name in sorted({*step, *ours.results} - {*NOT_RESULTS}):
        recorded, simulated = step.get(name, "nothing"), ours.results.get(name, "nothing")
        if name == "kmsg":
            recorded, simulated = _kmsg(recorded), _kmsg(simulated)
        if name == "runs" and ours.stale and ours.tainted:
            continue
        if recorded != simulated:
            yield name, recorded, simulated


def _states(step: dict[str, Any], ours: Simulated) -> Iterator[Found]:
    seen = {name: value for name, value in step["state"].items() if name not in ("ev", "evlost")}
    for name in sorted({*seen, *ours.state}):
        recorded, simulated = seen.get(name, "nothing"), ours.state.get(name, "nothing")
        if isinstance(recorded, list) and isinstance(simulated, list) and name in ("cache", "blocks"):
            yield from _rows(name, recorded, simulated, ours)
        elif recorded != simulated:
            yield name, recorded, simulated


def _events(step: dict[str, Any], ours: Simulated) -> Iterator[Found]:
    recorded, events = step["state"].get("ev", []), ours.events
    if "evlost" in step["state"]:
        events = events[: len(recorded)]
    if recorded != events:
        first = next((i for i, (a, b) in enumerate(zip(recorded, events, strict=False)) if a != b), None)
        at = min(len(recorded), len(events)) if first is None else first
        yield f"ev[{at}]", recorded[at : at + 3], events[at : at + 3]


def _rows(name: str, recorded: list[Any], simulated: list[Any], ours: Simulated) -> Iterator[Found]:
    """Compare page cache or block list, row by row."""
    new = {row["i"]: row for row in simulated}
    old = {row["i"]: row for row in recorded}
    for index in sorted({*new, *old}):
        a, b = old.get(index), new.get(index)
        if a is None or b is None:
            yield f"{name}[{index}]", a, b
            continue
        masked: tuple[str, ...] = ()
        if ours.stale:
            masked = MASKED_FIELDS if name == "blocks" else ("runs",) if index in ours.tainted else ()
        for key in sorted({*a, *b} - {*masked}):
            was, now = a.get(key), b.get(key)
            if key == "runs" and was and now and was[-1][1] == -1:  # the recorder left the rest out
                now = [*now[: len(was) - 1], [len(now) - len(was) + 1, -1]]
            if was != now:
                yield f"{name}[{index}].{key}", was, now


def _kmsg(lines: Any) -> list[str]:
    """Kernel log lines without what differs from build to build: addresses, line numbers, processes."""
    return [words for line in lines if (words := _words(line))] if isinstance(lines, Iterable) else []


def _words(line: str) -> str:
    where = re.search(r"WARNING: .*?(\w+/\w+\.c)", line)
    if where:
        return "WARNING " + where[1]
    if line.startswith("BUG: Bad page state"):
        return "BUG: Bad page state"
    if line.startswith("page dumped because"):
        return ""  # our complaint has the reason in its first line
    return "Memory failure" if line.startswith("Memory failure") else line
