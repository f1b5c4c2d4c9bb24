"""What a reader might believe of an ordinary file in memory."""

from __future__ import annotations

from khosim.kernel.inode import i_size_write
from khosim.kernel.locks import folio_lock
from khosim.kernel.memory import do_fault, shmem_fault
from khosim.kernel.page_alloc import alloc_pages, folio_get
from khosim.kernel.shmem import NO_VMA, Found, shmem_alloc_and_add_folio, shmem_get_folio_gfp
from khosim.kernel.shmem_kho import ENOMEM, SGP_CACHE, SGP_FALLOC, SGP_NOALLOC, SGP_READ
from khosim.kernel.userfaultfd import VM_FAULT_OOM
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_uptodate, folio_nr_pages, set_flag
from khosim.state.phys import fill
from khosim.state.pte import Pte, store_pte
from khosim.steps import PATHS, Path, Step
from khosim.variants.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]

posted_lookup = PATHS[shmem_get_folio_gfp.__name__]
posted_alloc = PATHS[shmem_alloc_and_add_folio.__name__]
posted_fault, posted_shmem_fault = PATHS[do_fault.__name__], PATHS[shmem_fault.__name__]


def read_fills(m: MachineState, ino: int, index: int, sgp: int, vma: int = NO_VMA) -> Path[Found]:
    """Let a reader of an ordinary file allocate, as a fault does.

    Kernel:   mm/shmem.c, shmem_get_folio_gfp(), as if SGP_READ were SGP_CACHE
    Locks:    returns with the folio lock held
    Left out: -
    """
    sgp = SGP_CACHE if sgp == SGP_READ and not m.inode.kho[ino] else sgp
    found: Found = yield from posted_lookup(m, ino, index, sgp, vma)
    return found


def continue_fills(m: MachineState, ino: int, index: int, sgp: int, vma: int = NO_VMA) -> Path[Found]:
    """Let SGP_NOALLOC allocate in an ordinary file.

    Kernel:   mm/shmem.c, shmem_get_folio_gfp(), as if SGP_NOALLOC were SGP_CACHE
    Locks:    returns with the folio lock held
    Left out: -
    """
    sgp = SGP_CACHE if sgp == SGP_NOALLOC and not m.inode.kho[ino] else sgp
    found: Found = yield from posted_lookup(m, ino, index, sgp, vma)
    return found


def load_leaves_a_hole(m: MachineState, vma: int, page: int, write: bool) -> Path[int]:
    """Map a page of zeroes that is not the file's where a load finds a hole.

    Kernel:   mm/memory.c, do_fault(), as anonymous memory treats a load
    Locks:    page table lock
    Left out: that all holes would share one such page
    """
    ino, index = m.vma.ino[vma], m.vma.pgoff[vma] + page
    inside = index * m.page_size < m.inode.i_size[ino]
    if write or not inside or m.inode.kho[ino] or page_cache.load(m, ino, index) != page_cache.EMPTY:
        fault: int = yield from posted_fault(m, vma, page, write)
        return fault
    frame = yield from alloc_pages(m, 0, movable=0)
    if frame is None:
        return VM_FAULT_OOM
    fill(m, frame, 0)
    m.page.mapcount[frame] = 1
    store_pte(m, vma, page, Pte(frame, write=False, dirty=False))
    yield Step("map_zeroes", "Frame {pfn:#x} is mapped: a page of zeroes, not the file's.", pfn=frame)
    return 0


def promise_without_frames(m: MachineState, ino: int, start: int, end: int) -> Path[int]:
    """Promise pages and allocate none.

    Kernel:   mm/shmem.c, shmem_fallocate(), as if it kept a number
    Locks:    inode lock
    Left out: -
    """
    m.inode.fallocend[ino] = max(m.inode.fallocend[ino], end)
    yield Step("promised", "{count:page} promised, from page {start} on.", count=end - start, start=start)
    return 0


def promise_zeroed(m: MachineState, ino: int, index: int, sgp: int, vma: int = NO_VMA) -> Path[Found]:
    """Zero a promised page at once.

    Kernel:   mm/shmem.c, shmem_get_folio_gfp(), as if SGP_FALLOC were SGP_CACHE past the end too
    Locks:    returns with the folio lock held
    Left out: -
    """
    found: Found = yield from posted_lookup(m, ino, index, sgp, vma)
    folio = found[0]
    if sgp == SGP_FALLOC and folio is not None and not m.page.flags[folio] & PG_uptodate:
        for frame in range(folio, folio + folio_nr_pages(m, folio)):
            fill(m, frame, 0)
        set_flag(m, folio, PG_uptodate)
        yield Step("clear", "Frame {pfn:#x} is zeroed and uptodate.", pfn=folio)
    return found


