"""What is drawn of one moment: a few rows of small integers, derived from a snapshot and nothing else.

All judgement is made here, once: whether a frame is held or stale, whether cache and block list agree. The
stepper, the transcript and the tables only look it up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from khosim.show.owners import Role, find_inode, find_kho, kho_inodes, owners
from khosim.show.runs import Row
from khosim.state.mem_map import PG_uptodate
from khosim.state.phys import FREED, FRESH
from khosim.state.pieces import Piece
from khosim.state.snapshot import Snapshot, opened

__all__ = ["BYTES_LIMIT", "PLANES", "SIZES", "Picture", "Verdict", "picture", "pictures"]

Picture = dict[str, Row]
"""The rows of one moment, by the names in `PLANES`; int64, -1 for "none"."""

PLANES = (
    "role",
    "holds",
    "bit",
    "poison",
    "flags",
    "refs",
    "maps",
    "cache",
    "blocks",
    "verdict",
    "sizes",
    "bytes",
)
SIZES = ("i_size", "kho_i_size", "nrpages", "alloced", "swapped", "ino")
EMPTY = -1  # a page cache slot with nothing in it; below are swap entries, -(slot + 2)
BYTES_LIMIT = 1 << 16  # machines with more memory than this are drawn without their bytes


class Seen(NamedTuple):
    """The moment drawn before: its pieces, what was `_fixed` in it, and its picture."""

    pieces: tuple[Piece, ...]
    fixed: tuple[object, ...]
    drawn: Picture


class Verdict(IntEnum):
    """What page cache and block list say of one block, together. UNKNOWN: there is a list, and nobody found it yet."""

    HOLE = 0
    CACHED = 1
    FRESH = 2
    HELD = 3
    SWAPPED = 4
    UNLISTED = 5
    DISAGREE = 6
    STALE = 7
    UNKNOWN = 8


OURS = (Role.CACHED, Role.FRESH, Role.HELD, Role.STALE)


def picture(snapshot: Snapshot, file: str) -> Picture:
    """Return the rows that are drawn of `snapshot`, seen from the file called `file` ("" for none).

    role holds bit poison flags refs maps: int64[frames]; cache blocks verdict: int64[file_pages];
    sizes: int64[6] in the order of `SIZES`; bytes: int64[frames * page_size], zero in frames of others.
    """
    return _picture(snapshot, file, None)


def pictures(snapshots: Iterable[Snapshot], file: str) -> Iterator[Picture]:
    """The picture of each moment of a run; rows in which no frame changed are the same objects as before."""
    last: Seen | None = None
    for snapshot in opened(snapshots):
        drawn = _picture(snapshot, file, last)
        last = Seen(snapshot.pieces, _fixed(snapshot) if snapshot.pieces else (), drawn)
        yield drawn


def _picture(snapshot: Snapshot, file: str, last: Seen | None) -> Picture:
    ino, kho = find_inode(snapshot, file), find_kho(snapshot, file)
    cache, blocks = _cache(snapshot, ino), _blocks(snapshot, kho)
    pfn = _suspects(snapshot, cache, blocks, last)
    page, phys = snapshot.arrays["page"][pfn], snapshot.arrays["phys"]
    put = partial(_put, last, pfn)
    flags = put("flags", _of_folio(snapshot, "flags", page, pfn))
    role = put("role", _roles(snapshot, cache, blocks, flags, pfn))
    nblocks = -1 if _lost(snapshot) else snapshot.config.nblocks if kho else 0
    return {
        "role": role,
        "holds": put("holds", _holds(snapshot.config.frames, cache, blocks)[pfn]),
        "bit": put("bit", snapshot.bits[pfn].astype(np.int64)),
        "poison": put("poison", _poison(phys[pfn], role[pfn])),
        "flags": flags,
        "refs": put("refs", _of_folio(snapshot, "refcount", page, pfn)),
        "maps": put("maps", page["mapcount"].astype(np.int64)),
        "cache": cache,
        "blocks": blocks,
        "verdict": _verdicts(cache, blocks, role, nblocks),
        "sizes": _sizes(snapshot, ino, kho),
        "bytes": _bytes(phys, role, _lost(snapshot)),
    }


def _put(last: Seen | None, pfn: Row, name: str, found: Row) -> Row:
    """The row of that name with what was found of the frames `pfn`; the row drawn before, if that says the same."""
    if last is None:
        return found
    row = last.drawn[name]
    if not np.array_equal(row[pfn], found):
        row = row.copy()
        row[pfn] = found
    return row


def _suspects(snapshot: Snapshot, cache: Row, blocks: Row, last: Seen | None) -> Row:
    """The frames that can look other than they did: all of them, unless the machine is large and goes on."""
    if last is None or not snapshot.pieces or _fixed(snapshot) != last.fixed:
        return np.arange(snapshot.config.frames)
    drawn, page, head = last.drawn, snapshot.changed("page", last.pieces), snapshot.arrays["page"]["head"]
    found = snapshot.changed("phys", last.pieces) | page | ((head >= 0) & page[head]) | (snapshot.bits != drawn["bit"])
    for row in (cache, blocks, drawn["cache"], drawn["blocks"]):
        found[row[(row >= 0) & (row < found.size)]] = True
    return np.flatnonzero(found)


def _fixed(snapshot: Snapshot) -> tuple[object, ...]:
    """What decides of whole ranges of frames whose they are."""
    places = snapshot.kernel_start, snapshot.scratch_start, snapshot.bitmap_phys, snapshot.fdt_phys
    return snapshot.boots, *places, *kho_inodes(snapshot).items()


def _lost(snapshot: Snapshot) -> bool:
    """Whether a later kernel has not found the handover yet: it can tell no frame from another, nor read a list."""
    return snapshot.boots > 1 and not snapshot.fdt_phys


def _of_folio(snapshot: Snapshot, column: str, page: NDArray[Any], pfn: Row) -> Row:
    """Flags or references of each frame of `pfn`, whose rows are `page`; a large folio keeps them in its head."""
    head = np.where(page["head"] >= 0, page["head"], pfn)
    return np.array(snapshot.arrays["page"][column][head], np.int64)


def _cache(snapshot: Snapshot, ino: int) -> Row:
    """The page cache as frame numbers; a large folio's slots name its head, here each its own frame."""
    if ino < 0:
        return np.full(snapshot.config.file_pages, EMPTY, np.int64)
    page, cache = snapshot.arrays["page"], np.array(snapshot.arrays["slots"][ino], np.int64)
    large = np.flatnonzero((cache >= 0) & (page["order"][np.maximum(cache, 0)] > 0))
    cache[large] += large - page["index"][cache[large]]
    return cache


