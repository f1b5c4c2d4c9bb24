"""Small pages become a huge one: mm/khugepaged.c, MADV_COLLAPSE on a file."""

from __future__ import annotations

from khosim.kernel.filemap import filemap_release_folio, mapping_of
from khosim.kernel.locks import folio_trylock, folio_unlock
from khosim.kernel.page_alloc import alloc_pages, folio_get, folio_put
from khosim.kernel.rmap import unmap_mapping_folio
from khosim.kernel.shmem import shmem_get_folio
from khosim.kernel.shmem_kho import SGP_NOALLOC
from khosim.kernel.shmem_swap import shmem_inode_acct_blocks, shmem_inode_unacct_blocks, shmem_recalc_inode
from khosim.kernel.swap import folio_add_lru, lru_add_drain
from khosim.kernel.vmscan import folio_isolate_lru, folio_putback_lru
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import (
    PG_active,
    PG_dirty,
    PG_locked,
    PG_swapbacked,
    PG_uptodate,
    clear_flag,
    set_flag,
    test_flag,
)
from khosim.state.phys import copy, fill
from khosim.steps import Path, Step, path

__all__ = ["collapse_file"]

EAGAIN, EINVAL, ENOMEM = 11, 22, 12
EXPECTED_REFS = 3
"""The page cache's reference, ours, and that of the isolation."""


@path
def collapse_isolate(m: MachineState, ino: int, index: int) -> Path[int | None]:
    """Get hold of one small page for a collapse: its folio, EMPTY for a hole, None if it cannot be had.

    Kernel:   mm/khugepaged.c, collapse_file(), the body of its first loop
    Locks:    returns with the folio locked and off the LRU
    Left out: -
    """
    entry = page_cache.load(m, ino, index)
    if entry == page_cache.EMPTY:
        yield Step("none", "Page {index} is not in the page cache: it counts as a hole.", index=index)
        return entry
    if page_cache.is_swap(entry) or not test_flag(m, entry, PG_uptodate):
        folio, error = yield from shmem_get_folio(m, ino, index, SGP_NOALLOC)
        if error or folio is None:
            return None
        yield from lru_add_drain(m)
    else:
        folio = entry
        if not folio_trylock(m, folio):
            return None
        folio_get(m, folio)
    if not (yield from folio_isolate_lru(m, folio)):
        folio_unlock(m, folio)
        yield from folio_put(m, folio)
        return None
    yield from filemap_release_folio(m, folio)
    if m.page.mapcount[folio]:
        yield from unmap_mapping_folio(m, folio)
    if m.page.refcount[folio] != EXPECTED_REFS:
        yield from collapse_put_back(m, folio)
        return None
    return folio


@path
def collapse_put_back(m: MachineState, folio: int) -> Path[None]:
    """Let a small page go again.

    Kernel:   mm/khugepaged.c, collapse_file(), putback_lru_page()
    Locks:    drops the folio lock
    Left out: -
    """
    yield from folio_putback_lru(m, folio)
    folio_unlock(m, folio)
    yield from folio_put(m, folio)


@path
def collapse_rollback(m: MachineState, held: list[int]) -> Path[None]:
    """Let all the small pages of a collapse go again.

    Kernel:   mm/khugepaged.c, collapse_file(), its `rollback`
    Locks:    drops the folio locks
    Left out: -
    """
    for folio in held:
        if folio != page_cache.EMPTY:
            yield from collapse_put_back(m, folio)


@path
def collapse_gather(m: MachineState, ino: int, start: int, count: int) -> Path[list[int] | None]:
    """Get hold of all the small pages of a collapse, or of none.

    Kernel:   mm/khugepaged.c, collapse_file(), its first loop
    Locks:    returns with the folios locked and off the LRU
    Left out: -
    """
    held: list[int] = []
    for index in range(start, start + count):
        folio = yield from collapse_isolate(m, ino, index)
        if folio is None:
            yield from collapse_rollback(m, held)
            return None
        held.append(folio)
    return held


@path
def collapse_charge(m: MachineState, ino: int, start: int, old: list[int]) -> Path[int]:
    """Charge the holes of a collapse to the file, unless one was filled meanwhile; after an errno all is let go.

    Kernel:   mm/khugepaged.c, collapse_file(), SCAN_FAIL and SCAN_PAGE_FILLED; mm/shmem.c, shmem_charge()
    Locks:    folio locks, i_pages lock for the look at the holes
    Left out: -
    """
    holes = [start + place for place, folio in enumerate(old) if folio == page_cache.EMPTY]
    error = 0
    if holes and (yield from shmem_inode_acct_blocks(m, ino, len(holes))):
        error = -EINVAL
    elif any(page_cache.load(m, ino, index) != page_cache.EMPTY for index in holes):
        shmem_inode_unacct_blocks(m, ino, len(holes))
        error = -EAGAIN
    if error:
        yield from collapse_rollback(m, old)
    return error


@path
def collapse_file(m: MachineState, ino: int, start: int) -> Path[int]:
    """Replace the pages from `start` on by one huge folio; what is not in the page cache becomes zeroes.

    Kernel:   mm/khugepaged.c, collapse_file()
    Locks:    folio locks, i_pages lock
    Left out: the scan before it, machine checks while copying
    """
    order = m.config.huge_order
    count = 1 << order
    if start % count or start + count > m.file_pages:
        return -EINVAL
    if not any(True for _ in page_cache.entries(m, ino, start, start + count)):
        return -EINVAL
    huge = yield from alloc_pages(m, order, movable=1)
    if huge is None:
        return -ENOMEM
    set_flag(m, huge, PG_locked | PG_swapbacked)
    old = yield from collapse_gather(m, ino, start, count)
    error = -EAGAIN if old is None else (yield from collapse_charge(m, ino, start, old))
    if old is None or error:
        clear_flag(m, huge, PG_locked)
        yield from folio_put(m, huge)
        return error
    for place, folio in enumerate(old):
        if folio == page_cache.EMPTY:
            fill(m, huge + place, 0)
        else:
            copy(m, folio, huge + place)
    folio_get(m, huge, count - 1)
    m.page.mapping[huge], m.page.index[huge] = mapping_of(ino), start
    set_flag(m, huge, PG_uptodate | PG_dirty)
    page_cache.store_range(m, ino, start, count, huge)
    holes = old.count(page_cache.EMPTY)
    m.inode.nrpages[ino] += holes
    yield Step("collapse", "Pages {index} to {last} are one huge folio; nobody tells the block list.", index=start,
               last=start + count - 1, pfn=huge, holes=holes)  # fmt: skip
    if holes:
        yield from shmem_recalc_inode(m, ino, holes, 0)
    yield from folio_add_lru(m, huge)
    folio_unlock(m, huge)
    for folio in old:
        if folio != page_cache.EMPTY:
            m.page.mapping[folio] = 0
            clear_flag(m, folio, PG_active | PG_locked)
            yield from folio_put(m, folio, EXPECTED_REFS)
    return 0
