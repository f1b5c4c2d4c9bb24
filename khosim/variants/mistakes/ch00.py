"""What a reader might believe of a page that crosses a kexec, before the first chapter."""

from __future__ import annotations

from khosim.kernel.kexec import kernel_kexec, kho_populate
from khosim.kernel.locks import folio_unlock
from khosim.kernel.memfd import MFD_KHO, memfd_create
from khosim.kernel.page_alloc import folio_put
from khosim.kernel.shmem import shmem_get_folio
from khosim.kernel.shmem_file import Read, shmem_file_read_iter
from khosim.kernel.shmem_kho import SGP_CACHE, bitmap_clear, bitmap_set, shmem_alloc_folio, shmem_alloc_kho_folio
from khosim.state import handover, page_cache
from khosim.state.blocks import listed_block, load_block, store_block
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, PG_uptodate, set_flag
from khosim.state.phys import copy, fill, pfn_phys, phys_pfn
from khosim.steps import PATHS, Path, Step
from khosim.variants.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]

posted_memfd, posted_read = PATHS[memfd_create.__name__], PATHS[shmem_file_read_iter.__name__]
posted_alloc, posted_populate = PATHS[shmem_alloc_kho_folio.__name__], PATHS[kho_populate.__name__]
posted_kexec = PATHS[kernel_kexec.__name__]


def bring_all(m: MachineState, ino: int) -> Path[None]:
    """Bring every page back that a block names.

    Kernel:   mm/shmem.c, shmem_get_folio(), for page after page
    Locks:    folio lock
    Left out: -
    """
    held = [n for n in range(m.config.nblocks) if load_block(m, m.inode.kho[ino], n)]
    for index in held:
        folio, _ = yield from shmem_get_folio(m, ino, index, SGP_CACHE)
        if folio is not None:
            folio_unlock(m, folio)
            yield from folio_put(m, folio)


def open_brings_all(m: MachineState, name: str, flags: int) -> Path[int]:
    """Open a file, and bring its pages back at once.

    Kernel:   mm/memfd.c, memfd_create()
    Locks:    none
    Left out: -
    """
    fd: int = yield from posted_memfd(m, name, flags)
    if fd >= 0 and flags & MFD_KHO:
        yield from bring_all(m, m.file.ino[fd - 3])
    return fd


def read_brings_all(m: MachineState, ino: int, pos: int, count: int) -> Path[Read]:
    """Bring the whole file back at a read, then read.

    Kernel:   mm/shmem.c, shmem_file_read_iter()
    Locks:    none
    Left out: -
    """
    if m.inode.kho[ino]:
        yield from bring_all(m, ino)
    got: Read = yield from posted_read(m, ino, pos, count)
    return got


def every_file_crosses(m: MachineState, name: str, flags: int) -> Path[int]:
    """Open every file as if it were to be kept.

    Kernel:   mm/memfd.c, memfd_create()
    Locks:    none
    Left out: -
    """
    fd: int = yield from posted_memfd(m, name, flags | MFD_KHO)
    return fd


def back_by_copy(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Copy a held page into a fresh frame of this kernel's own.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio()
    Locks:    none
    Left out: -
    """
    start = listed_block(m, m.inode.kho[ino], index)
    folio: int | None
    if not start:
        folio = yield from posted_alloc(m, ino, index, sgp)
        return folio or 0
    folio = yield from shmem_alloc_folio(m, index, 0)
    if folio is None:
        return -12
    old = phys_pfn(m, start)
    copy(m, old, folio)
    yield Step("copied", "Page {index} is copied into frame {pfn:#x}.", index=index, pfn=folio)
    yield from bitmap_set(m, folio)
    store_block(m, m.inode.kho[ino], index, pfn_phys(m, folio))
    yield Step("block_set", "Block {index} names frame {pfn:#x}.", index=index, pfn=folio)
    yield from bitmap_clear(m, old)
    yield from folio_put(m, old)
    set_flag(m, folio, PG_uptodate | PG_dirty)
    return folio


def back_means_gone(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Take a held page out of the handover when it comes back.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio()
    Locks:    none
    Left out: -
    """
    held = listed_block(m, m.inode.kho[ino], index)
    folio: int = yield from posted_alloc(m, ino, index, sgp)
    if held:
        yield from bitmap_clear(m, folio)
        store_block(m, m.inode.kho[ino], index, 0)
        yield Step("free_block", "Block {index} is empty.", index=index, pfn=folio)
    return folio


def alloc_and_note_nothing(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Give a fresh folio, and leave bit and block to the kexec.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio()
    Locks:    none
    Left out: -
    """
    if sgp > SGP_CACHE - 1 and index < m.config.nblocks and not load_block(m, m.inode.kho[ino], index):
        folio: int | None = yield from shmem_alloc_folio(m, index, 0)
        return -12 if folio is None else folio
    back: int = yield from posted_alloc(m, ino, index, sgp)
    return back


def kexec_saves(m: MachineState) -> Path[int]:
    """Go through all files, and set bit and block of each page.

    Kernel:   kernel/kexec_core.c, kernel_kexec()
    Locks:    system_transition_mutex
    Left out: -
    """
    for ino in (n for n in range(m.config.inodes) if m.inode.kho[n]):
        for index in range(m.config.nblocks):
            pfn = page_cache.load(m, ino, index)
            if pfn >= 0 and not load_block(m, m.inode.kho[ino], index):
                yield from bitmap_set(m, pfn)
                store_block(m, m.inode.kho[ino], index, pfn_phys(m, pfn))
                yield Step("block_set", "Block {index} names frame {pfn:#x}.", index=index, pfn=pfn)
    fdt: int = yield from posted_kexec(m)
    return fdt


def boot_wipes(m: MachineState, fdt: int) -> Path[bool]:
    """Believe the handover, then clear the pages it names.

    Kernel:   kernel/kexec_handover.c, kho_populate()
    Locks:    none, one CPU runs
    Left out: -
    """
    found: bool = yield from posted_populate(m, fdt)
    for pfn in {*handover.preserved(m)} - {*handover.metadata(m)} if found else ():
        fill(m, pfn, 0)
    yield Step("wiped", "What is not the handover's own is cleared.")
    return found


MISTAKES = (
    Mistake("opened-whole", 0, "Opening a file after a kexec brings its pages back.",
            {"memfd_create": open_brings_all}),
    Mistake("read-brings-all", 0, "The first read brings the whole file back.",
            {"shmem_file_read_iter": read_brings_all}),
    Mistake("every-file-crosses", 0, "Every file in memory outlives a kexec.", {"memfd_create": every_file_crosses}),
    Mistake("back-by-copy", 0, "A page that comes back is copied into a frame of the new kernel.",
            {"shmem_alloc_kho_folio": back_by_copy}),
    Mistake("back-means-gone", 0, "A page that is back in the page cache is no longer in the block list.",
            {"shmem_alloc_kho_folio": back_means_gone}),
    Mistake("saved-at-kexec", 0, "The kexec goes through the files, and saves each page.",
            {"shmem_alloc_kho_folio": alloc_and_note_nothing, "kernel_kexec": kexec_saves}),
    Mistake("wiped-by-restart", 0, "A restart clears memory: names and sizes cross, bytes do not.",
            {"kho_populate": boot_wipes}),
)  # fmt: skip
