"""How a file gets shorter: shmem_undo_range() of mm/shmem.c and what it calls.

Everything here looks at the page cache only. That was right before the patch.
"""

from __future__ import annotations

from khosim.kernel.filemap import filemap_get_entry, mapping_of
from khosim.kernel.inode import i_size_write
from khosim.kernel.locks import folio_lock, folio_unlock
from khosim.kernel.page_alloc import folio_put
from khosim.kernel.pagevec import find_get_entries, folio_batch_release
from khosim.kernel.rmap import unmap_mapping_range
from khosim.kernel.shmem import shmem_get_folio
from khosim.kernel.shmem_kho import SGP_READ
from khosim.kernel.shmem_swap import shmem_free_swap, shmem_recalc_inode
from khosim.kernel.truncate import truncate_inode_folio, truncate_inode_partial_folio
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, PG_uptodate, folio_nr_pages, set_flag, test_flag
from khosim.steps import Path, Retry, Step, path

__all__ = ["FOREVER", "shmem_evict_inode", "shmem_truncate", "shmem_truncate_range", "shmem_undo_range"]

FOREVER = -1
"""As the end of a range: to the end of any file (lend of -1)."""


@path
def shmem_get_partial_folio(m: MachineState, ino: int, index: int) -> Path[int | None]:
    """The folio of a page that is only partly cut off; None if there is nothing in the page cache.

    Kernel:   mm/shmem.c, shmem_get_partial_folio()
    Locks:    returns with the folio lock held
    Left out: -
    """
    entry = yield from filemap_get_entry(m, ino, index)
    if entry == page_cache.EMPTY:
        return None
    if entry >= 0:
        yield from folio_lock(m, entry)
        if m.page.mapping[entry] == mapping_of(ino):
            return entry
        folio_unlock(m, entry)
        yield from folio_put(m, entry)
    folio, _ = yield from shmem_get_folio(m, ino, index, SGP_READ)
    return folio


@path
def shmem_undo_first(m: MachineState, ino: int, start: int, end: int, unfalloc: bool) -> Path[int]:
    """Sweep 1: drop what can be had without waiting; how many swap entries went.

    Kernel:   mm/shmem.c, shmem_undo_range(), its first loop
    Locks:    folio locks, tried
    Left out: -
    """
    swaps = 0
    index = start
    while index < end:
        batch = yield from find_get_entries(m, ino, index, end, 1)
        if not batch:
            break
        for place, entry in batch:
            index = place + 1
            if entry < 0:
                swaps += 0 if unfalloc else (yield from shmem_free_swap(m, ino, place, entry))
                continue
            index = m.page.index[entry] + folio_nr_pages(m, entry)
            if not unfalloc or not test_flag(m, entry, PG_uptodate):
                yield from truncate_inode_folio(m, ino, entry)
            folio_unlock(m, entry)
        yield from folio_batch_release(m, batch)
    return swaps


