"""A file: its page cache over its block list, block by block, between its two sizes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from khosim.run.history import History
from khosim.show.picture import EMPTY, SIZES, Verdict
from khosim.show.plot.marks import box, comb, hatch
from khosim.show.plot.scene import Mask, Scene, ranges, runs, scene, spans
from khosim.show.plot.sheet import GUTTER, Drawing, Sheet
from khosim.show.text import VERDICT_WORDS, sizes_line
from khosim.state.mem_map import PG_dirty, PG_uptodate
from khosim.state.phys import FRESH
from khosim.state.snapshot import Snapshot

__all__ = ["SLOTS", "file"]

PITCH, SLOT, BAND, COLUMNS = 28, 24, 104, 16
AXIS, RULER, CACHE, BLOCKS, MIRROR = 9, 22, 30, 56, 88
CELLS = 64
FEW = 8
SLOTS: dict[Verdict, tuple[str, str, float, tuple[float, ...]]] = {
    Verdict.HELD: ("file-wash", "file", 1, ()),
    Verdict.STALE: ("bad-wash", "bad", 2, (3, 2)),
    Verdict.DISAGREE: ("bad-wash", "bad", 2, (3, 2)),
    Verdict.UNLISTED: ("", "bad", 1.5, (2, 2)),
}
"""Verdict -> form of the block list's slot, as `memory.FORMS`; any other listed block is in agreement."""
AGREES = ("file-wash", "", 1.0, ())


