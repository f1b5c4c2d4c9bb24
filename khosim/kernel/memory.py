"""Page faults: mm/memory.c, and shmem_fault() of mm/shmem.c."""

from __future__ import annotations

from khosim.kernel.locks import folio_unlock
from khosim.kernel.page_alloc import alloc_pages, folio_get, folio_put
from khosim.kernel.shmem import shmem_get_folio_gfp
from khosim.kernel.shmem_kho import ENOMEM, SGP_CACHE
from khosim.kernel.userfaultfd import VM_FAULT_OOM, VM_FAULT_SIGBUS, VM_UFFD_MINOR
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, PG_hwpoison, PG_locked, PG_uptodate, set_flag, test_flag
from khosim.state.phys import copy
from khosim.state.pte import NONE, POISON, Pte, load_pte, store_pte
from khosim.steps import Path, Retry, Step, Wait, Warn, path

__all__ = ["handle_mm_fault", "shmem_fault"]

PUNCHING = 2


def punch_is_over(m: MachineState, ino: int) -> bool:
    """Whether no hole punch is under way in the file."""
    return m.inode.falloc[ino] != PUNCHING


@path
def shmem_fault(m: MachineState, vma: int, index: int) -> Path[tuple[int | None, int]]:
    """Find the page a fault wants: (the locked folio or None, VM_FAULT_* flags).

    Kernel:   mm/shmem.c, shmem_fault()
    Locks:    returns with the folio lock held
    Left out: dropping the mmap lock while it waits
    """
    ino = m.vma.ino[vma]
    while m.inode.falloc[ino] == PUNCHING and m.inode.start[ino] <= index < m.inode.next[ino]:
        yield Wait(f"page {index} is being punched out", punch_is_over, ino)
    folio, error, fault = yield from shmem_get_folio_gfp(m, ino, index, SGP_CACHE, vma)
    if error:
        fault = VM_FAULT_OOM if error == -ENOMEM else VM_FAULT_SIGBUS
    yield Step("fault_done", "The fault on page {index} has its answer.", index=index, error=error, fault=fault)
    return folio, fault


@path
def do_fault_around(m: MachineState, vma: int, page: int) -> Path[None]:
    """Map the neighbours that are uptodate in the page cache, the page itself too; never a block not yet restored.

    Kernel:   mm/memory.c, do_fault_around(); mm/filemap.c, filemap_map_pages()
    Locks:    RCU, page table lock
    Left out: the alignment of the window to addresses; it is aligned to the mapping's start
    """
    width = m.config.fault_around
    ino = m.vma.ino[vma]
    end_of_file = -(-m.inode.i_size[ino] // m.page_size)
    for near in range(page - page % width, min(page - page % width + width, m.vma.pages[vma])):
        index = m.vma.pgoff[vma] + near
        entry = page_cache.load(m, ino, index)
        if entry < 0 or index >= end_of_file or load_pte(m, vma, near) is not NONE:
            continue
        pfn = entry + index - m.page.index[entry] if m.page.order[entry] else entry
        if not test_flag(m, entry, PG_uptodate) or test_flag(m, entry, PG_locked) or test_flag(m, pfn, PG_hwpoison):
            continue
        folio_get(m, entry)
        m.page.mapcount[entry] += 1
        store_pte(m, vma, near, Pte(pfn, write=bool(m.vma.shared[vma]), dirty=False))
        yield Step("map_around", "Frame {pfn:#x} is mapped: it was in the page cache.", pfn=pfn, index=index)


@path
def do_cow_fault(m: MachineState, vma: int, page: int, source: int) -> Path[int]:
    """Give a private mapping its own copy of a page.

    Kernel:   mm/memory.c, do_cow_fault(), wp_page_copy()
    Locks:    page table lock
    Left out: swap of anonymous pages
    """
    frame = yield from alloc_pages(m, 0, movable=1)
    if frame is None:
        return VM_FAULT_OOM
    copy(m, source, frame)
    m.page.mapcount[frame] = 1
    store_pte(m, vma, page, Pte(frame, write=True, dirty=True))
    yield Step("cow", "Frame {pfn:#x} is the program's own copy.", pfn=frame)
    return 0


@path
def do_fault(m: MachineState, vma: int, page: int, write: bool) -> Path[int]:
    """Bring in a page that is not mapped: VM_FAULT_* flags, 0 when it is mapped now.

    Kernel:   mm/memory.c, do_read_fault(), do_shared_fault(), do_cow_fault()
    Locks:    folio lock
    Left out: huge mappings; a large folio is mapped one page at a time
    """
    index = m.vma.pgoff[vma] + page
    shared = bool(m.vma.shared[vma])
    if not write and m.config.fault_around > 1 and m.vma.uffd[vma] != VM_UFFD_MINOR:
        yield from do_fault_around(m, vma, page)
        if load_pte(m, vma, page) is not NONE:
            return 0
    folio, fault = yield from shmem_fault(m, vma, index)
    if folio is None:
        return fault
    pfn = folio + index - m.page.index[folio] if m.page.order[folio] else folio
    if test_flag(m, pfn, PG_hwpoison):
        folio_unlock(m, folio)
        yield from folio_put(m, folio)
        return VM_FAULT_SIGBUS
    if write and not shared:
        fault = yield from do_cow_fault(m, vma, page, pfn)
        folio_unlock(m, folio)
        yield from folio_put(m, folio)
        return fault
    if write:
        set_flag(m, folio, PG_dirty)
    m.page.mapcount[folio] += 1
    store_pte(m, vma, page, Pte(pfn, write=shared, dirty=write))
    folio_unlock(m, folio)
    yield Step("map", "Frame {pfn:#x} is mapped.", pfn=pfn, index=index)
    return 0


@path
def handle_mm_fault(m: MachineState, vma: int, page: int, write: bool) -> Path[int]:
    """Make a page of a mapping usable; the frame, or -1 for SIGBUS.

    Kernel:   mm/memory.c, handle_mm_fault(); mm/oom_kill.c, pagefault_out_of_memory()
    Locks:    mmap lock
    Left out: the OOM killer; as in the kernel, a fault that got no memory is tried again
    """
    while True:
        pte = load_pte(m, vma, page)
        if pte is POISON:
            return -1
        if pte is NONE:
            fault = yield from do_fault(m, vma, page, write)
            if fault == VM_FAULT_SIGBUS:
                return -1
            if fault == VM_FAULT_OOM:
                yield Warn("oom", "Huh VM_FAULT_OOM leaked out to the #PF handler. Retrying PF")
                yield Retry("fault_again", "The fault on page {page} is tried again.", page=page)
            continue
        if write and not pte.write:
            yield from do_cow_fault(m, vma, page, pte.pfn)
            yield from folio_put_mapped(m, pte.pfn)
            continue
        if write and not pte.dirty:
            store_pte(m, vma, page, pte._replace(dirty=True))
            yield Step("pte_dirty", "The page table notes that frame {pfn:#x} was written.", pfn=pte.pfn)
        return pte.pfn


@path
def folio_put_mapped(m: MachineState, pfn: int) -> Path[None]:
    """Drop the reference a page table entry held.

    Kernel:   mm/memory.c, wp_page_copy()
    Locks:    page table lock
    Left out: -
    """
    m.page.mapcount[pfn] -= 1
    yield Step("unmap", "Frame {pfn:#x} is unmapped.", pfn=pfn)
    yield from folio_put(m, pfn)
