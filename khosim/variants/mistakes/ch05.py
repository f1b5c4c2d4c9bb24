"""Beliefs about the first touch that a reader may bring to chapter 05, each as a kernel that behaves like that."""

from __future__ import annotations

from khosim.kernel.locks import folio_unlock
from khosim.kernel.memory import do_fault_around
from khosim.kernel.page_alloc import folio_put
from khosim.kernel.shmem import shmem_alloc_and_add_folio, shmem_get_folio
from khosim.kernel.shmem_kho import (
    SGP_CACHE,
    SGP_NOALLOC,
    SGP_WRITE,
    bitmap_clear,
    shmem_alloc_kho_folio,
    shmem_kho_free_block,
)
from khosim.state import page_cache
from khosim.state.blocks import load_block
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, PG_uptodate, clear_flag, set_flag
from khosim.state.phys import copy, phys_pfn
from khosim.steps import PATHS, Path, Step
from khosim.variants.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]

posted_add = PATHS[shmem_alloc_and_add_folio.__name__]
posted_kho = PATHS[shmem_alloc_kho_folio.__name__]
posted_around = PATHS[do_fault_around.__name__]


def held(m: MachineState, ino: int, index: int) -> int:
    """The frame that a block names and the page cache does not have; 0 for any other page."""
    if not m.inode.kho[ino] or index >= m.config.nblocks or page_cache.load(m, ino, index) != page_cache.EMPTY:
        return 0
    return phys_pfn(m, load_block(m, m.inode.kho[ino], index))


def add_the_whole_file(m: MachineState, ino: int, index: int, order: int, sgp: int) -> Path[int]:
    """Bring in a page, and with it every other page that is held.

    Kernel:   none; mm/shmem.c, shmem_alloc_and_add_folio(), as a reader may believe it to be
    Locks:    as posted
    Left out: -
    """
    folio: int = yield from posted_add(m, ino, index, order, sgp)
    for near in range(m.config.nblocks if folio >= 0 else 0):
        if held(m, ino, near):
            other = yield from posted_add(m, ino, near, 0, sgp)
            folio_unlock(m, other)
            yield from folio_put(m, other)
    return folio


def around_brings_back(m: MachineState, vma: int, page: int) -> Path[None]:
    """Map the neighbours of a fault, and bring back those that are held.

    Kernel:   none; mm/memory.c, do_fault_around(), as a reader may believe it to be
    Locks:    as posted
    Left out: -
    """
    first = page - page % m.config.fault_around
    for near in range(first, min(first + m.config.fault_around, m.vma.pages[vma])):
        index = m.vma.pgoff[vma] + near
        if held(m, m.vma.ino[vma], index):
            folio, _ = yield from shmem_get_folio(m, m.vma.ino[vma], index, SGP_CACHE)
            if folio is not None:
                folio_unlock(m, folio)
                yield from folio_put(m, folio)
    yield from posted_around(m, vma, page)


