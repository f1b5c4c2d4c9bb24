"""What should hold at rest: named plain functions of a snapshot, each giving the sentences that say where it does not.

They are the oracles O3 to O7 of the patch's review. The patch as posted breaks most of them somewhere; that is what the
lamps in a stepper are for. Between the steps of one call some are broken for a moment, and that is no fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from khosim.state import handover, page_cache
from khosim.state.blocks import kho_i_size, listed_block, load_block
from khosim.state.buddy import in_scratch
from khosim.state.handover import HandoverError, KhoFile
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_BUDDY, test_flag

__all__ = ["INVARIANTS", "Invariant", "violations"]

Invariant = Callable[[MachineState], Iterator[str]]


def _files(m: MachineState) -> list[KhoFile]:
    try:
        return handover.files(m) if m.fdt_phys else []
    except HandoverError:
        return []


def _blocks(m: MachineState) -> Iterator[tuple[str, int, int]]:
    """(file, index, PFN) of every block that names a frame of memory."""
    for file in _files(m):
        for index in range(m.config.nblocks):
            pfn = load_block(m, file.inode, index) // m.page_size
            if 0 < pfn < m.frames:
                yield file.name, index, pfn


def _live(m: MachineState) -> Iterator[tuple[int, str, int]]:
    """(inode number, name, KHO inode) of every KHO file that is open."""
    names = {file.inode: file.name for file in _files(m)}
    for ino, kho in enumerate(m.inode.kho):
        if kho in names:
            yield ino, names[kho], kho


def bits_set(m: MachineState) -> Iterator[str]:
    """The PFN bit of every block's frame is set."""
    bits = set(handover.preserved(m)) if m.bitmap_phys else set()
    for name, index, pfn in _blocks(m):
        if pfn not in bits:
            yield f"block {index} of {name} names frame {pfn:#x}, whose PFN bit is not set"


def no_leak(m: MachineState) -> Iterator[str]:
    """Every set PFN bit is of a block's frame, or of the handover itself."""
    if not m.bitmap_phys:
        return
    try:
        known = {pfn for _, _, pfn in _blocks(m)} | set(handover.metadata(m))
    except HandoverError:
        return
    for pfn in handover.preserved(m):
        if pfn not in known:
            yield f"frame {pfn:#x} is preserved, but no block names it"


def one_owner(m: MachineState) -> Iterator[str]:
    """No two blocks name one frame."""
    named = sorted((pfn, name, index) for name, index, pfn in _blocks(m))
    for (pfn, name, index), (other, second, place) in pairwise(named):
        if pfn == other:
            yield f"block {index} of {name} and block {place} of {second} both name frame {pfn:#x}"


def no_stale_block(m: MachineState) -> Iterator[str]:
    """No block names a frame that is free, or in scratch memory."""
    for name, index, pfn in _blocks(m):
        if test_flag(m, pfn, PG_BUDDY):
            yield f"block {index} of {name} names frame {pfn:#x}, which is free"
        elif in_scratch(m, pfn):
            yield f"block {index} of {name} names frame {pfn:#x}, which is scratch memory"


def cache_agrees(m: MachineState) -> Iterator[str]:
    """A cached page of a KHO file is in the frame that its block names."""
    for ino, name, kho in _live(m):
        for index, entry in page_cache.entries(m, ino, 0, m.file_pages):
            block = listed_block(m, kho, index) // m.page_size
            if entry >= 0 and block != entry:
                yield f"page {index} of {name} is cached in frame {entry:#x}, its block names {block:#x}"


def size_mirrored(m: MachineState) -> Iterator[str]:
    """The KHO inode remembers the file's size."""
    for ino, name, kho in _live(m):
        size, mirror = m.inode.i_size[ino], kho_i_size(m, kho)
        if size != mirror:
            yield f"{name} has {size} bytes, its KHO inode remembers {mirror}"


def accounts_add_up(m: MachineState) -> Iterator[str]:
    """Alloced is nrpages + swapped, for every file."""
    for ino, used in enumerate(m.inode.used):
        alloced, counted = m.inode.alloced[ino], m.inode.nrpages[ino] + m.inode.swapped[ino]
        if used and alloced != counted:
            yield f"inode {ino} counts {alloced} page(s), its cache and swap hold {counted}"


INVARIANTS: dict[str, Invariant] = {
    "Bits set": bits_set,
    "No leak": no_leak,
    "One owner": one_owner,
    "No stale block": no_stale_block,
    "Cache agrees": cache_agrees,
    "Size mirrored": size_mirrored,
    "Accounts add up": accounts_add_up,
}
"""By the name the lamps bear; the function's docstring is the full statement."""


def violations(m: MachineState) -> list[str]:
    """Every violated invariant of a moment, as "Name: where"."""
    return [f"{name}: {where}" for name, holds in INVARIANTS.items() for where in holds(m)]
