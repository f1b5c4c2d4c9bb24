"""Memory of many frames: runs as bars, then shares; what is wrong is never averaged away."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.path import Path

from khosim.show.owners import Role
from khosim.show.plot.marks import Segment, box
from khosim.show.plot.scene import Scene, runs
from khosim.show.plot.sheet import GUTTER, WIDTH, Sheet
from khosim.show.runs import Row
from khosim.show.text import ROLE_WORDS

__all__ = ["dots", "shares"]

COLUMNS, DOT, LINE = 128, 3.5, 4
TOP, TALL, FOOT = 6, 56, 34
NAMED = 3  # stale frames that are named; of more, how many there are
BARS = {
    Role.KERNEL: "os", Role.OTHER: "os", Role.SCRATCH: "line", Role.FDT: "kho", Role.BITMAP: "kho", Role.INODE: "kho",
    Role.CACHED: "file", Role.FRESH: "file", Role.STALE: "bad",
}  # fmt: skip
SHARES: tuple[tuple[str, tuple[Role, ...], str], ...] = (
    ("kernel", (Role.KERNEL, Role.OTHER), "os"),
    ("KHO", (Role.FDT, Role.BITMAP, Role.INODE), "kho"),
    ("cached", (Role.CACHED, Role.FRESH), "file"),
    ("held", (Role.HELD,), "file-wash"),
    ("stale", (Role.STALE,), "bad"),
)


def dots(ax: Axes, seen: Scene) -> Sheet:
    """Draw runs of frames as bars, 128 frames a row; a held run is a hairline."""
    role = seen.drawn["role"]
    rows = -(-role.size // COLUMNS)
    sheet = Sheet(ax, TOP + rows * LINE + 8, seen.colours)
    sheet.paths("free", [box(GUTTER, TOP, COLUMNS * DOT, rows * LINE, 0)], "wash")
    bars: dict[Role, list[Path]] = {}
    held: list[Segment] = []
    for first, end, code in runs(role):
        for a, b in _rows(first, end):
            x, y, w = GUTTER + a % COLUMNS * DOT, TOP + a // COLUMNS * LINE, (b - a) * DOT - 0.75
            if code == Role.HELD:
                held.append(((x, y + LINE / 2), (x + w, y + LINE / 2)))
            elif code in BARS:
                bars.setdefault(Role(code), []).append(box(x, y, w, LINE - 1, 0))
    for owner, paths in bars.items():
        sheet.paths(ROLE_WORDS[owner], paths, BARS[owner])
    sheet.lines("held", held, "file")
    digits = len(f"{role.size - 1:x}")
    for row in range(0, rows, 8):
        sheet.text("axis", GUTTER - 8, TOP + row * LINE + 5, f"{row * COLUMNS:0{digits}x}", ha="right", mono=True)
    for n in np.flatnonzero(role == Role.STALE).tolist()[:NAMED]:
        _ring(sheet, GUTTER + (n % COLUMNS + 0.5) * DOT, TOP + n // COLUMNS * LINE + LINE / 2, f"stale, {n:#x}")
    return sheet


def _rows(first: int, end: int) -> Iterator[tuple[int, int]]:
    """A run, cut where a row of the picture ends."""
    while first < end:
        cut = min(end, (first // COLUMNS + 1) * COLUMNS)
        yield first, cut
        first = cut


def _ring(sheet: Sheet, x: float, y: float, words: str) -> None:
    sheet.paths("stale ring", [box(x - 6, y - 6, 12, 12, 6)], "", "bad", width=2, z=3)
    ha, aside = ("left", 11) if x < WIDTH * 2 / 3 else ("right", -11)
    sheet.text("stale label", x + aside, y, words, "bad", ha=ha, bold=True, halo="wash")


def shares(ax: Axes, seen: Scene) -> Sheet:
    """Draw 128 columns of equal ranges of frames; height is the share of each owner, free is the ground."""
    role, sheet = seen.drawn["role"], Sheet(ax, TOP + TALL + FOOT, seen.colours)
    edges = np.linspace(0, role.size, COLUMNS + 1).astype(np.int64)
    size, floor = np.diff(edges), np.full(COLUMNS, float(TOP + TALL))
    sheet.paths("free", [box(GUTTER, TOP, COLUMNS * DOT, TALL, 0)], "wash")
    for name, owners, colour in SHARES:
        counts = np.add.reduceat(np.isin(role, owners), edges[:-1])
        heights = np.where(counts > 0, np.maximum(1, counts / size * TALL), 0)
        floor = floor - heights
        used = np.flatnonzero(counts).tolist()
        sheet.paths(name, [box(GUTTER + c * DOT, floor[c], DOT - 0.75, heights[c], 0) for c in used], colour)
        if name == "held":
            tops = [((GUTTER + c * DOT, floor[c]), (GUTTER + (c + 1) * DOT - 0.75, floor[c])) for c in used]
            sheet.lines("held top", tops, "file", width=1.25)
    _foot(sheet, role, edges)
    return sheet


def _foot(sheet: Sheet, role: Row, edges: Row) -> None:
    """The first frame of every 32nd column, and below the stale frames, counted and the first one named."""
    for c in range(0, COLUMNS, 32):
        sheet.text("axis", GUTTER + c * DOT, TOP + TALL + 9, f"{edges[c]:#x}", ha="left", mono=True)
    stale = np.flatnonzero(role == Role.STALE)
    if stale.size:
        first, y = int(stale[0]), TOP + TALL + 24
        x = GUTTER + (int(np.searchsorted(edges, first, "right")) - 0.5) * DOT
        sheet.lines("stale cross", [((x - 4, y - 4), (x + 4, y + 4)), ((x - 4, y + 4), (x + 4, y - 4))], "bad", width=2)
        words = f"{stale.size} stale frame{'s' * (stale.size > 1)}, {first:#x}{' first' * (stale.size > 1)}"
        ha, aside = ("left", 9) if x < WIDTH * 2 / 3 else ("right", -9)
        sheet.text("stale label", x + aside, y, words, "bad", ha=ha, bold=True)
