"""What a reader might believe of frames, their bits, and the allocator."""

from __future__ import annotations

from khosim.kernel.page_alloc import alloc_pages, free_pages
from khosim.kernel.shmem_kho import (
    SGP_CACHE,
    bitmap_clear,
    bitmap_set,
    shmem_alloc_folio,
    shmem_alloc_kho_folio,
    shmem_kho_free_block,
    start_folio,
)
from khosim.state.blocks import listed_block, load_block, store_block
from khosim.state.buddy import free_block, in_scratch
from khosim.state.lists import list_add, list_del, list_walk, pcp_head
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_BUDDY, test_flag
from khosim.state.phys import fill, pfn_phys
from khosim.steps import PATHS, Path, Step
from khosim.variants.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]

posted_alloc, posted_free = PATHS[alloc_pages.__name__], PATHS[free_pages.__name__]
posted_folio, posted_kho = PATHS[shmem_alloc_folio.__name__], PATHS[shmem_alloc_kho_folio.__name__]
posted_free_block = PATHS[shmem_kho_free_block.__name__]


def oldest_first(m: MachineState, order: int, movable: int) -> Path[int | None]:
    """Give out the frame that has been free the longest.

    Kernel:   mm/page_alloc.c, rmqueue_pcplist(), from the other end of its list
    Locks:    zone->lock
    Left out: -
    """
    singles = [pfn for pfn in list_walk(m, pcp_head(m)) if not in_scratch(m, pfn)]
    if movable and not order and singles:
        list_del(m, singles[-1])
        list_add(m, singles[-1], pcp_head(m))
    pfn: int | None = yield from posted_alloc(m, order, movable)
    return pfn


def no_per_cpu_list(m: MachineState, folio: int) -> Path[None]:
    """Give a freed frame to the buddy allocator at once.

    Kernel:   mm/page_alloc.c, free_unref_folios()
    Locks:    zone->lock
    Left out: -
    """
    yield from posted_free(m, folio)
    if test_flag(m, folio, PG_BUDDY):
        for pfn in [*list_walk(m, pcp_head(m))]:
            list_del(m, pfn)
            m.pcp_count -= 1
            m.nr_free -= 1
            free_block(m, pfn, 0)
    yield Step("drained", "Frame {pfn:#x} looks for its buddy.", pfn=folio)


def freed_is_zeroed(m: MachineState, folio: int) -> Path[None]:
    """Zero a frame when it is freed.

    Kernel:   mm/page_alloc.c, free_pages_prepare()
    Locks:    zone->lock
    Left out: -
    """
    yield from posted_free(m, folio)
    if test_flag(m, folio, PG_BUDDY):
        fill(m, folio, 0)
    yield Step("zeroed", "Frame {pfn:#x} is zeroed.", pfn=folio)


def bit_for_every_file(m: MachineState, index: int, order: int) -> Path[int | None]:
    """Set the bit of every frame that a file gets.

    Kernel:   mm/shmem.c, shmem_alloc_folio()
    Locks:    none
    Left out: -
    """
    folio: int | None = yield from posted_folio(m, index, order)
    if folio is not None:
        yield from bitmap_set(m, folio)
    return folio


def one_more_reference(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Take a reference for the new kernel when a page is taken back.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio()
    Locks:    none
    Left out: -
    """
    held = listed_block(m, m.inode.kho[ino], index)
    folio: int = yield from posted_kho(m, ino, index, sgp)
    if held:
        m.page.refcount[folio] += 1
        yield Step("take_ref", "Frame {pfn:#x} gets a reference of the new kernel's.", pfn=folio)
    return folio


def block_then_bit(m: MachineState, ino: int, index: int) -> Path[None]:
    """Clear the block, then the PFN bit.

    Kernel:   mm/shmem.c, shmem_kho_free_block()
    Locks:    none
    Left out: -
    """
    kho = m.inode.kho[ino]
    start = listed_block(m, kho, index)
    if not start:
        yield from posted_free_block(m, ino, index)
        return
    store_block(m, kho, index, 0)
    yield Step("free_block", "Block {index} is empty.", index=index, pfn=start_folio(m, start))
    yield from bitmap_clear(m, start_folio(m, start))


def names_before_marks(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Set the block, then the PFN bit.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio()
    Locks:    none
    Left out: -
    """
    kho = m.inode.kho[ino]
    if sgp < SGP_CACHE or index >= m.config.nblocks or load_block(m, kho, index):
        back: int = yield from posted_kho(m, ino, index, sgp)
        return back
    folio = yield from shmem_alloc_folio(m, index, 0)
    if folio is None:
        return -12
    store_block(m, kho, index, pfn_phys(m, folio))
    yield Step("block_set", "Block {index} names frame {pfn:#x}.", index=index, pfn=folio)
    yield from bitmap_set(m, folio)
    return folio


MISTAKES = (
    Mistake("oldest-first", 1, "The frame that has been free the longest is given out first.",
            {"alloc_pages": oldest_first}),
    Mistake("no-per-cpu-list", 1, "A freed frame joins its buddy at once.", {"free_pages": no_per_cpu_list}),
    Mistake("freed-is-zeroed", 1, "A freed frame is zeroed.", {"free_pages": freed_is_zeroed}),
    Mistake("a-bit-for-every-file", 1, "Every page of every file has a PFN bit.",
            {"shmem_alloc_folio": bit_for_every_file}),
    Mistake("one-more-reference", 1, "A page that comes back gets one more reference, the new kernel's.",
            {"shmem_alloc_kho_folio": one_more_reference}),
    Mistake("block-before-its-bit", 1, "When a page goes, its block goes first.",
            {"shmem_kho_free_block": block_then_bit}),
    Mistake("names-before-marks", 1, "A new page is named by its block first, then marked.",
            {"shmem_alloc_kho_folio": names_before_marks}),
)  # fmt: skip