@path
def shmem_undo_edges(m: MachineState, ino: int, lstart: int, lend: int, start: int, end: int) -> Path[tuple[int, int]]:
    """Zero the partly cut pages at both ends; the whole pages that remain to be dropped.

    Kernel:   mm/shmem.c, shmem_undo_range(), between its two loops
    Locks:    folio lock
    Left out: -
    """
    size = m.page_size
    last = lend if lend != FOREVER else m.file_pages * size + size
    same_folio = lstart // size == last // size
    folio = yield from shmem_get_partial_folio(m, ino, lstart // size)
    if folio is not None:
        base, count = m.page.index[folio], folio_nr_pages(m, folio)
        same_folio = last < (base + count) * size
        set_flag(m, folio, PG_dirty)
        if not (yield from truncate_inode_partial_folio(m, ino, folio, lstart, lend)):
            start = base + count
            end = base if same_folio else end
        folio_unlock(m, folio)
        yield from folio_put(m, folio)
    if same_folio:
        return start, end
    folio = yield from shmem_get_partial_folio(m, ino, last // size)
    if folio is not None:
        base = m.page.index[folio]
        set_flag(m, folio, PG_dirty)
        if not (yield from truncate_inode_partial_folio(m, ino, folio, lstart, lend)):
            end = base
        folio_unlock(m, folio)
        yield from folio_put(m, folio)
    return start, end


@path
def shmem_undo_second(m: MachineState, ino: int, start: int, end: int, lstart: int, lend: int,
                      unfalloc: bool) -> Path[int]:  # fmt: skip
    """Sweep 2: wait for whoever holds a folio, until nothing of the range is left; how many swap entries went.

    Kernel:   mm/shmem.c, shmem_undo_range(), its second loop
    Locks:    folio locks
    Left out: -
    """
    swaps = 0
    index = start
    while index < end:
        batch = yield from find_get_entries(m, ino, index, end, 2)
        if not batch:
            if index == start or lend != FOREVER or unfalloc:
                break
            index = start
            continue
        for place, entry in batch:
            index = place + 1
            if entry < 0:
                if unfalloc:
                    continue
                freed = yield from shmem_free_swap(m, ino, place, entry)
                swaps += freed
                if not freed:
                    index = place
                    break
                continue
            yield from folio_lock(m, entry)
            index = place + folio_nr_pages(m, entry)
            if not unfalloc or not test_flag(m, entry, PG_uptodate):
                if m.page.mapping[entry] != mapping_of(ino):
                    folio_unlock(m, entry)
                    index = place
                    break
                if not m.page.order[entry]:
                    yield from truncate_inode_folio(m, ino, entry)
                elif (yield from truncate_inode_partial_folio(m, ino, entry, lstart, lend)) and not m.page.order[entry]:
                    folio_unlock(m, entry)
                    index = start
                    break
            folio_unlock(m, entry)
        yield from folio_batch_release(m, batch)
        if index < end and index <= batch[0][0]:
            yield Retry("sweep_again", "Page {index} is looked at again.", index=index)
    return swaps


@path
def shmem_undo_range(m: MachineState, ino: int, lstart: int, lend: int, unfalloc: bool) -> Path[None]:
    """Remove the bytes lstart..lend (inclusive, or FOREVER) of a file, as far as the page cache knows them.

    Kernel:   mm/shmem.c, shmem_undo_range()
    Locks:    inode lock held by the caller, or the inode is going away
    Left out: -
    """
    size = m.page_size
    start = -(-lstart // size)
    end = (lend + 1) // size if lend != FOREVER else m.file_pages
    if not unfalloc and start < m.inode.fallocend[ino] <= end:
        m.inode.fallocend[ino] = start
    swaps = yield from shmem_undo_first(m, ino, start, end, unfalloc)
    if not unfalloc:
        start, end = yield from shmem_undo_edges(m, ino, lstart, lend, start, end)
    swaps += yield from shmem_undo_second(m, ino, start, end, lstart, lend, unfalloc)
    yield from shmem_recalc_inode(m, ino, 0, -swaps)


@path
def shmem_truncate_range(m: MachineState, ino: int, lstart: int, lend: int) -> Path[None]:
    """Remove a range of a file.

    Kernel:   mm/shmem.c, shmem_truncate_range()
    Locks:    inode lock
    Left out: timestamps
    """
    yield from shmem_undo_range(m, ino, lstart, lend, unfalloc=False)


@path
def shmem_truncate(m: MachineState, ino: int, size: int) -> Path[int]:
    """Set the size of a file. A file with no page counted is not searched for any: see `alloced`.

    Kernel:   mm/shmem.c, shmem_setattr()
    Locks:    inode lock
    Left out: seals, timestamps; accounting by size, which memfds do not have
    """
    old = m.inode.i_size[ino]
    if size != old:
        yield from i_size_write(m, ino, size)
    if size <= old:
        hole = -(-size // m.page_size)
        if old > hole * m.page_size:
            yield from unmap_mapping_range(m, ino, hole, -1, even_cows=True)
        if m.inode.alloced[ino]:
            yield from shmem_truncate_range(m, ino, size, FOREVER)
        if old > hole * m.page_size:
            yield from unmap_mapping_range(m, ino, hole, -1, even_cows=True)
    return 0


@path
def shmem_evict_inode(m: MachineState, ino: int) -> Path[None]:
    """The last user of a file is gone: drop its pages. Blocks that were never restored stay.

    Kernel:   mm/shmem.c, shmem_evict_inode()
    Locks:    none; nobody else can see the inode
    Left out: swap lists, xattrs
    """
    m.inode.i_size[ino] = 0
    yield Step("evict", "The file's last user is gone.", ino=ino)
    yield from shmem_truncate_range(m, ino, 0, FOREVER)
    m.arrays["inode"][ino] = 0
    m.arrays["name"][ino] = 0
    yield Step("evicted", "The inode is gone; its KHO inode stays.", ino=ino)
