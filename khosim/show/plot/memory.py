"""Physical memory: every frame by its owner, in the colours and with the marks of the stepper."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes

from khosim.run.history import History
from khosim.show.owners import Role
from khosim.show.picture import Verdict
from khosim.show.plot.many import dots, shares
from khosim.show.plot.marks import Segment, box, comb, corner, hatch, octagon
from khosim.show.plot.scene import Scene, ranges, scene
from khosim.show.plot.sheet import GUTTER, Drawing, Sheet
from khosim.show.runs import Row
from khosim.show.text import ROLE_WORDS, VERDICT_WORDS
from khosim.state.phys import FREED, FRESH
from khosim.state.snapshot import Snapshot

__all__ = ["FORMS", "LETTERS", "memory"]

FORMS: dict[Role, tuple[str, str, float, tuple[float, ...]]] = {
    Role.FREE: ("wash", "", 1, ()),
    Role.KERNEL: ("os", "", 1, ()),
    Role.SCRATCH: ("", "line", 1, ()),
    Role.FDT: ("kho-wash", "kho", 1.25, ()),
    Role.BITMAP: ("kho-wash", "kho", 1.25, ()),
    Role.INODE: ("kho-wash", "kho", 1.25, ()),
    Role.CACHED: ("file", "", 1, ()),
    Role.FRESH: ("paper", "file", 2, ()),
    Role.HELD: ("file-wash", "file", 1, ()),
    Role.STALE: ("bad-wash", "bad", 2, (3, 2)),
    Role.OTHER: ("os", "", 1, ()),
    Role.UNCLAIMED: ("", "line", 1, (1, 3)),
}
"""Role -> tokens of fill and edge, width of the edge and its dashes in pixels: those of the stepper's stylesheet."""
LETTERS = {Role.FDT: "F", Role.BITMAP: "B", Role.INODE: "I"}
INK = {Role.CACHED: ("on-file", ""), Role.FRESH: ("file", "paper"), Role.HELD: ("file", "file-wash"),
       Role.STALE: ("bad", "bad-wash")}  # fmt: skip
KEY = (("cached", Role.CACHED), ("held", Role.HELD), ("KHO", Role.INODE), ("kernel", Role.KERNEL),
       ("scratch", Role.SCRATCH), ("stale", Role.STALE), ("PFN bit", Role.FREE))  # fmt: skip
CELLS, DOTS = 256, 8192
PITCH, CELL, TOP, FOOT = 28, 24, 20, 24


