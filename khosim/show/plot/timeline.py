"""A run at a glance: calls by CPU, kexecs, violations, and the life of every block."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from khosim.run.history import History
from khosim.show.frame import file_of, who
from khosim.show.given import a_recording
from khosim.show.lamps import Rail, rails, returns
from khosim.show.palette import Palette, palette
from khosim.show.picture import Verdict, picture
from khosim.show.plot.marks import box
from khosim.show.plot.scene import WRONG
from khosim.show.plot.sheet import GUTTER, WIDTH, Drawing, Sheet
from khosim.show.text import VERDICT_WORDS

__all__ = ["LINES", "Life", "Violation", "lives", "timeline", "violations"]

GAP, LANE, BAR, TAG = 12, 18, 16, 46
ROW, TALL = 6, 60
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
FEW, APART = 8, 30
LINES: dict[Verdict, tuple[str, float, tuple[float, ...]]] = {
    Verdict.CACHED: ("file", 2, ()),
    Verdict.FRESH: ("file", 2, (2, 2)),
    Verdict.HELD: ("file", 0.9, ()),
    Verdict.SWAPPED: ("file", 1.5, (1, 4)),
    **dict.fromkeys(WRONG, ("bad", 2.5, ())),
}
"""Verdict -> token, width and dashes of a block's line, in pixels."""


class Life(NamedTuple):
    """`block` was judged `verdict` from step `first` to step `last`."""

    block: int
    first: int
    last: int
    verdict: Verdict


class Violation(NamedTuple):
    """The invariant `name` was violated from step `first` to step `last`; `words` is what was wrong first."""

    name: str
    words: str
    first: int
    last: int


def lives(history: History, file: str, lamps: list[Rail]) -> list[Life]:
    """Return the life of every block that was ever used, by block and step; a kexec ends a run.

    What is wrong only within a call is no fault yet, so the run before goes on, as in the stepper.
    """
    told: dict[int, list[tuple[int, int, Verdict]]] = {}
    for moment, rail in zip(history, lamps, strict=True):
        soft = bool(rail.pending) and not rail.bad
        verdicts = picture(moment.snapshot, file)["verdict"]
        for index in np.flatnonzero((verdicts != Verdict.HOLE) & (verdicts != Verdict.UNKNOWN)).tolist():
            past, verdict = told.setdefault(index, []), Verdict(int(verdicts[index]))
            if soft and verdict in WRONG:
                before = past[-1] if past else None
                verdict = before[2] if before and before[0] == moment.t - 1 else Verdict.FRESH
            past.append((moment.t, moment.kernel, verdict))
    return [life for index in sorted(told) for life in _runs(index, told[index])]


def _runs(index: int, told: list[tuple[int, int, Verdict]]) -> Iterator[Life]:
    """Neighbouring steps of one kernel with one verdict, joined."""
    for (_, _, verdict), group in groupby(enumerate(told), key=lambda item: (item[1][0] - item[0], *item[1][1:])):
        steps = [t for _, (t, _, _) in group]
        yield Life(index, steps[0], steps[-1], verdict)


def violations(lamps: list[Rail]) -> list[Violation]:
    """Return when which invariant was violated, in order of appearance."""
    found: list[Violation] = []
    lit: dict[str, Violation] = {}
    for t, rail in enumerate(lamps):
        now = {words.split(":", maxsplit=1)[0]: words for words in reversed(rail.bad)}
        found += [lit.pop(name) for name in list(lit) if name not in now]
        for name, words in now.items():
            old = lit.get(name, Violation(name, words, t, t))
            lit[name] = old._replace(last=t)
    return sorted([*found, *lit.values()], key=lambda one: (one.first, one.name))


def timeline(ax: Axes, of: History, t: int | None = None, *, file: str | None = None, dark: bool = False) -> Drawing:
    """Draw a whole run on `ax`; with `t`, its playhead stands there. `file` None: the first KHO file, else the first.

    The artists are "call", "kexec", "violated", and the verdicts of blocks. Raises `UsageError` for a `t` outside.
    """
    a_recording("timeline", of)
    if t is not None:
        of.seek(t)
        t %= len(of)
    lamps = list(rails(of))
    wrong, found = violations(lamps), lives(of, file_of(of) if file is None else file, lamps)
    run = _Run(of, found, palette(dark=dark), ax)
    run.calls()
    run.blocks()
    run.wrong(wrong)
    run.time(t)
    return run.sheet.drawing(_alt(of, found, wrong), of.digest)


