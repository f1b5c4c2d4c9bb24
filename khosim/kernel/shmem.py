"""Where a page of a file comes from: the heart of mm/shmem.c, with the patch in it."""

from __future__ import annotations

from khosim.kernel.filemap import filemap_get_entry, filemap_remove_folio, mapping_of
from khosim.kernel.locks import folio_lock, folio_unlock
from khosim.kernel.page_alloc import folio_get, folio_put
from khosim.kernel.shmem_kho import (
    EFBIG,
    ENOENT,
    ENOMEM,
    SGP_CACHE,
    SGP_FALLOC,
    SGP_NOALLOC,
    SGP_READ,
    SGP_WRITE,
    shmem_alloc_folio,
    shmem_alloc_kho_folio,
    shmem_kho_free_block,
)
from khosim.kernel.shmem_swap import shmem_inode_acct_blocks, shmem_recalc_inode, shmem_swapin_folio
from khosim.kernel.swap import folio_add_lru, folio_mark_accessed
from khosim.kernel.userfaultfd import VM_UFFD_MINOR, VM_UFFD_MISSING, handle_userfault, vma_uffd
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import (
    PG_locked,
    PG_referenced,
    PG_swapbacked,
    PG_uptodate,
    folio_nr_pages,
    set_flag,
    test_flag,
)
from khosim.state.phys import fill
from khosim.steps import Choose, Path, Retry, Step, path

__all__ = ["EEXIST", "EINVAL", "NO_VMA", "Found", "shmem_add_to_page_cache", "shmem_alloc_and_add_folio",
           "shmem_get_folio", "shmem_get_folio_gfp"]  # fmt: skip

E2BIG, EEXIST, EINVAL = 7, 17, 22
NO_VMA = -1
Found = tuple[int | None, int, int]
"""(folio or None, 0 or a negative errno, 0 or a VM_FAULT_* flag)."""


@path
def shmem_add_to_page_cache(m: MachineState, ino: int, folio: int, index: int, expected: int) -> Path[int]:
    """Put a locked folio into the page cache, if the slot still holds what was expected.

    Kernel:   mm/shmem.c, shmem_add_to_page_cache()
    Locks:    folio lock, i_pages lock
    Left out: memcg, statistics
    """
    error: int = yield Choose("add", (0, -ENOMEM, -EEXIST), index=index, pfn=folio)
    if error:
        yield Step("add_fail", "The page cache takes no page {index}: error {error}.", index=index, error=error)
        return error
    count = folio_nr_pages(m, folio)
    folio_get(m, folio, count)
    m.page.mapping[folio] = mapping_of(ino)
    m.page.index[folio] = index
    yield Step("add_ref", "Frame {pfn:#x} belongs to page {index} and gets the cache's reference.", pfn=folio,
               index=index)  # fmt: skip
    if any(page_cache.load(m, ino, place) != expected for place in range(index, index + count)):
        m.page.mapping[folio] = 0
        m.page.refcount[folio] -= count
        yield Step("add_conflict", "Page {index} is taken: frame {pfn:#x} belongs to no file now.", pfn=folio,
                   index=index)  # fmt: skip
        return -EEXIST
    page_cache.store_range(m, ino, index, count, folio)
    m.inode.nrpages[ino] += count
    yield Step("cache_add", "Frame {pfn:#x} joins the page cache as page {index}.", pfn=folio, index=index)
    return 0


@path
def shmem_alloc_and_add_folio(m: MachineState, ino: int, index: int, order: int, sgp: int) -> Path[int]:
    """Get a folio for a page that is not in the cache, and insert it; a negative errno if either fails.

    Kernel:   mm/shmem.c, shmem_alloc_and_add_folio(), P15-P18
    Locks:    the folio lock, taken without atomics: nobody else is believed to see the folio
    Left out: memcg charge, orders other than 0 and one huge order, shrinking huge folios when blocks run out
    """
    yield Step(
        "alloc_and_add",
        "Page {index} is not in the page cache; it must be brought in.",
        index=index,
        sgp=sgp,
        order=order,
    )
    if m.inode.kho[ino]:
        folio = yield from shmem_alloc_kho_folio(m, ino, index, sgp)
        if folio < 0:
            return folio
    else:
        count = 1 << order
        index -= index % count
        if order and any(True for _ in page_cache.entries(m, ino, index, index + count)):
            return -E2BIG
        got = yield from shmem_alloc_folio(m, index, order)
        if got is None:
            return -ENOMEM
        folio = got
    set_flag(m, folio, PG_locked | PG_swapbacked)
    yield Step("set_locked", "Frame {pfn:#x} is locked without a test.", pfn=folio)
    error = yield from shmem_add_to_page_cache(m, ino, folio, index, page_cache.EMPTY)
    if not error:
        error = yield from shmem_inode_acct_blocks(m, ino, folio_nr_pages(m, folio))
        if not error:
            yield from shmem_recalc_inode(m, ino, folio_nr_pages(m, folio), 0)
            yield from folio_add_lru(m, folio)
            return folio
        yield from filemap_remove_folio(m, folio)
    yield Step("add_err", "Page {index} could not be brought in: error {error}.", index=index, error=error)
    if m.inode.kho[ino]:
        yield from shmem_kho_free_block(m, ino, index)
    folio_unlock(m, folio)
    yield from folio_put(m, folio)
    return error