def read_shows_a_promise(m: MachineState, ino: int, index: int, sgp: int, vma: int = NO_VMA) -> Path[Found]:
    """Hand a reader the folio of a promised page as it is.

    Kernel:   mm/shmem.c, shmem_get_folio_gfp(), without P26: the caller keeps the folio
    Locks:    returns with the folio lock held
    Left out: -
    """
    entry = page_cache.load(m, ino, index)
    inside = index * m.page_size < m.inode.i_size[ino]
    if sgp == SGP_READ and inside and entry >= 0 and not m.inode.kho[ino] and not m.page.flags[entry] & PG_uptodate:
        folio_get(m, entry)
        yield from folio_lock(m, entry)
        return entry, 0, 0
    found: Found = yield from posted_lookup(m, ino, index, sgp, vma)
    return found


def cut_leaves_the_tail(
    m: MachineState, ino: int, lstart: int, lend: int, start: int, end: int
) -> Path[tuple[int, int]]:
    """Leave the partly cut pages as they are.

    Kernel:   mm/shmem.c, shmem_undo_range(), without the part between its two loops
    Locks:    folio lock
    Left out: -
    """
    first, last = lstart // m.page_size, lend // m.page_size
    yield Step("edges", "Inode {ino} keeps all bytes of the pages {first} and {last}.", ino=ino, first=first, last=last)
    return start, end


def cut_is_a_number(m: MachineState, ino: int, size: int) -> Path[int]:
    """Set the size and leave the pages.

    Kernel:   mm/shmem.c, shmem_setattr(), without truncation
    Locks:    inode lock
    Left out: -
    """
    yield from i_size_write(m, ino, size)
    return 0


def touch_makes_longer(m: MachineState, vma: int, index: int) -> Path[tuple[int | None, int]]:
    """Let a fault past the end make the file longer.

    Kernel:   mm/shmem.c, shmem_fault(), as if it wrote
    Locks:    returns with the folio lock held
    Left out: -
    """
    ino, end = m.vma.ino[vma], (index + 1) * m.page_size
    if end - m.page_size >= m.inode.i_size[ino]:
        yield from i_size_write(m, ino, end)
    found: tuple[int | None, int] = yield from posted_shmem_fault(m, vma, index)
    return found


def huge_or_nothing(m: MachineState, ino: int, index: int, order: int, sgp: int) -> Path[int]:
    """Refuse single pages while huge ones are asked for.

    Kernel:   mm/shmem.c, shmem_alloc_and_add_folio(), as if there were no second attempt
    Locks:    as the posted one
    Left out: -
    """
    if m.shmem_huge and not order and not m.inode.kho[ino]:
        yield Step("no_second", "Page {index} gets no huge page, and so none.", index=index)
        return -ENOMEM
    error: int = yield from posted_alloc(m, ino, index, order, sgp)
    return error


def huge_when_filled(m: MachineState, ino: int, index: int, order: int, sgp: int) -> Path[int]:
    """Never begin with a huge page.

    Kernel:   mm/shmem.c, shmem_alloc_and_add_folio(), as if only khugepaged made huge pages
    Locks:    as the posted one
    Left out: -
    """
    error: int = yield from posted_alloc(m, ino, index, min(order, 0), sgp)
    return error


MISTAKES = (
    Mistake("read-fills-a-hole", 2, "A hole that is read becomes a page.", {"shmem_get_folio_gfp": read_fills}),
    Mistake("load-leaves-a-hole", 2, "A load finds zeroes in a hole, and leaves a hole.",
            {"do_fault": load_leaves_a_hole}),
    Mistake("everybody-gets-a-page", 2, "Whoever asks the kernel for a page gets one, but for a reader.",
            {"shmem_get_folio_gfp": continue_fills}),
    Mistake("promise-is-a-number", 2, "fallocate notes how much was promised, and takes no memory.",
            {"shmem_fallocate_pages": promise_without_frames}),
    Mistake("promise-is-zeroes", 2, "A promised page is a page of zeroes.", {"shmem_get_folio_gfp": promise_zeroed}),
    Mistake("promise-shows-old-bytes", 2, "A read of a promised page shows what the frame's last owner left.",
            {"shmem_get_folio_gfp": read_shows_a_promise}),
    Mistake("cut-leaves-the-tail", 2, "A cut within a page leaves the rest of the page.",
            {"shmem_undo_edges": cut_leaves_the_tail}),
    Mistake("cut-is-a-number", 2, "A cut changes the size, and the pages come back when the file grows.",
            {"shmem_truncate": cut_is_a_number}),
    Mistake("touch-makes-longer", 2, "A mapping that is touched past the end makes the file longer.",
            {"shmem_fault": touch_makes_longer}),
    Mistake("huge-or-nothing", 2, "With huge pages asked for, a file gets huge pages or an error.",
            {"shmem_alloc_and_add_folio": huge_or_nothing}),
    Mistake("huge-when-filled", 2, "A huge page comes when eight pages have been written.",
            {"shmem_alloc_and_add_folio": huge_when_filled}),
)  # fmt: skip