def clean_until_written(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Give a held page back clean, unless it is to be written.

    Kernel:   none; mm/shmem.c, shmem_alloc_kho_folio(), as a reader may believe it to be
    Locks:    none
    Left out: -
    """
    was_held = held(m, ino, index)
    folio: int = yield from posted_kho(m, ino, index, sgp)
    if was_held and sgp != SGP_WRITE:
        clear_flag(m, folio, PG_dirty)
        yield Step("mark_clean", "Frame {pfn:#x} is clean: it is only read.", pfn=folio)
    return folio


def zero_the_rest(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Give a held page to a write as one that nobody has filled, so that the rest of it is zeroed.

    Kernel:   none; mm/shmem.c, shmem_alloc_kho_folio(), as a reader may believe it to be
    Locks:    none
    Left out: -
    """
    was_held = held(m, ino, index)
    folio: int = yield from posted_kho(m, ino, index, sgp)
    if was_held and sgp == SGP_WRITE:
        clear_flag(m, folio, PG_uptodate)
        yield Step("mark_unfilled", "Frame {pfn:#x} is not uptodate: it is to be written.", pfn=folio)
    return folio


def write_elsewhere(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Give a write a frame of its own, and let go of the held one.

    Kernel:   none; mm/shmem.c, shmem_alloc_kho_folio(), as a reader may believe it to be
    Locks:    none
    Left out: -
    """
    old = held(m, ino, index) if sgp == SGP_WRITE else 0
    if old:
        yield from shmem_kho_free_block(m, ino, index)
    folio: int = yield from posted_kho(m, ino, index, sgp)
    if old and folio >= 0:
        copy(m, old, folio)
        set_flag(m, folio, PG_uptodate | PG_dirty)
        yield Step("copied", "Frame {old:#x} is copied to frame {pfn:#x}.", old=old, pfn=folio)
        yield from folio_put(m, old)
    return folio


def copy_home(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Copy a held page into a new frame, whoever asks.

    Kernel:   none; mm/shmem.c, shmem_alloc_kho_folio(), as a reader may believe it to be
    Locks:    none
    Left out: -
    """
    folio: int = yield from write_elsewhere(m, ino, index, SGP_WRITE if held(m, ino, index) else sgp)
    return folio


def spend_the_bit(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Give a held page back, and clear its PFN bit.

    Kernel:   none; mm/shmem.c, shmem_alloc_kho_folio(), as a reader may believe it to be
    Locks:    none
    Left out: -
    """
    was_held = held(m, ino, index)
    folio: int = yield from posted_kho(m, ino, index, sgp)
    if was_held:
        yield from bitmap_clear(m, folio)
    return folio


def fill_every_hole(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Give a fresh page for a hole, even to a read.

    Kernel:   none; mm/shmem.c, shmem_alloc_kho_folio(), as a reader may believe it to be
    Locks:    none
    Left out: -
    """
    folio: int = yield from posted_kho(m, ino, index, SGP_CACHE if sgp <= SGP_NOALLOC else sgp)
    return folio


def undo_what_was_not_done(m: MachineState, ino: int, index: int, order: int, sgp: int) -> Path[int]:
    """Bring in a page, and free the block on any error.

    Kernel:   none; mm/shmem.c, shmem_alloc_and_add_folio(), as a reader may believe it to be
    Locks:    as posted
    Left out: -
    """
    folio: int = yield from posted_add(m, ino, index, order, sgp)
    if folio < 0 and m.inode.kho[ino] and index < m.config.nblocks:
        yield from shmem_kho_free_block(m, ino, index)
    return folio


KHO = shmem_alloc_kho_folio.__name__
ADD = shmem_alloc_and_add_folio.__name__
MISTAKES = (
    Mistake("brings-the-file", 5, "The first touch brings the whole file back.", {ADD: add_the_whole_file}),
    Mistake("around-brings-back", 5, "A fault brings back the held pages around it.",
            {do_fault_around.__name__: around_brings_back}),
    Mistake("clean-until-written", 5, "A page that is only read comes back clean.", {KHO: clean_until_written}),
    Mistake("zero-the-rest", 5, "A write to a part of a held page zeroes the rest.", {KHO: zero_the_rest}),
    Mistake("write-elsewhere", 5, "A write to a held page takes a new frame.", {KHO: write_elsewhere}),
    Mistake("copy-home", 5, "A held page is copied into a new frame when it comes back.", {KHO: copy_home}),
    Mistake("spend-the-bit", 5, "A page that is back needs its PFN bit no longer.", {KHO: spend_the_bit}),
    Mistake("fill-every-hole", 5, "A read of a hole gives the file a page.", {KHO: fill_every_hole}),
    Mistake("undo-what-was-not-done", 5, "Every error in bringing a page in frees its block.",
            {ADD: undo_what_was_not_done}),
)  # fmt: skip
