"""Whose each frame is: read from flags, mappings and the few addresses a kernel knows, nothing declared."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from khosim.show.runs import Row
from khosim.state.handover import HandoverError, files
from khosim.state.mem_map import PG_BUDDY, PG_reserved
from khosim.state.snapshot import Snapshot

Mask = NDArray[np.bool_]

__all__ = ["Mask", "Role", "kho_inodes", "owners", "span"]


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


def owners(snapshot: Snapshot) -> Row:
    """Return the `Role` of each frame with no file in view: int64[frames], CACHED for any file's page.

    Later rules win: what is neither free nor known is HELD if its PFN bit is set (INODE if it is reserved
    too), OTHER if somebody has it, and UNCLAIMED while a kernel boots and has handed out nothing yet.
    """
    page, config, size = snapshot.arrays["page"], snapshot.config, snapshot.config.page_size
    head = np.where(page["head"] >= 0, page["head"], np.arange(config.frames))  # large folios count there
    free, idle = (page["flags"] & PG_BUDDY) != 0, page["refcount"][head] == 0
    role = np.full(config.frames, int(Role.OTHER), np.int64)
    rules = [
        (Role.UNCLAIMED, idle),
        (Role.HELD, snapshot.bits),
        (Role.INODE, snapshot.bits & ((page["flags"] & PG_reserved) != 0)),
        (Role.FREE, free),
        (Role.SCRATCH, idle & span(snapshot, snapshot.scratch_start * size, config.scratch_size * size)),
        (Role.KERNEL, ~free & span(snapshot, snapshot.kernel_start * size, config.kernel_size * size)),
        (Role.KERNEL, ~free & (np.arange(config.frames) == 0)),  # frame 0 is never given out
        (Role.CACHED, page["mapping"] > 0),
        (Role.FDT, span(snapshot, snapshot.fdt_phys, config.fdt_frames * size * bool(snapshot.fdt_phys))),
        (
            Role.BITMAP,
            span(snapshot, snapshot.bitmap_phys, 8 * config.bitmap_words * bool(snapshot.bitmap_phys)),
        ),
    ]
    for code, where in rules:
        role[where] = code
    for address in kho_inodes(snapshot).values():
        role[span(snapshot, address, config.kho_inode_bytes)] = Role.INODE
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


def span(snapshot: Snapshot, address: int, size: int) -> Mask:
    """Return which frames the bytes [address, address + size) touch: bool[frames]."""
    config = snapshot.config
    pfn, end = np.arange(config.frames), address + size
    return (pfn >= address // config.page_size) & (pfn < -(-end // config.page_size)) & (size > 0)
