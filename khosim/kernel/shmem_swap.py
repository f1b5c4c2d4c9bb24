"""Accounting, swap-out and swap-in of shmem pages: mm/shmem.c, with what it needs of mm/swapfile.c."""

from __future__ import annotations

from khosim.kernel.locks import folio_unlock
from khosim.kernel.page_alloc import alloc_pages, folio_get, folio_put
from khosim.kernel.swap import folio_add_lru
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import (
    PG_dirty,
    PG_locked,
    PG_swapbacked,
    PG_uptodate,
    clear_flag,
    set_flag,
    test_flag,
)
from khosim.state.phys import fill
from khosim.state.swap import read_slot, take_slot, write_slot
from khosim.steps import Path, Step, path

__all__ = ["ENOSPC", "shmem_free_swap", "shmem_inode_acct_blocks", "shmem_inode_unacct_blocks", "shmem_recalc_inode",
           "shmem_swapin_folio", "shmem_unuse", "shmem_writepage"]  # fmt: skip

EEXIST, ENOMEM, ENOSPC = 17, 12, 28
STRICT = 2


@path
def shmem_inode_acct_blocks(m: MachineState, ino: int, pages: int) -> Path[int]:
    """Charge pages to the file, or refuse with -ENOSPC under strict overcommit.

    Kernel:   mm/shmem.c, shmem_inode_acct_blocks(); mm/util.c, __vm_enough_memory()
    Locks:    none
    Left out: the mount's size limit (the kernel's own mount has none), quota
    """
    if m.overcommit_memory == STRICT and m.used_pages + pages > m.commit_limit:
        yield Step("acct_fail", "Strict overcommit does not grant {pages:page}.", pages=pages)
        return -ENOSPC
    m.used_pages += pages
    m.inode.pages[ino] += pages
    yield Step("acct", "{pages:page} charged to the file.", pages=pages)
    return 0


def shmem_inode_unacct_blocks(m: MachineState, ino: int, pages: int) -> None:
    """Give charged pages back (mm/shmem.c, shmem_inode_unacct_blocks())."""
    m.used_pages -= pages
    m.inode.pages[ino] -= pages


@path
def shmem_recalc_inode(m: MachineState, ino: int, alloced: int, swapped: int) -> Path[None]:
    """Update the file's page counts, and give back what was freed behind its back.

    Kernel:   mm/shmem.c, shmem_recalc_inode()
    Locks:    info->lock, held for the step
    Left out: -
    """
    m.inode.alloced[ino] += alloced
    m.inode.swapped[ino] += swapped
    freed = m.inode.alloced[ino] - m.inode.swapped[ino] - m.inode.nrpages[ino]
    freed += max(swapped, 0)  # called from swap-out, the page still counts in nrpages
    if freed > 0:
        m.inode.alloced[ino] -= freed
        shmem_inode_unacct_blocks(m, ino, freed)
    if alloced or swapped or freed > 0:
        yield Step("recalc", "The file now counts {pages:page}.", pages=m.inode.alloced[ino])


@path
def shmem_writepage(m: MachineState, folio: int) -> Path[bool]:
    """Move a dirty page to swap: the cache then holds a swap entry, and the frame is free to go.

    Kernel:   mm/shmem.c, shmem_writepage(), P40
    Locks:    folio lock
    Left out: swap cache after the write, large folios (split first)
    """
    ino, index = m.page.mapping[folio] - 1, m.page.index[folio]
    if not m.swap_enabled:
        return False
    if not test_flag(m, folio, PG_uptodate):
        window = m.inode.start[ino] <= index < m.inode.next[ino]
        if m.inode.falloc[ino] == 1 and window:
            m.inode.nr_unswapped[ino] += 1
            yield Step("falloc_keep", "Page {index} belongs to a fallocate that is running.", index=index)
            return False
        fill(m, folio, 0)
        set_flag(m, folio, PG_uptodate)
        yield Step("clear", "Frame {pfn:#x} is zeroed and uptodate.", pfn=folio)
    slot = take_slot(m)
    if slot is None:
        return False
    yield from shmem_recalc_inode(m, ino, 0, 1)
    write_slot(m, slot, folio)
    page_cache.store(m, ino, index, page_cache.swap_entry(slot))
    m.page.mapping[folio] = 0
    m.inode.nrpages[ino] -= 1
    clear_flag(m, folio, PG_dirty)
    yield Step("swap_out", "Page {index} is in swap slot {slot}; nobody tells the block list.", index=index, slot=slot)
    yield from folio_put(m, folio)
    return True


@path
def shmem_free_swap(m: MachineState, ino: int, index: int, entry: int) -> Path[int]:
    """Drop a swap entry from the cache; how many pages that freed.

    Kernel:   mm/shmem.c, shmem_free_swap()
    Locks:    i_pages lock
    Left out: large swap entries
    """
    if page_cache.load(m, ino, index) != entry:
        yield Step("swap_gone", "Page {index} is no longer in swap.", index=index)
        return 0
    page_cache.store(m, ino, index, page_cache.EMPTY)
    m.swap.count[page_cache.swap_slot(entry)] = 0
    yield Step("swap_free", "Page {index} leaves swap; nobody tells the block list.", index=index)
    return 1


@path
def shmem_swapin_folio(m: MachineState, ino: int, index: int, entry: int) -> Path[tuple[int | None, int]]:
    """Bring a page back from swap, into a frame that has nothing to do with its old one.

    Kernel:   mm/shmem.c, shmem_swapin_folio(), P40
    Locks:    returns with the folio lock held
    Left out: read-ahead, the swap cache, poisoned entries
    """
    folio = yield from alloc_pages(m, 0, movable=1)
    if folio is None:
        return None, -ENOMEM
    if page_cache.load(m, ino, index) != entry:
        yield from folio_put(m, folio)
        return None, -EEXIST
    set_flag(m, folio, PG_locked | PG_swapbacked)
    read_slot(m, page_cache.swap_slot(entry), folio)
    folio_get(m, folio)
    m.page.mapping[folio], m.page.index[folio] = ino + 1, index
    page_cache.store(m, ino, index, folio)
    m.inode.nrpages[ino] += 1
    m.swap.count[page_cache.swap_slot(entry)] = 0
    set_flag(m, folio, PG_uptodate | PG_dirty)
    yield Step("swap_in", "Page {index} comes back from swap into frame {pfn:#x}.", index=index, pfn=folio)
    yield from shmem_recalc_inode(m, ino, 0, -1)
    yield from folio_add_lru(m, folio)
    return folio, 0


@path
def shmem_unuse(m: MachineState) -> Path[int]:
    """Bring every page back from swap.

    Kernel:   mm/shmem.c, shmem_unuse(); mm/swapfile.c, try_to_unuse()
    Locks:    shmem_swaplist_mutex
    Left out: pages of processes; only files swap here
    """
    for ino in range(len(m.inode.used)):
        for index, entry in list(page_cache.entries(m, ino, 0, m.file_pages)):
            if page_cache.is_swap(entry):
                folio, error = yield from shmem_swapin_folio(m, ino, index, entry)
                if folio is None:
                    return error
                folio_unlock(m, folio)
                yield from folio_put(m, folio)
    m.swap_enabled = 0
    yield Step("swapoff", "Swap is off.")
    return 0
