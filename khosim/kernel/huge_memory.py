"""Large folios come apart: mm/huge_memory.c."""

from __future__ import annotations

from khosim.kernel.filemap import __filemap_remove_folio, filemap_release_folio
from khosim.kernel.page_alloc import folio_put
from khosim.kernel.rmap import unmap_mapping_folio
from khosim.kernel.shmem_swap import shmem_inode_unacct_blocks
from khosim.state import page_cache
from khosim.state.lists import list_add, lru_head
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, PG_locked, PG_lru, clear_flag, folio_nr_pages, prep_compound
from khosim.steps import Path, Step, path

__all__ = ["split_folio"]

EAGAIN, EBUSY = 11, 16


@path
def split_folio(m: MachineState, ino: int, folio: int) -> Path[int]:
    """Split a locked large folio of a file into single pages; those past the end of the file are dropped.

    Kernel:   mm/huge_memory.c, split_huge_page_to_list_to_order(), __split_huge_page()
    Locks:    folio lock, i_pages lock, lruvec->lru_lock
    Left out: splitting to orders other than 0
    """
    count, base = folio_nr_pages(m, folio), m.page.index[folio]
    if not (yield from filemap_release_folio(m, folio)):
        return -EBUSY
    if m.page.mapcount[folio]:
        yield from unmap_mapping_folio(m, folio)
    if m.page.refcount[folio] != count + 1:
        return -EAGAIN
    flags = m.page.flags[folio] & ~PG_locked | PG_lru
    prep_compound(m, folio, 0)
    m.page.refcount[folio] = 2
    for page in range(1, count):
        tail = folio + page
        m.page.flags[tail], m.page.refcount[tail] = flags, 1
        m.page.mapping[tail], m.page.index[tail] = ino + 1, base + page
        page_cache.store(m, ino, base + page, tail)
        list_add(m, tail, lru_head(m))
    yield Step("split", "The large folio at frame {pfn:#x} is {count} single pages now.", pfn=folio, count=count)
    end = -(-m.inode.i_size[ino] // m.page_size)
    dropped = 0
    for tail in range(folio + count - 1, folio, -1):
        if m.page.index[tail] >= max(end, m.inode.fallocend[ino]):
            clear_flag(m, tail, PG_dirty)
            yield from __filemap_remove_folio(m, tail)
            yield from folio_put(m, tail)
            dropped += 1
    m.inode.alloced[ino] -= dropped
    shmem_inode_unacct_blocks(m, ino, dropped)
    yield Step("split_done", "{dropped:page} past the end of the file dropped.", dropped=dropped)
    return 0