def _blocks(snapshot: Snapshot, kho: int) -> Row:
    """The block list of the KHO inode at `kho` as frame numbers; -1 for empty, and past the list's end."""
    out = np.full(snapshot.config.file_pages, -1, np.int64)
    if kho:
        start = np.frombuffer(snapshot.ram, "u8", snapshot.config.nblocks, kho + 8)
        out[: start.size] = np.where(start > 0, start // np.uint64(snapshot.config.page_size), -1)
    return out


def _roles(snapshot: Snapshot, cache: Row, blocks: Row, flags: Row, frames: Row) -> Row:
    """The owner of each of `frames`, seen from this file: other files' are OTHER, wrongly named ones STALE."""
    role = np.full(flags.size, -1, np.int64)
    role[frames] = owners(snapshot, frames)
    cached = role == Role.CACHED
    role[cached] = Role.OTHER
    mine = cache[cache >= 0]
    role[mine] = np.where(flags[mine] & PG_uptodate, int(Role.CACHED), int(Role.FRESH))
    for index in np.flatnonzero((blocks >= 0) & (blocks < role.size)).tolist():
        pfn = int(blocks[index])
        if role[pfn] == Role.OTHER and (not cached[pfn] or snapshot.page.index[pfn] == index):
            role[pfn] = Role.HELD  # allocated, or tied to this page already, and not in the cache yet
        elif role[pfn] != Role.HELD and cache[index] != pfn:
            role[pfn] = Role.STALE
    return role[frames]


def _holds(frames: int, cache: Row, blocks: Row) -> Row:
    """The block each frame holds for this file: what the block list says, and over it the page cache."""
    holds = np.full(frames, -1, np.int64)
    for row in (blocks, cache):
        index = np.flatnonzero((row >= 0) & (row < frames))
        holds[row[index]] = index
    return holds


def _verdicts(cache: Row, blocks: Row, role: Row, nblocks: int) -> Row:
    """Judge each block; the first `nblocks` must be listed if they are cached.

    0: there is no block list; -1: nobody has found it yet.
    """
    if nblocks < 0:
        return np.full(cache.size, int(Verdict.UNKNOWN), np.int64)
    inside = (blocks >= 0) & (blocks < role.size)
    held = inside & (role[np.where(inside, blocks, 0)] == Role.HELD)
    cached = cache >= 0
    fresh = cached & (role[np.maximum(cache, 0)] == Role.FRESH)
    listed = np.arange(cache.size) < nblocks
    rules = [
        (cached & (blocks >= 0) & (blocks != cache), Verdict.DISAGREE),
        (cached & (blocks < 0) & listed, Verdict.UNLISTED),
        (fresh, Verdict.FRESH),
        (cached, Verdict.CACHED),
        ((blocks >= 0) & ~held, Verdict.STALE),
        ((cache < EMPTY) & (blocks < 0), Verdict.SWAPPED),
        (cache < EMPTY, Verdict.DISAGREE),
        (blocks >= 0, Verdict.HELD),
    ]
    return np.select([r for r, _ in rules], [int(v) for _, v in rules], int(Verdict.HOLE)).astype(np.int64)


def _poison(phys: NDArray[np.uint8], role: Row) -> Row:
    """Bytes of each frame that still bear poison: 0xAA in free and stale frames, 0xA5 in a file's."""
    freed = np.isin(role, (Role.FREE, Role.STALE))
    painted = np.isin(role, (Role.CACHED, Role.FRESH, Role.HELD))
    out = np.where(freed, (phys == FREED).sum(axis=1), 0)
    return np.where(painted, (phys == FRESH).sum(axis=1), out).astype(np.int64)


def _sizes(snapshot: Snapshot, ino: int, kho: int) -> Row:
    mirror = snapshot.words[kho >> 3] if kho else -1
    if ino < 0:
        return np.array([-1, mirror, -1, -1, -1, -1], np.int64)
    row = snapshot.arrays["inode"][ino]
    return np.array([row["i_size"], mirror, row["nrpages"], row["alloced"], row["swapped"], ino], np.int64)


def _bytes(phys: NDArray[np.uint8], role: Row, lost: bool) -> Row:
    """The bytes of this file's frames, the rest as zeros: a small machine shows what its pages say.

    Of a `lost` one, the bytes of every unclaimed frame: they are there before anybody knows whose they are.
    """
    if phys.size > BYTES_LIMIT:
        return np.zeros(0, np.int64)
    return (phys * np.isin(role, (*OURS, Role.UNCLAIMED) if lost else OURS)[:, None]).astype(np.int64).ravel()