def memory(
    ax: Axes, of: Snapshot | History, t: int | None = None, *, file: str | None = None, dark: bool = False
) -> Drawing:
    """Draw physical memory on `ax`, as the stepper does: a cell a frame to 256, then runs, past 8,192 shares.

    `of` is a snapshot, or a history at its step `t` (None: the last); `file` names the file that is seen as blue
    (None: the first). The artists are named by role. Raises `UsageError` for a step the history does not have.
    """
    seen = scene(of, t, file, dark=dark)
    frames = seen.drawn["role"].size
    if frames <= CELLS:
        sheet = Sheet(ax, TOP + -(-frames // 16) * PITCH + FOOT, seen.colours)
        _cells(sheet, seen)
    elif frames <= DOTS:
        sheet = dots(ax, seen)
    else:
        sheet = shares(ax, seen)
    return sheet.drawing(_alt(seen), seen.snapshot.digest)


def _cells(sheet: Sheet, seen: Scene) -> None:
    """A cell a frame: its form and colour by owner, in it the block it holds, and the corner of its PFN bit."""
    drawn = seen.drawn
    for code in Role:
        _owner(sheet, code, [_place(n) for n in np.flatnonzero(drawn["role"] == code).tolist()], CELL)
    for n, label, code in _labels(drawn["role"], drawn["holds"]):
        x, y = _place(n)
        colour, halo = INK.get(code, ("kho", ""))
        sheet.text("label", x + CELL / 2, y + CELL / 2, label, colour, bold=True, halo=halo)
    for n, code, byte in _paint(drawn["role"], drawn["poison"], seen.snapshot.page_size):
        x, y = _place(n)
        colour = "bad" if code == Role.STALE else "file"
        sheet.lines("poison", comb(x + CELL / 6, y + CELL - 3, CELL * 2 / 3, byte), colour, width=1.5, z=3)
    bits = [corner(*_place(n), CELL) for n in np.flatnonzero(drawn["bit"]).tolist()]
    sheet.paths("PFN bit", bits, "ink", "paper", width=0.75, z=3)
    _axis(sheet, drawn["role"].size)
    _key(sheet, sheet.height - 16)


def _place(n: int) -> tuple[float, float]:
    """The top left corner of a frame's cell."""
    return GUTTER + n % 16 * PITCH + (PITCH - CELL) / 2, TOP + n // 16 * PITCH


def _owner(sheet: Sheet, code: Role, places: list[tuple[float, float]], s: float, prefix: str = "") -> None:
    """Cells of side `s` in the form of their owner."""
    fill, edge, width, dash = FORMS[code]
    shapes = [octagon(x + 0.5, y + 0.5, s - 1) if code in LETTERS else box(x + 0.5, y + 0.5, s - 1, s - 1)
              for x, y in places]  # fmt: skip
    sheet.paths(prefix + ROLE_WORDS[code], shapes, fill, edge, width=width, dash=dash)
    if code == Role.SCRATCH:
        thirds = (s / 3, 2 * s / 3)
        dots = [box(x + a - 1, y + b - 1, 2, 2, 1) for x, y in places for a in thirds for b in thirds]
        sheet.paths(prefix + "dots", dots, "ink2")
    name, lines, colour, alpha = _strokes(code, places, s)
    sheet.lines(prefix + name, lines, colour, width=1.25, alpha=alpha)


def _strokes(code: Role, places: list[tuple[float, float]], s: float) -> tuple[str, list[Segment], str, float]:
    """The lines that tell an owner without its colour: name, lines, token, opacity."""
    c, arm = s / 2, s / 6
    if code == Role.HELD:
        return "hatch", [line for x, y in places for line in hatch(x, y, s, s, max(3, s / 4))], "file", 0.55
    if code == Role.STALE:
        return "strike", [((x + 3, y + 3), (x + s - 3, y + s - 3)) for x, y in places], "bad", 1
    if code == Role.KERNEL:
        return "dash", [((x + c - arm, y + c), (x + c + arm, y + c)) for x, y in places], "ink2", 0.75
    if code == Role.OTHER:
        return "dash", [((x + c, y + c - arm), (x + c, y + c + arm)) for x, y in places], "ink2", 0.75
    return "", [], "ink2", 1


def _key(sheet: Sheet, y: float) -> None:
    """One quiet line: what the forms mean."""
    x = float(GUTTER)
    for words, code in KEY:
        _owner(sheet, code, [(x, y)], 14, "key: ")
        if words == "PFN bit":
            sheet.paths("key: PFN bit", [corner(x, y, 14)], "ink", "paper", width=0.75, z=3)
        sheet.text("key", x + 19, y + 7, words, ha="left", size=9)
        x += 32 + 6 * len(words)


def _labels(role: Row, holds: Row) -> Iterator[tuple[int, str, Role]]:
    """What stands in a cell: KHO's letter, or the block that a frame of this file holds."""
    for n, (code, block) in enumerate(zip(role.tolist(), holds.tolist(), strict=True)):
        if code in LETTERS:
            yield n, LETTERS[Role(code)], Role(code)
        elif code in INK and block >= 0:
            yield n, str(block), Role(code)


def _paint(role: Row, poison: Row, size: int) -> Iterator[tuple[int, Role, int]]:
    """Frames whose bytes are paint: a stale one all freed, one of the file's for a quarter or more still fresh."""
    for n, (code, count) in enumerate(zip(role.tolist(), poison.tolist(), strict=True)):
        if code == Role.STALE and count == size:
            yield n, Role.STALE, FREED
        elif code in (Role.CACHED, Role.FRESH, Role.HELD) and 4 * count >= size:
            yield n, Role(code), FRESH


def _axis(sheet: Sheet, frames: int) -> None:
    digits = max(2, len(f"{frames - 1:x}"))
    for column in range(16):
        sheet.text("axis", GUTTER + (column + 0.5) * PITCH, TOP - 10, f"{column:x}", mono=True)
    for row in range(-(-frames // 16)):
        sheet.text("axis", GUTTER - 8, TOP + row * PITCH + CELL / 2, f"{16 * row:0{digits}x}", ha="right", mono=True)


def _alt(seen: Scene) -> str:
    role, bits = seen.drawn["role"], seen.drawn["bit"] > 0
    owners = [(role == code, words) for code, words in ROLE_WORDS.items()]
    parts = [f"{count} {words}" + (f" ({ranges(mask)})" if words != "free" else "")
             for mask, words in owners if (count := int(mask.sum()))]  # fmt: skip
    lost = (seen.drawn["verdict"] == Verdict.UNKNOWN).any()
    none = VERDICT_WORDS[Verdict.UNKNOWN] if lost else "none"
    marked = f"{int(bits.sum())} set ({ranges(bits)})" if bits.any() else none
    return f"Memory of {role.size} frames{seen.when}: {', '.join(parts)}. PFN bits: {marked}."
