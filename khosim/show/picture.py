"""What is drawn of one moment: a few rows of small integers, derived from a snapshot and nothing else.

All judgement is made here, once: whether a frame is held or stale, whether cache and block list agree. The
stepper, the transcript and the tables only look it up.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from khosim.show.owners import Role, kho_inodes, owners
from khosim.show.runs import Row
from khosim.state.mem_map import PG_uptodate
from khosim.state.phys import FREED, FRESH
from khosim.state.snapshot import Snapshot

__all__ = ["BYTES_LIMIT", "PLANES", "SIZES", "Picture", "Verdict", "find_inode", "name_of", "picture"]

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


def find_inode(snapshot: Snapshot, file: str) -> int:
    """Return the number of the inode that bears the name, or -1: inodes do not survive a kexec, names do."""
    used = np.flatnonzero(snapshot.arrays["inode"]["used"]).tolist()
    return next((ino for ino in used if name_of(snapshot, ino) == file), -1)


def find_kho(snapshot: Snapshot, file: str) -> int:
    """Return the address of the file's KHO inode, 0 for none; it is there before the file is open again."""
    ino = find_inode(snapshot, file)
    kho = int(snapshot.arrays["inode"]["kho"][ino]) if ino >= 0 else kho_inodes(snapshot).get(file, 0)
    return (
        kho if 0 <= kho <= snapshot.config.frames * snapshot.config.page_size - snapshot.config.kho_inode_bytes else 0
    )


def name_of(snapshot: Snapshot, ino: int) -> str:
    """Return an inode's name as text."""
    return bytes(snapshot.arrays["name"][ino]).rstrip(b"\0").decode("utf-8", "replace")


def picture(snapshot: Snapshot, file: str) -> Picture:
    """Return the rows that are drawn of `snapshot`, seen from the file called `file` ("" for none).

    role holds bit poison flags refs maps: int64[frames]; cache blocks verdict: int64[file_pages];
    sizes: int64[6] in the order of `SIZES`; bytes: int64[frames * page_size], zero in frames of others.
    """
    ino, kho, page = find_inode(snapshot, file), find_kho(snapshot, file), snapshot.arrays["page"]
    flags = _folio_flags(snapshot)
    cache, blocks = _cache(snapshot, ino), _blocks(snapshot, kho)
    role = _roles(snapshot, cache, blocks, flags)
    nblocks = -1 if _lost(snapshot) else snapshot.config.nblocks if kho else 0
    return {
        "role": role,
        "holds": _holds(snapshot.config.frames, cache, blocks),
        "bit": snapshot.bits.astype(np.int64),
        "poison": _poison(snapshot.arrays["phys"], role),
        "flags": flags,
        "refs": page["refcount"].astype(np.int64),
        "maps": page["mapcount"].astype(np.int64),
        "cache": cache,
        "blocks": blocks,
        "verdict": _verdicts(cache, blocks, role, nblocks),
        "sizes": _sizes(snapshot, ino, kho),
        "bytes": _bytes(snapshot.arrays["phys"], role, _lost(snapshot)),
    }


def _lost(snapshot: Snapshot) -> bool:
    """Whether a later kernel has not found the handover yet: it can tell no frame from another, nor read a list."""
    return snapshot.boots > 1 and not snapshot.fdt_phys


def _folio_flags(snapshot: Snapshot) -> Row:
    """The flags of each frame; a large folio keeps them in its head."""
    page = snapshot.arrays["page"]
    head = np.where(page["head"] >= 0, page["head"], np.arange(page.size))
    return np.array(page["flags"][head], np.int64)


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


def _roles(snapshot: Snapshot, cache: Row, blocks: Row, flags: Row) -> Row:
    """The owner of each frame, seen from this file: other files' are OTHER, wrongly named ones STALE."""
    role = owners(snapshot)
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
    return role


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