def file(
    ax: Axes, of: Snapshot | History, t: int | None = None, *, file: str | None = None, dark: bool = False
) -> Drawing:
    """Draw a file on `ax`: its page cache over its block list, 16 blocks a row, and both sizes as lines.

    A file of more than 64 blocks is one row of runs. Arguments and errors are those of `memory`. The artists are
    named "cached", "swapped", and after the verdicts of the block list.
    """
    seen = scene(of, t, file, dark=dark)
    used = np.flatnonzero((seen.drawn["cache"] != -1) | (seen.drawn["blocks"] >= 0))
    longest = max(0, int(seen.drawn["sizes"][:2].max()))
    count = max(int(used[-1]) + 1 if used.size else 1, -(-longest // seen.snapshot.page_size))
    rows = -(-count // COLUMNS)
    sheet = Sheet(ax, (rows if count <= CELLS else 1) * BAND, seen.colours)
    for band in _bands(sheet, seen, count):
        _axis(band)
        _cache(band)
        _blocks(band)
        _sizes(band)
    return sheet.drawing(_alt(seen), seen.snapshot.digest)


class _Band(NamedTuple):
    """Blocks `base` to `end` side by side, `pitch` pixels each; too narrow for cells, runs of them are bars."""

    sheet: Sheet
    seen: Scene
    top: float
    base: int
    end: int
    pitch: float
    last: bool

    @property
    def cells(self) -> bool:
        return self.pitch == PITCH

    def x(self, block: float) -> float:
        """The left edge of a block, held within the band."""
        return GUTTER + (min(max(block, self.base), self.end) - self.base) * self.pitch

    def size(self, name: str) -> tuple[int, float]:
        """One of `SIZES` in bytes, and where it ends."""
        size = int(self.seen.drawn["sizes"][SIZES.index(name)])
        return size, self.x(max(0, size) / self.seen.snapshot.page_size)

    def spots(self, mask: Mask) -> list[tuple[int, float, float]]:
        """Block, left edge and width of every cell that a mask marks; of every run where there are no cells."""
        found = [(a, b) for a, b in spans(mask) if self.base <= a < self.end or a < self.base < b]
        if not self.cells:
            return [(a, self.x(a), max(1, (b - a) * self.pitch)) for a, b in found]
        return [(i, self.x(i) + 1, PITCH - 2) for a, b in found for i in range(max(a, self.base), min(b, self.end))]


def _bands(sheet: Sheet, seen: Scene, count: int) -> Iterator[_Band]:
    pages = seen.drawn["cache"].size
    if count > CELLS:
        yield _Band(sheet, seen, 0, 0, min(count, pages), COLUMNS * PITCH / min(count, pages), last=True)
        return
    for base in range(0, count, COLUMNS):
        end = min(base + COLUMNS, pages)
        yield _Band(sheet, seen, base // COLUMNS * BAND, base, end, PITCH, last=base + COLUMNS >= count)


def _axis(band: _Band) -> None:
    sheet, step = band.sheet, 1 if band.cells else max(1, (band.end - band.base) // 8)
    for i in range(band.base, band.end - step // 2, step):
        sheet.text("axis", band.x(i) + min(PITCH, band.pitch) / 2, band.top + AXIS, i)
    sheet.text("axis", GUTTER - 8, band.top + AXIS, "block", ha="right")
    for y, words, name in ((CACHE, ("page", "cache"), "i_size"), (BLOCKS, ("block", "list"), "kho_i_size")):
        for line, word in enumerate(words):
            sheet.text("axis", GUTTER - 8, band.top + y + 7 + 11 * line, word, ha="right")
        x, foot = band.size(name)[1], band.top + y + SLOT - 0.5
        sheet.paths("ground", [box(GUTTER, band.top + y, x - GUTTER, SLOT, 0)] if x > GUTTER else [], "wash", z=0.5)
        sheet.lines("base", [((x, foot), (band.x(band.end), foot))], "line", z=0.5)


def _cache(band: _Band) -> None:
    """The page cache: solid with its frame's number, an outline where not uptodate, a pill for what is swapped out."""
    sheet, cache, y = band.sheet, band.seen.drawn["cache"], band.top + CACHE
    flags, there = band.seen.drawn["flags"][np.maximum(cache, 0)], cache >= 0
    full, fresh = there & ((flags & PG_uptodate) != 0), there & ((flags & PG_uptodate) == 0)
    corners = 3 if band.cells else 0
    sheet.paths("cached", [box(x, y + 0.5, w, SLOT - 1, corners) for _, x, w in band.spots(full)], "file")
    outlines = [box(x, y + 0.5, w, SLOT - 1, corners) for _, x, w in band.spots(fresh)]
    sheet.paths("not uptodate", outlines, "paper", "file", width=2)
    pills = [box(x, y + 0.5, w, SLOT - 1, 12) for _, x, w in band.spots(cache < EMPTY)]
    sheet.paths("swapped", pills, "", "file", width=1.5)
    if not band.cells:
        return
    for i, x, w in band.spots(there | (cache < EMPTY)):
        words = f"{cache[i]:02x}" if there[i] else f"s{-cache[i] - 2}"
        sheet.text(
            "frame",
            x + w / 2,
            y + SLOT / 2,
            words,
            "on-file" if full[i] else "file",
            mono=True,
            bold=True,
            halo="file" if full[i] else "",
        )
        if fresh[i]:
            sheet.lines("poison", comb(x + 5, y + SLOT - 3, w - 10, FRESH), "file", width=1.5, z=3)
        elif there[i] and flags[i] & PG_dirty:
            bar = [((x + w / 2 - 5, y + SLOT - 4), (x + w / 2 + 5, y + SLOT - 4))]
            sheet.lines("dirty", bar, "on-file", width=1.5, z=3)


def _blocks(band: _Band) -> None:
    """The block list: the frame that each block names, in the form of what is true of it."""
    sheet, drawn, y = band.sheet, band.seen.drawn, band.top + BLOCKS
    verdict, named = drawn["verdict"], drawn["blocks"] >= 0
    corners = 3 if band.cells else 0
    for code in Verdict:
        mask = (verdict == code) & (named | (code == Verdict.UNLISTED))
        spots = band.spots(mask)
        fill, edge, width, dash = SLOTS.get(code, AGREES)
        shapes = [box(x, y + 0.5, w, SLOT - 1, corners) for _, x, w in spots]
        sheet.paths(VERDICT_WORDS[code], shapes, fill, edge, width=width, dash=dash)
        if code == Verdict.HELD:
            lines = [line for _, x, w in spots for line in hatch(x, y, w, SLOT, 6)]
            sheet.lines("hatch", lines, "file", width=1.25, alpha=0.55)
        if edge == "bad" and fill:
            lines = [((x + 3, y + 3), (x + w - 3, y + SLOT - 3)) for _, x, w in spots]
            sheet.lines("strike", lines, "bad", width=1.25)
        for i, x, w in spots if band.cells else []:
            words = f"{drawn['blocks'][i]:02x}" if named[i] else "-"
            sheet.text("frame", x + w / 2, y + SLOT / 2, words, edge or "file", mono=True, bold=True, halo=fill)
    if (verdict == Verdict.UNKNOWN).any():
        words = VERDICT_WORDS[Verdict.UNKNOWN]
        sheet.text("frame", GUTTER, y + SLOT / 2, words, ha="left")


def _sizes(band: _Band) -> None:
    """Both sizes as lines with their value, and the end of the file through both strips: a jog where they differ."""
    (size, a), (mirror, b) = band.size("i_size"), band.size("kho_i_size")
    a, b = (a if size >= 0 else b), (b if mirror >= 0 else a)
    agree = size < 0 or mirror < 0 or size == mirror
    high, low, seam = band.top + RULER, band.top + MIRROR, band.top + BLOCKS - 1
    for value, x, y, name in ((size, a, high, "i_size"), (mirror, b, low, "kho i_size")):
        if value < 0:
            continue
        band.sheet.lines("size", [((GUTTER, y - 3), (GUTTER, y + 3)), ((GUTTER, y), (x, y))], "ink2")
        words, ends_here = f"{name} {value}", x < band.x(band.end) or band.last
        width = 6.4 * len(words)
        room = x - GUTTER > width + 24
        middle = x - 10 - width / 2 if room else x + 8 + width / 2
        if ends_here:
            gap = [box(middle - width / 2 - 4, y - 6, width + 8, 12, 0)] if room else []
            band.sheet.paths("break", gap, "paper", z=2.5)
            band.sheet.text("size", middle, y, words)
    start, end = high if size >= 0 else seam, low if mirror >= 0 else seam
    if max(a, b) < band.x(band.end) or agree:
        colour, width = ("ink", 1.5) if agree else ("bad", 2)
        points = [(a, start - 5 * (size >= 0)), (a, seam), (b, seam), (b, end + 5 * (mirror >= 0))]
        band.sheet.lines("end of file", list(itertools.pairwise(points)), colour, width=width, z=3)


def _alt(seen: Scene) -> str:
    """Both sizes, then what is true of each run of blocks that is not empty."""
    drawn, parts = seen.drawn, []
    for first, end, code in runs(drawn["verdict"]):
        if code in (Verdict.HOLE, Verdict.UNKNOWN):
            continue
        one, cache, blocks = end - first == 1, drawn["cache"][first:end], drawn["blocks"][first:end]
        where = np.zeros(drawn["role"].size, bool)
        where[[n for n in {*cache.tolist(), *blocks.tolist()} if 0 <= n < where.size]] = True
        frames = f" (frame{'s' * int(where.sum() > 1)} {ranges(where)})" if where.any() else ""
        name = f"block {first}" if one else f"blocks {first} to {end - 1}"
        parts.append(f"{name} {VERDICT_WORDS[Verdict(code)]}{frames}")
    more = f"; and {len(parts) - FEW} more runs" if len(parts) > FEW else ""
    told = "; ".join(parts[:FEW]) + more if parts else "page cache and block list are empty"
    return f"File {sizes_line(drawn, seen.file)}{seen.when}; {told}." if seen.file else "No file."