@path
def shmem_clear_folio(m: MachineState, ino: int, index: int, sgp: int, folio: int, alloced: bool) -> Path[Found]:
    """Finish a lookup: zero what nobody has written, then make sure the file was not cut meanwhile.

    Kernel:   mm/shmem.c, shmem_get_folio_gfp() from its label `alloced` on
    Locks:    folio lock
    Left out: the shrinklist of huge folios past the end
    """
    if alloced:
        if sgp == SGP_WRITE:
            set_flag(m, folio, PG_referenced)
        elif sgp == SGP_FALLOC:
            sgp = SGP_WRITE
    if sgp != SGP_WRITE and not test_flag(m, folio, PG_uptodate):
        for frame in range(folio, folio + folio_nr_pages(m, folio)):
            fill(m, frame, 0)
        set_flag(m, folio, PG_uptodate)
        yield Step("clear", "Frame {pfn:#x} is zeroed and uptodate.", pfn=folio)
    if sgp <= SGP_CACHE and index * m.page_size >= m.inode.i_size[ino]:
        yield from shmem_get_folio_unlock(m, ino, index, -EINVAL, folio, alloced)
        return None, -EINVAL, 0
    return folio, 0, 0


@path
def shmem_get_folio_unlock(
    m: MachineState, ino: int, index: int, error: int, folio: int | None, alloced: bool
) -> Path[None]:
    """Undo a failed lookup.

    Kernel:   mm/shmem.c, shmem_get_folio_gfp() from its label `unlock` on
    Locks:    folio lock
    Left out: -
    """
    yield Step("get_folio_unlock", "The lookup of page {index} fails: error {error}.", index=index, error=error,
               added=int(alloced))  # fmt: skip
    if folio is not None and alloced:
        yield from filemap_remove_folio(m, folio)
    yield from shmem_recalc_inode(m, ino, 0, 0)
    if folio is not None:
        folio_unlock(m, folio)
        yield from folio_put(m, folio)


@path
def shmem_get_folio_gfp(m: MachineState, ino: int, index: int, sgp: int, vma: int = NO_VMA) -> Path[Found]:
    """Find, restore or allocate the folio of one page; it comes back locked and referenced.

    Kernel:   mm/shmem.c, shmem_get_folio_gfp(), P19-P29, P36, P37, P40
    Locks:    returns with the folio lock held
    Left out: gfp masks, memcg's fault_mm; P29 is unreachable here too
    """
    uffd = vma_uffd(m, vma)
    if index >= m.file_pages:
        return None, -EFBIG, 0
    while True:
        if sgp <= SGP_CACHE and index * m.page_size >= m.inode.i_size[ino]:
            return None, -EINVAL, 0
        entry = yield from filemap_get_entry(m, ino, index)
        if entry != page_cache.EMPTY and uffd == VM_UFFD_MINOR:
            if entry >= 0:
                yield from folio_put(m, entry)
            return None, 0, (yield from handle_userfault(m, vma, index))
        if page_cache.is_swap(entry):
            folio, error = yield from shmem_swapin_folio(m, ino, index, entry)
            if error == -EEXIST:
                yield Retry("repeat", "shmem_get_folio_gfp keeps repeating (index {index})", index=index, sgp=sgp)
                continue
            return folio, error, 0
        if entry >= 0:
            yield from folio_lock(m, entry)
            if m.page.mapping[entry] != mapping_of(ino):
                folio_unlock(m, entry)
                yield from folio_put(m, entry)
                yield Retry("repeat", "shmem_get_folio_gfp keeps repeating (index {index})", index=index, sgp=sgp)
                continue
            if sgp == SGP_WRITE:
                folio_mark_accessed(m, entry)
            if test_flag(m, entry, PG_uptodate):
                return entry, 0, 0
            if sgp != SGP_READ:
                return (yield from shmem_clear_folio(m, ino, index, sgp, entry, alloced=False))
            folio_unlock(m, entry)
            yield from folio_put(m, entry)
        order = 0
        if not m.inode.kho[ino]:
            if sgp <= SGP_NOALLOC:
                yield Step("nofolio", "No folio for page {index}: the caller may not allocate.", index=index, sgp=sgp)
                return None, 0 if sgp == SGP_READ else -ENOENT, 0
            if uffd == VM_UFFD_MISSING:
                return None, 0, (yield from handle_userfault(m, vma, index))
            order = m.config.huge_order if m.shmem_huge else 0
            order = order if index | ((1 << order) - 1) < m.file_pages else 0
        error = yield from shmem_alloc_and_add_folio(m, ino, index, order, sgp)
        if order and error < 0 and error != -EEXIST:
            error = yield from shmem_alloc_and_add_folio(m, ino, index, 0, sgp)
        if error >= 0:
            return (yield from shmem_clear_folio(m, ino, index, sgp, error, alloced=True))
        if error == -EEXIST:
            yield Retry("repeat", "shmem_get_folio_gfp keeps repeating (index {index})", index=index, sgp=sgp)
            continue
        if error == -ENOENT and sgp <= SGP_NOALLOC:
            return None, 0 if sgp == SGP_READ else -ENOENT, 0
        yield from shmem_get_folio_unlock(m, ino, index, error, None, alloced=False)
        return None, error, 0


@path
def shmem_get_folio(m: MachineState, ino: int, index: int, sgp: int) -> Path[tuple[int | None, int]]:
    """Look a page up for a caller that is not a page fault.

    Kernel:   mm/shmem.c, shmem_get_folio()
    Locks:    returns with the folio lock held
    Left out: -
    """
    folio, error, _ = yield from shmem_get_folio_gfp(m, ino, index, sgp)
    return folio, error
