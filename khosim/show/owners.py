"""Whose each frame is: read from flags, mappings and the few addresses a kernel knows, nothing declared."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from khosim.show.runs import Row
from khosim.state.handover import HandoverError, files
from khosim.state.mem_map import PG_BUDDY, PG_reserved
from khosim.state.snapshot import Snapshot, opened

Mask = NDArray[np.bool_]

__all__ = ["Mask", "Role", "find_inode", "find_kho", "kho_inodes", "name_of", "names_of", "owners", "span"]


class Role(IntEnum):
    """Whose a frame is, as drawn. FRESH and STALE are seen from one file only; see `khosim.show.picture`."""

    FREE = 0
    KERNEL = 1
    SCRATCH = 2
    FDT = 3
    BITMAP = 4
    INODE = 5
    CACHED = 6
    FRESH = 7
    HELD = 8
    STALE = 9
    OTHER = 10
    UNCLAIMED = 11


def owners(snapshot: Snapshot, frames: Row | None = None) -> Row:
    """Return the `Role` of each frame with no file in view: int64[frames], CACHED for any file's page.

    `frames`: of these only. Later rules win: what is neither free nor known is HELD if its PFN bit is set (INODE
    if it is reserved too), OTHER if somebody has it, and UNCLAIMED while a kernel boots and has handed out
    nothing yet.
    """
    config, size = snapshot.config, snapshot.config.page_size
    pfn = np.arange(config.frames) if frames is None else frames
    page, bits = snapshot.arrays["page"][pfn], snapshot.bits[pfn]
    head = np.where(page["head"] >= 0, page["head"], pfn)  # large folios count there
    free, idle = (page["flags"] & PG_BUDDY) != 0, snapshot.arrays["page"]["refcount"][head] == 0
    role = np.full(pfn.size, int(Role.OTHER), np.int64)
    rules = [
        (Role.UNCLAIMED, idle),
        (Role.HELD, bits),
        (Role.INODE, bits & ((page["flags"] & PG_reserved) != 0)),
        (Role.FREE, free),
        (Role.SCRATCH, idle & span(snapshot, snapshot.scratch_start * size, config.scratch_size * size, pfn)),
        (Role.KERNEL, ~free & span(snapshot, snapshot.kernel_start * size, config.kernel_size * size, pfn)),
        (Role.KERNEL, ~free & (pfn == 0)),  # frame 0 is never given out
        (Role.CACHED, page["mapping"] > 0),
        (Role.FDT, span(snapshot, snapshot.fdt_phys, config.fdt_frames * size * bool(snapshot.fdt_phys), pfn)),
        (
            Role.BITMAP,
            span(snapshot, snapshot.bitmap_phys, 8 * config.bitmap_words * bool(snapshot.bitmap_phys), pfn),
        ),
    ]
    for code, where in rules:
        role[where] = code
    for address in kho_inodes(snapshot).values():
        role[span(snapshot, address, config.kho_inode_bytes, pfn)] = Role.INODE
    return role


def kho_inodes(snapshot: Snapshot) -> dict[str, int]:
    """Return the address of every KHO inode that the handover names, by file; {} if it is damaged."""
    if not snapshot.fdt_phys:
        return {}
    try:
        found = {file.name: file.inode for file in files(snapshot)}
    except HandoverError:
        return {}
    room = snapshot.config.frames * snapshot.config.page_size - snapshot.config.kho_inode_bytes
    return {name: address for name, address in found.items() if address % 8 == 0 and 0 < address <= room}


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


def names_of(snapshots: Iterable[Snapshot]) -> list[str]:
    """Return the name of every file that was open or handed over at some moment, in order of appearance."""
    found: dict[str, None] = {}
    for snapshot in opened(snapshots):
        used = np.flatnonzero(snapshot.arrays["inode"]["used"]).tolist()
        found |= dict.fromkeys([*(name_of(snapshot, ino) for ino in used), *kho_inodes(snapshot)])
    return list(found)


def span(snapshot: Snapshot, address: int, size: int, frames: Row | None = None) -> Mask:
    """Return which frames (of `frames`, if given) the bytes [address, address + size) touch: bool[frames]."""
    config = snapshot.config
    pfn, end = np.arange(config.frames) if frames is None else frames, address + size
    return (pfn >= address // config.page_size) & (pfn < -(-end // config.page_size)) & (size > 0)
