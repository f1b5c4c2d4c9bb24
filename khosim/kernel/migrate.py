"""A page moves to another frame: mm/migrate.c."""

from __future__ import annotations

from khosim.kernel.locks import folio_lock, folio_unlock
from khosim.kernel.page_alloc import alloc_pages, folio_get, folio_put
from khosim.kernel.rmap import unmap_mapping_folio
from khosim.kernel.swap import folio_add_lru
from khosim.kernel.vmscan import folio_isolate_lru, folio_putback_lru
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_active, PG_locked, PG_lru, clear_flag
from khosim.state.phys import copy
from khosim.steps import Path, Step, path

__all__ = ["migrate_folio"]

EAGAIN, EBUSY, ENOMEM = 11, 16, 12
EXPECTED_REFS = 2
"""The page cache's reference and ours; a third is somebody who holds the page (folio_expected_refs())."""


@path
def migrate_folio(m: MachineState, folio: int) -> Path[int]:
    """Move a page cache folio to a fresh frame; 0, or a negative errno if somebody holds it or memory is short.

    Kernel:   mm/migrate.c, migrate_pages(), migrate_folio(), folio_migrate_mapping()
    Locks:    folio lock of both, i_pages lock
    Left out: retries, large folios, NUMA
    """
    if not (yield from folio_isolate_lru(m, folio)):
        return -EBUSY
    fresh = yield from alloc_pages(m, 0, movable=1)
    if fresh is None:
        yield from folio_putback_lru(m, folio)
        return -ENOMEM
    yield Step("migrate_new", "Frame {new:#x} is to take over from frame {pfn:#x}.", pfn=folio, new=fresh)
    yield from folio_lock(m, folio)
    if m.page.mapcount[folio]:
        yield from unmap_mapping_folio(m, folio)
    if m.page.refcount[folio] != EXPECTED_REFS or not m.page.mapping[folio]:
        folio_unlock(m, folio)
        yield from folio_putback_lru(m, folio)
        yield from folio_put(m, fresh)
        return -EAGAIN
    ino, index = m.page.mapping[folio] - 1, m.page.index[folio]
    copy(m, folio, fresh)
    folio_get(m, fresh)
    m.page.flags[fresh] = m.page.flags[folio] & ~(PG_lru | PG_locked)
    m.page.mapping[fresh], m.page.index[fresh] = ino + 1, index
    page_cache.store(m, ino, index, fresh)
    m.page.mapping[folio] = 0
    m.page.refcount[folio] -= 1
    clear_flag(m, folio, PG_locked | PG_active)
    yield Step("migrate", "Page {index} is in frame {pfn:#x} now; nobody tells the block list.", index=index, pfn=fresh)
    yield from folio_put(m, folio)
    yield from folio_add_lru(m, fresh)
    yield from folio_put(m, fresh)
    return 0
