"""What a reader might believe of a page that is not in the page cache, and of who asks for it."""

from __future__ import annotations

from khosim.kernel.shmem import EEXIST, NO_VMA, Found, shmem_alloc_and_add_folio, shmem_get_folio_gfp
from khosim.kernel.shmem_kho import (
    ENOENT,
    ENOMEM,
    SGP_CACHE,
    SGP_NOALLOC,
    SGP_READ,
    shmem_alloc_kho_folio,
)
from khosim.kernel.userfaultfd import VM_UFFD_MINOR, handle_userfault, vma_uffd
from khosim.state import page_cache
from khosim.state.blocks import listed_block
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, clear_flag
from khosim.state.phys import FRESH, fill
from khosim.steps import PATHS, Path, Step
from khosim.variants.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]

posted_lookup = PATHS[shmem_get_folio_gfp.__name__]
posted_add = PATHS[shmem_alloc_and_add_folio.__name__]
posted_helper = PATHS[shmem_alloc_kho_folio.__name__]


def _entry(m: MachineState, ino: int, index: int) -> int:
    return page_cache.load(m, ino, index) if index < m.file_pages else page_cache.EMPTY


def _block(m: MachineState, ino: int, index: int) -> int:
    return listed_block(m, m.inode.kho[ino], index)


def miss_is_a_hole(m: MachineState, ino: int, index: int, sgp: int, vma: int = NO_VMA) -> Path[Found]:
    """Let whoever must not allocate leave before the block list is asked.

    Kernel:   mm/shmem.c, shmem_get_folio_gfp(), without P20
    Locks:    returns with the folio lock held
    Left out: -
    """
    inside = index * m.page_size < m.inode.i_size[ino]
    if sgp <= SGP_NOALLOC and m.inode.kho[ino] and inside and _entry(m, ino, index) == page_cache.EMPTY:
        yield Step("nofolio", "No folio for page {index}: the caller may not allocate.", index=index, sgp=sgp)
        return None, 0 if sgp == SGP_READ else -ENOENT, 0
    found: Found = yield from posted_lookup(m, ino, index, sgp, vma)
    return found


