"""Frames change hands: mm/page_alloc.c, and folio_put() of mm/swap.c."""

from __future__ import annotations

from khosim.state.buddy import free_block, pcp_free, pcp_take, take_block
from khosim.state.lists import list_del
from khosim.state.machine import MachineState
from khosim.state.mem_map import (
    CHECK_AT_FREE,
    PG_active,
    PG_hwpoison,
    PG_lru,
    clear_flag,
    prep_compound,
    test_flag,
)
from khosim.state.phys import FREED, fill
from khosim.steps import Path, Step, Warn, path

__all__ = ["alloc_pages", "bad_page_reason", "folio_get", "folio_put", "folio_try_get", "free_pages"]


@path
def alloc_pages(m: MachineState, order: int, movable: int) -> Path[int | None]:
    """Take 2**order frames from the allocator; None when there are none.

    Kernel:   mm/page_alloc.c, __alloc_pages(), rmqueue(), prep_new_page()
    Locks:    zone->lock, held for the whole step
    Left out: zones, watermarks, reclaim on failure, migrate types other than MOVABLE and CMA, their per-CPU lists
    """
    pfn = pcp_take(m, cma=True) if movable and not order else take_block(m, order, cma=False)
    if pfn is None:
        yield Step("alloc_fail", "No frame is free.")
        return None
    for frame in range(pfn, pfn + (1 << order)):
        m.page.flags[frame] = m.page.private[frame] = m.page.mapping[frame] = m.page.index[frame] = 0
        m.page.mapcount[frame] = m.page.refcount[frame] = 0
        m.page.head[frame] = -1
    m.page.refcount[pfn] = 1
    if order:
        prep_compound(m, pfn, order)
    yield Step("alloc", "Frame {pfn:#x} leaves the free list with one reference.", pfn=pfn, order=order)
    return pfn


def bad_page_reason(m: MachineState, pfn: int) -> str | None:
    """Why frame `pfn` must not be freed, in the kernel's words; None if it may (page_bad_reason())."""
    if m.page.mapcount[pfn]:
        return "nonzero mapcount"
    if m.page.mapping[pfn]:
        return "non-NULL mapping"
    if m.page.refcount[pfn]:
        return "nonzero _refcount"
    if test_flag(m, pfn, CHECK_AT_FREE):
        return "PAGE_FLAGS_CHECK_AT_FREE flag(s) set"
    return None


@path
def free_pages(m: MachineState, folio: int) -> Path[None]:
    """Give a folio's frames back, poisoned, unless one of them looks in use.

    Kernel:   mm/page_alloc.c, free_unref_folios(), free_pages_prepare()
    Locks:    zone->lock, held for each step
    Left out: deferred frees, batching by zone
    """
    order = m.page.order[folio]
    yield Step("frame_freed", "The last reference to frame {pfn:#x} is gone.", pfn=folio)
    if test_flag(m, folio, PG_hwpoison):
        return
    for frame in range(folio, folio + (1 << order)):
        reason = bad_page_reason(m, frame)
        if reason:
            yield Warn("bad_page", "BUG: Bad page state: " + reason + "  pfn:{pfn:05x}", pfn=frame)
            return
        fill(m, frame, FREED)
        m.page.flags[frame] = m.page.index[frame] = m.page.private[frame] = 0
    prep_compound(m, folio, 0)
    if order:
        free_block(m, folio, order)
    else:
        pcp_free(m, folio)
    yield Step("free", "Frame {pfn:#x} is on the free list, poisoned.", pfn=folio, order=order)


def folio_get(m: MachineState, folio: int, count: int = 1) -> None:
    """Take `count` references (folio_ref_add())."""
    m.page.refcount[folio] += count


def folio_try_get(m: MachineState, folio: int) -> bool:
    """Take a reference unless there is none left (folio_try_get())."""
    if m.page.refcount[folio] <= 0:
        return False
    m.page.refcount[folio] += 1
    return True


@path
def folio_put(m: MachineState, folio: int, count: int = 1) -> Path[None]:
    """Drop references; the last one frees the folio.

    Kernel:   mm/swap.c, folio_put(), __folio_put(), __page_cache_release()
    Locks:    lruvec->lru_lock while the folio leaves the LRU
    Left out: memcg uncharge
    """
    m.page.refcount[folio] -= count
    left = m.page.refcount[folio]
    yield Step("folio_put", "A reference to frame {pfn:#x} is dropped; {left} left.", pfn=folio, left=left)
    if left:
        return
    if test_flag(m, folio, PG_lru):
        list_del(m, folio)
        clear_flag(m, folio, PG_lru | PG_active)
        yield Step("lru_del", "Frame {pfn:#x} leaves the LRU.", pfn=folio)
    yield from free_pages(m, folio)
