"""How everything here is measured, and the table it goes into.

What is compared takes turns, round after round, so that whatever else this computer does falls on all alike. A ratio
is taken within each round; a row shows the medians.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

__all__ = ["PER_SECOND", "Case", "Effort", "Row", "interleave", "number", "ratio", "say", "shares", "text"]

PER_SECOND = "/s"
HEAD = ("measured", "median", "spread", "ratio", "to", "what bounds it")
WHOLE, TENTHS = 100, 10
PARTS = {"ms": 1e3, "µs": 1e6}


class Effort(NamedTuple):
    """How long to measure, and where the recorded runs lie. `share` of the usual repetitions, 0 to 1."""

    rounds: int
    share: float
    traces: Path

    def times(self, count: int) -> int:
        """`count` repetitions, cut down to the share; at least one."""
        return max(1, round(count * self.share))


class Case(NamedTuple):
    """Work to be timed, and how many items (steps, calls, copies) it does."""

    work: Callable[[], object]
    items: int


class Row(NamedTuple):
    """One line of the table. `seconds`: per item, one number a round; none if it could not be measured here.

    `unit` is `PER_SECOND`, "ms", "µs" or "bytes" (then `seconds` are bytes). `ratio` is that of the shown
    numbers to `to`.
    """

    name: str
    unit: str
    seconds: Sequence[float]
    ratio: float | None
    to: str
    bound: str

    @property
    def values(self) -> list[float]:
        """What was measured in each round, in the row's unit."""
        if self.unit == PER_SECOND:
            return [1 / value for value in self.seconds]
        return [value * PARTS.get(self.unit, 1) for value in self.seconds]

    @property
    def cells(self) -> tuple[str, ...]:
        """The line's words. Spread: half the distance from least to most, in percent of the median."""
        if not self.seconds:
            return (self.name, "-", "", "", "", self.bound)
        middle = median(self.values)
        spread = (max(self.values) - min(self.values)) / 2 / middle
        times = "" if self.ratio is None else f"{number(self.ratio)} x"
        return (self.name, f"{number(middle)} {self.unit}", f"{spread:.0%}", times, self.to, self.bound)

    @property
    def record(self) -> dict[str, Any]:
        """The line for a program to read."""
        middle = median(self.values) if self.seconds else None
        return {"name": self.name, "unit": self.unit, "median": middle, "rounds": self.values,
                "ratio": self.ratio, "to": self.to, "bound": self.bound}  # fmt: skip


def number(value: float) -> str:
    """At least two digits that mean something."""
    return f"{value:,.0f}" if value >= WHOLE else f"{value:.1f}" if value >= TENTHS else f"{value:.2g}"


def interleave(cases: Mapping[str, Case], rounds: int) -> dict[str, list[float]]:
    """Seconds per item of every case, one number a round, the order turned round each time.

    What the work returns is freed after the clock has stopped.
    """
    for case in cases.values():
        case.work()
    found: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(rounds):
        for name in list(cases)[:: -1 if turn % 2 else 1]:
            work, items = cases[name]
            gc.collect()
            start = perf_counter()
            made = work()
            found[name].append((perf_counter() - start) / items)
            del made
    return found


def ratio(some: Iterable[float], others: Iterable[float]) -> float:
    """How many times the one is the other: the median over the rounds."""
    return median(a / b for a, b in zip(some, others, strict=True))


def shares(whole: Sequence[float], parts: Mapping[str, Sequence[float]], rest: str) -> str:
    """Where the time of `whole` goes: each part's share of it, largest first, and what is left as `rest`."""
    found = {name: ratio(part, whole) for name, part in parts.items()}
    found[rest] = max(0.0, 1 - sum(found.values()))
    return ", ".join(f"{name} {found[name]:.0%}" for name in sorted(found, key=lambda name: -found[name]))


def text(sections: Mapping[str, Sequence[Row]]) -> str:
    """The table: Markdown, with columns that line up."""
    lines: list[tuple[str, ...]] = [HEAD]
    for title, rows in sections.items():
        lines += [(f"**{title}**", "", "", "", "", ""), *(row.cells for row in rows)]
    *widths, _ = (max(map(len, column)) for column in zip(*lines, strict=True))
    form = "| " + " | ".join(f"{{:{side}{width}}}" for side, width in zip("<>>><", widths, strict=True)) + " | {} |"
    rule = "|" + "|".join(["-" * (width + 2) for width in widths]) + "|---|"
    head, *body = (form.format(*line) for line in lines)
    return "\n".join([head, rule, *body])


def say(words: str) -> None:
    """Tell who waits what is going on."""
    print(words, file=sys.stderr, flush=True)
