"""What is to be drawn: one moment of a machine, seen from one file, and the words for its places."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from khosim.run.history import History
from khosim.show.frame import file_of
from khosim.show.given import a_moment
from khosim.show.lamps import rails
from khosim.show.owners import Role, kho_inodes, name_of
from khosim.show.palette import Palette, palette, soft
from khosim.show.picture import Picture, Verdict, picture
from khosim.show.runs import Row
from khosim.state.snapshot import Snapshot

__all__ = ["WRONG", "Mask", "Scene", "ranges", "runs", "scene", "spans"]

WRONG = (Verdict.UNLISTED, Verdict.DISAGREE, Verdict.STALE)
FEW = 6
Mask = NDArray[np.bool_]


class Scene(NamedTuple):
    """One moment to draw. `when` is " after step 12", or "" where the time is not known."""

    snapshot: Snapshot
    file: str
    drawn: Picture
    when: str
    colours: Palette


def scene(of: Snapshot | History, t: int | None, file: str | None, *, dark: bool) -> Scene:
    """Return a snapshot, or the moment `t` of a history (None: its last), as what is to be drawn.

    `file` None is the first KHO file, else the first file. Raises `UsageError` for a `t` outside the history, and for
    what is neither.
    """
    colours = palette(dark=dark)
    if isinstance(of, Snapshot):
        name = _file_in(of) if file is None else file
        return Scene(of, name, picture(of, name), "", colours)
    if not hasattr(of, "moments"):
        a_moment("a drawing", of)
    at = len(of) - 1 if t is None else t
    snapshot, name = of.seek(at), file_of(of) if file is None else file
    drawn, at = picture(snapshot, name), at % len(of)
    if np.isin(drawn["verdict"], WRONG).any() or (drawn["role"] == Role.STALE).any():
        rail = list(rails(of))[at]
        colours = soft(colours) if rail.pending and not rail.bad else colours
    return Scene(snapshot, name, drawn, f" after step {at}" if at else " before the first step", colours)


def _file_in(snapshot: Snapshot) -> str:
    inode = snapshot.arrays["inode"]
    used = np.flatnonzero(inode["used"]).tolist()
    preserved = [name_of(snapshot, ino) for ino in used if inode["kho"][ino]]
    return [*preserved, *kho_inodes(snapshot), *(name_of(snapshot, ino) for ino in used), ""][0]


def runs(row: Row | Mask) -> list[tuple[int, int, int]]:
    """Return the runs of equal values in a row: (first, end, value), in order."""
    if not row.size:
        return []
    edges = [0, *(np.flatnonzero(row[1:] != row[:-1]) + 1).tolist(), row.size]
    return [(a, b, int(row[a])) for a, b in itertools.pairwise(edges)]


def spans(where: Mask) -> list[tuple[int, int]]:
    """Return the runs that a mask marks: (first, end)."""
    return [(a, b) for a, b, marked in runs(where) if marked]


def ranges(where: Mask) -> str:
    """Return the frames that a mask marks as the transcript does, 0x10-0x12 0x20; of many runs, the first few."""
    found = spans(where)
    shown = [f"{a:#x}" if a + 1 == b else f"{a:#x}-{b - 1:#x}" for a, b in found[:FEW]]
    return " ".join(shown) + (f" and {len(found) - FEW} more" if len(found) > FEW else "")