class _Run:
    """Where things lie: x by step, with a gap before each kexec; lanes of CPUs, then violations, blocks and time."""

    def __init__(self, history: History, found: list[Life], colours: Palette, ax: Axes) -> None:
        self.history, self.found, self.kexecs = history, found, history.kexecs
        tasks = {call.task for call in history.calls} | {m.task for m in history if m.step is not None}
        self.lanes = sorted(map(who, tasks))
        self.used = sorted({life.block for life in found})
        self.width = (WIDTH - GUTTER - GAP * len(self.kexecs) - 4) / len(history)
        self.band = max(1, len(self.lanes)) * LANE + 2
        self.top = self.band + 10
        self.pitch = min(ROW, TALL / max(1, len(self.used)))
        self.foot = self.top + max(14, self.pitch * len(self.used)) + 5
        self.sheet = Sheet(ax, self.foot + 22, colours)

    def x(self, t: int) -> float:
        """The left edge of step `t`."""
        return GUTTER + t * self.width + GAP * sum(k <= t for k in self.kexecs)

    def pieces(self, first: int, last: int) -> list[tuple[float, float]]:
        """From where to where the steps lie, cut at each kexec."""
        cuts = [first, *(k for k in self.kexecs if first < k <= last), last + 1]
        return [(self.x(a), self.x(b - 1) + self.width) for a, b in pairwise(cuts)]

    def calls(self) -> None:
        """Bars with the calls' names; a name that does not fit is dropped, never cut."""
        for lane, name in enumerate(self.lanes):
            self.sheet.text("axis", GUTTER - 8, lane * LANE + BAR / 2, name, ha="right")
        for call, last in zip(self.history.calls, returns(self.history), strict=True):
            y, pieces = self.lanes.index(who(call.task)) * LANE, self.pieces(call.first, last)
            self.sheet.paths("call", [box(a + 1, y, max(1, b - a - 2), BAR) for a, b in pieces], "wash")
            a, b = max(pieces, key=lambda piece: piece[1] - piece[0])
            fits = [words for words in (call.text, call.name) if 6.6 * len(words) + 10 < b - a]
            for words in fits[:1]:
                self.sheet.text("call name", a + 6, y + BAR / 2, words, ha="left", size=9.5)

    def blocks(self) -> None:
        """A line for each block, in the form of what was true of it."""
        for life in self.found:
            colour, width, dash = LINES[life.verdict]
            y = self.top + (self.used.index(life.block) + 0.5) * self.pitch
            segments = [((a, y), (b, y)) for a, b in self.pieces(life.first, life.last)]
            self.sheet.lines(VERDICT_WORDS[life.verdict], segments, colour, width=width, dash=dash)
        if self.used:
            one = len(self.used) == 1
            self.sheet.text("axis", GUTTER - 8, self.top + 4, "block" if one else "blocks", ha="right")
            words = f"{self.used[0]}" if one else f"{self.used[0]}-{self.used[-1]}"
            self.sheet.text("axis", GUTTER - 8, self.top + 15, words, ha="right")

    def wrong(self, found: list[Violation]) -> None:
        """A line with a cross from the first violated step to the last."""
        y = self.band + 4
        for one in found:
            x = self.x(one.first) + self.width / 2
            self.sheet.lines("violated", [((x, y), (self.x(one.last) + self.width, y))], "bad", width=2)
            cross = [((x - 3, y - 3), (x + 3, y + 3)), ((x - 3, y + 3), (x + 3, y - 3))]
            self.sheet.lines("violated", cross, "bad", width=2)

    def time(self, t: int | None) -> None:
        """Kexecs, ticks and numbers, and the playhead; a number that would overlap is dropped."""
        y, taken = self.foot + 9, []
        if t is not None:
            x = self.x(t) + self.width / 2
            self.sheet.lines("playhead", [((x, self.band - 1), (x, self.foot))], "now", width=2, z=3)
            self.sheet.paths("playhead", [box(x - 14, self.foot, 28, 18, 9)], "now", z=3.5)
            self.sheet.text("playhead", x, y, t, "paper", bold=True)
            taken.append((x - 16, x + 16))
        for k in self.kexecs:
            x = self.x(k) - GAP / 2
            self.sheet.lines("kexec", [((x, 0), (x, self.foot))], "ink", width=2, z=2.5)
            if _free(taken, x - TAG / 2, x + TAG / 2):
                self.sheet.paths("kexec", [box(x - TAG / 2, self.foot + 1, TAG, 16)], "ink", z=2.5)
                self.sheet.text("kexec", x, y, "KEXEC", "paper", bold=True, size=9)
        every = next((n for n in TICKS if n * self.width >= APART), TICKS[-1])
        for step in range(0, len(self.history), every):
            x, half = self.x(step) + self.width / 2, 4 + 3.5 * len(str(step))
            self.sheet.lines("tick", [((x, self.foot - 3), (x, self.foot + 1))], "line")
            if _free(taken, x - half, x + half):
                self.sheet.text("axis", x, y, step)


def _free(taken: list[tuple[float, float]], a: float, b: float) -> bool:
    """Whether nothing is between `a` and `b` yet; if so, now something is."""
    if any(a < d and c < b for c, d in taken):
        return False
    taken.append((a, b))
    return True


def _alt(history: History, found: list[Life], wrong: list[Violation]) -> str:
    """Title, kexecs, calls, violations and blocks, each with its steps."""
    ends = zip(history.calls, returns(history), strict=True)
    calls = [f"{who(call.task)} {call.name} {call.first}-{last}" for call, last in ends]
    blocks = [f"{index} " + ", then ".join(f"{VERDICT_WORDS[x.verdict]} {x.first}-{x.last}" for x in group)
              for index, group in groupby(found, key=lambda life: life.block)]  # fmt: skip
    bad = [f"{one.words}, {one.first}-{one.last}" for one in wrong]
    kexecs = [f"step {k}" for k in history.kexecs]
    parts = [("Kexec before", kexecs), ("Calls and their steps:", calls), ("Violated:", bad), ("Blocks:", blocks)]
    told = [f"{head} {_few(words)}." for head, words in parts if words]
    return " ".join([f"Timeline of {history.title}, {history.steps} steps.", *told, *["No violation."] * (not bad)])


def _few(words: list[str]) -> str:
    return "; ".join(words[:FEW]) + (f"; and {len(words) - FEW} more" if len(words) > FEW else "")
