"""A frame goes bad: mm/memory-failure.c."""

from __future__ import annotations

from khosim.kernel.filemap import filemap_release_folio
from khosim.kernel.locks import folio_lock, folio_unlock
from khosim.kernel.page_alloc import folio_get
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, PG_hwpoison, page_folio, set_flag
from khosim.state.pte import NONE, POISON, load_pte, store_pte
from khosim.steps import Path, Step, Warn, path

__all__ = ["memory_failure"]

EAGAIN = 11


@path
def memory_failure(m: MachineState, pfn: int) -> Path[int]:
    """Take a bad frame out of use; shmem keeps it in the page cache, so that readers get EIO and not zeroes.

    Kernel:   mm/memory-failure.c, memory_failure(), me_pagecache_dirty(); mm/shmem.c, shmem_error_remove_folio()
    Locks:    folio lock
    Left out: free and slab frames, soft offline. The errno is the recorded kernel's
    """
    folio = page_folio(m, pfn)
    set_flag(m, pfn, PG_hwpoison)
    folio_get(m, folio)
    yield Step("poison", "Frame {pfn:#x} is poisoned.", pfn=pfn)
    yield from folio_lock(m, folio)
    for vma in range(len(m.vma.used)):
        for page in range(m.vma.pages[vma] if m.vma.used[vma] else 0):
            pte = load_pte(m, vma, page)
            if pte is NONE or pte.pfn != pfn:
                continue
            if pte.dirty:
                set_flag(m, folio, PG_dirty)
            store_pte(m, vma, page, POISON)
            m.page.mapcount[folio] -= 1
            m.page.refcount[folio] -= 1
            yield Warn("memory_failure", "Memory failure: {pfn:#x}: Sending SIGBUS", pfn=pfn)
    yield from filemap_release_folio(m, folio)
    folio_unlock(m, folio)
    yield Step("failed", "Frame {pfn:#x} stays in the page cache; its block and its bit stay too.", pfn=pfn)
    return -EAGAIN