def reader_fills(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Let a reader that comes as far as the helper allocate.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio(), as if P04 tested for SGP_NOALLOC alone
    Locks:    none
    Left out: -
    """
    folio: int = yield from posted_helper(m, ino, index, SGP_CACHE if sgp == SGP_READ else sgp)
    return folio


def monitor_fills(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Let SGP_NOALLOC allocate where a block is empty.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio(), as if P04 tested for SGP_READ alone
    Locks:    none
    Left out: -
    """
    folio: int = yield from posted_helper(m, ino, index, SGP_CACHE if sgp == SGP_NOALLOC else sgp)
    return folio


def fault_is_refused(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Refuse a fault where a block is empty.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio(), as if P04 tested sgp <= SGP_CACHE
    Locks:    none
    Left out: -
    """
    if sgp == SGP_CACHE and not _block(m, ino, index):
        yield Step("kho_alloc_err", "Block {index} is empty: a hole.", index=index, error=-ENOENT)
        return -ENOENT
    folio: int = yield from posted_helper(m, ino, index, sgp)
    return folio


def claimed_once(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Refuse a block whose page is in the page cache.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio(), as if the check of P03 were there
    Locks:    none
    Left out: -
    """
    if _entry(m, ino, index) >= 0:
        yield Step("kho_alloc_err", "Block {index} is claimed already.", index=index, error=-ENOENT)
        return -ENOENT
    folio: int = yield from posted_helper(m, ino, index, sgp)
    return folio


def restored_is_clean(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Take a frame back without calling it dirty.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio(), without P10
    Locks:    none
    Left out: -
    """
    held = _block(m, ino, index)
    folio: int = yield from posted_helper(m, ino, index, sgp)
    if held and folio >= 0:
        clear_flag(m, folio, PG_dirty)
        yield Step("mark_clean", "Frame {pfn:#x} is as clean as it was written.", pfn=folio)
    return folio


def promise_is_remembered(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Zero a frame that was promised and never filled.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio(), as if a block had the flag that P09's TODO misses
    Locks:    none
    Left out: -
    """
    folio: int = yield from posted_helper(m, ino, index, sgp)
    if folio >= 0 and _entry(m, ino, index) == page_cache.EMPTY and all(m.arrays["phys"][folio] == FRESH):
        fill(m, folio, 0)
        yield Step("clear", "Frame {pfn:#x} is zeroed and uptodate.", pfn=folio)
    return folio


def taken_is_an_error(m: MachineState, ino: int, index: int, order: int, sgp: int) -> Path[int]:
    """Give the caller an error where somebody else was faster.

    Kernel:   mm/shmem.c, shmem_get_folio_gfp(), without P24
    Locks:    as the posted one
    Left out: -
    """
    error: int = yield from posted_add(m, ino, index, order, sgp)
    return -ENOMEM if error == -EEXIST else error


def swapped_is_a_hole(m: MachineState, ino: int, index: int, sgp: int, vma: int = NO_VMA) -> Path[Found]:
    """Bring nothing back from swap for whoever must not allocate.

    Kernel:   mm/shmem.c, shmem_get_folio_gfp(), as if swap-in asked for the sgp
    Locks:    returns with the folio lock held
    Left out: -
    """
    if sgp <= SGP_NOALLOC and page_cache.is_swap(_entry(m, ino, index)):
        yield Step("nofolio", "No folio for page {index}: the caller may not allocate.", index=index, sgp=sgp)
        return None, 0 if sgp == SGP_READ else -ENOENT, 0
    found: Found = yield from posted_lookup(m, ino, index, sgp, vma)
    return found


def monitor_hears_of_held(m: MachineState, ino: int, index: int, sgp: int, vma: int = NO_VMA) -> Path[Found]:
    """Tell a monitor of a minor fault on a page that is held.

    Kernel:   mm/shmem.c, shmem_get_folio_gfp(), as if the minor fault asked the block list
    Locks:    returns with the folio lock held
    Left out: -
    """
    held = m.inode.kho[ino] and _block(m, ino, index) and _entry(m, ino, index) == page_cache.EMPTY
    if held and vma_uffd(m, vma) == VM_UFFD_MINOR:
        return None, 0, (yield from handle_userfault(m, vma, index))
    found: Found = yield from posted_lookup(m, ino, index, sgp, vma)
    return found


MISTAKES = (
    Mistake("miss-is-a-hole", 4, "What is not in the page cache does not exist.",
            {"shmem_get_folio_gfp": miss_is_a_hole}),
    Mistake("reader-fills", 4, "A read of a hole in a KHO file makes a page.", {"shmem_alloc_kho_folio": reader_fills}),
    Mistake("monitor-fills", 4, "SGP_NOALLOC gets a page of zeroes for a hole.",
            {"shmem_alloc_kho_folio": monitor_fills}),
    Mistake("fault-is-refused", 4, "A fault must not allocate, and fails at an empty block.",
            {"shmem_alloc_kho_folio": fault_is_refused}),
    Mistake("claimed-once", 4, "A block knows that its page is in the page cache already.",
            {"shmem_alloc_kho_folio": claimed_once}),
    Mistake("restored-is-clean", 4, "A page that comes back, and that nobody has written, is clean.",
            {"shmem_alloc_kho_folio": restored_is_clean}),
    Mistake("promise-is-remembered", 4, "A promised page is still a promise after a kexec.",
            {"shmem_alloc_kho_folio": promise_is_remembered}),
    Mistake("taken-is-an-error", 4, "Whoever finds the slot taken gets an error.",
            {"shmem_alloc_and_add_folio": taken_is_an_error}),
    Mistake("swapped-is-a-hole", 4, "Swap-in takes a frame, so who must not allocate gets nothing from swap.",
            {"shmem_get_folio_gfp": swapped_is_a_hole}),
    Mistake("monitor-hears-of-held", 4, "A monitor is told of a fault on a held page, as of one on a cached page.",
            {"shmem_get_folio_gfp": monitor_hears_of_held}),
)  # fmt: skip
