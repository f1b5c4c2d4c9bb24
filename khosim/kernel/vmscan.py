"""Reclaim: mm/vmscan.c."""

from __future__ import annotations

from khosim.kernel.filemap import __filemap_remove_folio, filemap_release_folio
from khosim.kernel.huge_memory import split_folio
from khosim.kernel.locks import folio_trylock, folio_unlock
from khosim.kernel.page_alloc import folio_get, folio_put
from khosim.kernel.rmap import unmap_mapping_folio
from khosim.kernel.shmem_swap import shmem_writepage
from khosim.state.lists import list_add, list_del, list_walk, lru_head
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_active, PG_dirty, PG_locked, PG_lru, clear_flag, folio_nr_pages, set_flag, test_flag
from khosim.steps import Path, Step, path

__all__ = ["folio_isolate_lru", "folio_putback_lru", "reclaim_folio", "shrink_lruvec"]


@path
def folio_isolate_lru(m: MachineState, folio: int) -> Path[bool]:
    """Take a folio off the LRU with a reference of our own.

    Kernel:   mm/vmscan.c, folio_isolate_lru()
    Locks:    lruvec->lru_lock
    Left out: -
    """
    if not test_flag(m, folio, PG_lru):
        return False
    list_del(m, folio)
    clear_flag(m, folio, PG_lru)
    folio_get(m, folio)
    yield Step("isolate", "Frame {pfn:#x} is off the LRU.", pfn=folio)
    return True


@path
def folio_putback_lru(m: MachineState, folio: int) -> Path[None]:
    """Put an isolated folio back on the LRU and drop our reference.

    Kernel:   mm/vmscan.c, folio_putback_lru()
    Locks:    lruvec->lru_lock
    Left out: -
    """
    set_flag(m, folio, PG_lru)
    list_add(m, folio, lru_head(m))
    yield Step("putback", "Frame {pfn:#x} is on the LRU again.", pfn=folio)
    yield from folio_put(m, folio)


def is_page_cache_freeable(m: MachineState, folio: int) -> bool:
    """Whether a folio is in a page cache still, and only that and the caller hold it (mm/vmscan.c)."""
    return m.page.mapping[folio] != 0 and m.page.refcount[folio] == 1 + folio_nr_pages(m, folio)


@path
def reclaim_folio(m: MachineState, folio: int) -> Path[int]:
    """Try to free one folio; how many were freed (1 or 0).

    Kernel:   mm/vmscan.c, shrink_folio_list() for one folio, pageout(), __remove_mapping()
    Locks:    folio lock
    Left out: age, writeback; of a large folio that is split only the first page is swapped
    """
    if not (yield from folio_isolate_lru(m, folio)):
        return 0
    if not folio_trylock(m, folio):
        yield from folio_putback_lru(m, folio)
        return 0
    if m.page.mapcount[folio]:
        yield from unmap_mapping_folio(m, folio)
    gone = False
    if test_flag(m, folio, PG_dirty):
        whole = m.swap_enabled and m.page.order[folio]
        if not (whole and (yield from split_folio(m, m.page.mapping[folio] - 1, folio))):
            gone = is_page_cache_freeable(m, folio) and (yield from shmem_writepage(m, folio))
    else:
        yield from filemap_release_folio(m, folio)
        gone = is_page_cache_freeable(m, folio)
        if gone:
            yield from __filemap_remove_folio(m, folio)
            m.page.refcount[folio] -= folio_nr_pages(m, folio)
            yield Step("reclaim", "Clean frame {pfn:#x} leaves its file; nobody tells the block list.", pfn=folio)
    if not gone:
        folio_unlock(m, folio)
        yield from folio_putback_lru(m, folio)
        return 0
    clear_flag(m, folio, PG_locked | PG_active)
    yield from folio_put(m, folio)
    return 1


@path
def shrink_lruvec(m: MachineState, count: int) -> Path[int]:
    """Free up to `count` folios, oldest first; how many were freed.

    Kernel:   mm/vmscan.c, shrink_lruvec()
    Locks:    as reclaim_folio
    Left out: active and inactive lists, second chances
    """
    freed = 0
    for folio in reversed(list(list_walk(m, lru_head(m)))):
        if freed == count:
            break
        freed += yield from reclaim_folio(m, folio)
    return freed
