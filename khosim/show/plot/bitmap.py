"""The PFN bitmap: a row is a 64-bit word, bit 0 at the left."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from khosim.run.history import History
from khosim.show.picture import Verdict
from khosim.show.plot.marks import box
from khosim.show.plot.scene import Scene, ranges, scene
from khosim.show.plot.sheet import GUTTER, Drawing, Sheet
from khosim.show.runs import Row
from khosim.show.text import VERDICT_WORDS
from khosim.state.snapshot import Snapshot

__all__ = ["bitmap"]

BITS, BIT, TOP = 64, 7, 20
TALLEST = 64  # rows; of more words, a square stands for several bits in a row
LEVELS = 4


def bitmap(
    ax: Axes, of: Snapshot | History, t: int | None = None, *, file: str | None = None, dark: bool = False
) -> Drawing:
    """Draw the PFN bitmap on `ax`: 64 bits a row, ink where the bit is set.

    Of more than 64 words a square is several bits, the darker the more of them are set. Arguments and errors are
    those of `memory`. The artists are "set" and "clear".
    """
    seen = scene(of, t, file, dark=dark)
    bits = seen.drawn["bit"]
    per = -(-bits.size // (BITS * TALLEST))
    padded = np.zeros(-(-bits.size // (BITS * per)) * BITS * per, np.int64)
    padded[: bits.size] = bits
    share = padded.reshape(-1, per).mean(axis=1)
    sheet = Sheet(ax, TOP + share.size // BITS * (BIT + 1) + 4, seen.colours)
    _squares(sheet, share, -(-bits.size // per))
    _axis(sheet, per, share.size // BITS, bits.size)
    return sheet.drawing(_alt(seen, bits), seen.snapshot.digest)


def _squares(sheet: Sheet, share: Row, count: int) -> None:
    """A square for each bit there is; shares are told in `LEVELS` depths of ink, and one bit is never nothing."""
    depth = np.ceil(share[:count] * LEVELS).astype(np.int64)
    for level in range(LEVELS + 1):
        places = np.flatnonzero(depth == level).tolist()
        paths = [box(GUTTER + n % BITS * BIT, TOP + n // BITS * (BIT + 1), BIT - 1, BIT, 1) for n in places]
        name = "set" if level == LEVELS else "some set" if level else "clear"
        sheet.paths(name, paths, "ink" if level else "wash", alpha=level / LEVELS if level else 1)


def _axis(sheet: Sheet, per: int, rows: int, bits: int) -> None:
    for bit in (*range(0, BITS, 8), *[BITS - 1] * (per == 1)):
        sheet.text("axis", GUTTER + (bit + 0.5) * BIT, TOP - 8, bit * per, size=9)
    digits = max(2, len(f"{bits - 1:x}"))
    for row in range(0, rows, max(1, rows // 16)):
        y = TOP + row * (BIT + 1) + BIT / 2
        sheet.text("axis", GUTTER - 8, y, f"{row * BITS * per:0{digits}x}", ha="right", mono=True, size=9)


def _alt(seen: Scene, bits: Row) -> str:
    words, on = -(-bits.size // BITS), bits > 0
    if (seen.drawn["verdict"] == Verdict.UNKNOWN).any():
        found = VERDICT_WORDS[Verdict.UNKNOWN]
    else:
        count = int(on.sum())
        found = f"{count} bit{'s' * (count != 1)} set ({ranges(on)})" if count else "no bit set"
    return f"PFN bitmap of {bits.size} frames, {words} word{'s' * (words > 1)} of 64 bits{seen.when}: {found}."
