"""A monitor fills in a page: UFFDIO_COPY and UFFDIO_CONTINUE, mm/userfaultfd.c."""

from __future__ import annotations

from khosim.kernel.locks import folio_unlock
from khosim.kernel.page_alloc import folio_get, folio_put
from khosim.kernel.shmem import EEXIST, shmem_add_to_page_cache, shmem_get_folio
from khosim.kernel.shmem_file import EFAULT, EIO
from khosim.kernel.shmem_kho import ENOENT, ENOMEM, SGP_NOALLOC, shmem_alloc_folio
from khosim.kernel.shmem_swap import shmem_inode_acct_blocks, shmem_inode_unacct_blocks, shmem_recalc_inode
from khosim.kernel.swap import folio_add_lru
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_hwpoison, PG_locked, PG_swapbacked, PG_uptodate, set_flag, test_flag
from khosim.state.phys import store
from khosim.state.pte import NONE, Pte, load_pte, store_pte
from khosim.steps import Path, Step, path

__all__ = ["mfill_atomic_pte_continue", "shmem_mfill_atomic_pte"]


@path
def mfill_atomic_install_pte(m: MachineState, vma: int, page: int, folio: int) -> Path[int]:
    """Map a folio for the program, dirty.

    Kernel:   mm/userfaultfd.c, mfill_atomic_install_pte()
    Locks:    page table lock, folio lock
    Left out: write protection
    """
    if load_pte(m, vma, page) is not NONE:
        return -EEXIST
    folio_get(m, folio)
    m.page.mapcount[folio] += 1
    store_pte(m, vma, page, Pte(folio, write=True, dirty=True))
    yield Step("map", "Frame {pfn:#x} is mapped.", pfn=folio, index=m.vma.pgoff[vma] + page)
    return 0


@path
def shmem_mfill_atomic_pte(m: MachineState, vma: int, page: int, data: bytes) -> Path[int]:
    """UFFDIO_COPY: put a page with the monitor's bytes into the page cache. The block list never hears of it.

    Kernel:   mm/shmem.c, shmem_mfill_atomic_pte()
    Locks:    mmap lock
    Left out: UFFDIO_ZEROPAGE, retry after a fault in the monitor's buffer
    """
    ino, index = m.vma.ino[vma], m.vma.pgoff[vma] + page
    if not m.vma.uffd[vma]:
        return -ENOENT
    if load_pte(m, vma, page) is not NONE:
        return -EEXIST
    if (yield from shmem_inode_acct_blocks(m, ino, 1)):
        return -ENOMEM
    error = -ENOMEM
    folio = yield from shmem_alloc_folio(m, index, 0)
    if folio is not None:
        store(m, folio, 0, data)
        set_flag(m, folio, PG_locked | PG_swapbacked | PG_uptodate)
        yield Step("mfill_copy", "Frame {pfn:#x} holds the monitor's bytes.", pfn=folio, index=index)
        error = -EFAULT
        if index < -(-m.inode.i_size[ino] // m.page_size):
            error = yield from shmem_add_to_page_cache(m, ino, folio, index, page_cache.EMPTY)
        if not error:
            yield from mfill_atomic_install_pte(m, vma, page, folio)
            yield from folio_add_lru(m, folio)
            yield from shmem_recalc_inode(m, ino, 1, 0)
            folio_unlock(m, folio)
            yield from folio_put(m, folio)
            return 0
        folio_unlock(m, folio)
        yield from folio_put(m, folio)
    shmem_inode_unacct_blocks(m, ino, 1)
    yield Step("mfill_fail", "Page {index} could not be filled in: error {error}.", index=index, error=error)
    return error


@path
def mfill_atomic_pte_continue(m: MachineState, vma: int, page: int) -> Path[int]:
    """UFFDIO_CONTINUE: map the page that is in the file already.

    Kernel:   mm/userfaultfd.c, mfill_atomic_pte_continue()
    Locks:    mmap lock
    Left out: -
    """
    if not m.vma.uffd[vma]:
        return -ENOENT
    ino, index = m.vma.ino[vma], m.vma.pgoff[vma] + page
    folio, error = yield from shmem_get_folio(m, ino, index, SGP_NOALLOC)
    if error or folio is None:
        return -EFAULT if error in (0, -ENOENT) else error
    error = -EIO
    if not test_flag(m, folio, PG_hwpoison):
        error = yield from mfill_atomic_install_pte(m, vma, page, folio)
    folio_unlock(m, folio)
    yield from folio_put(m, folio)
    return error
