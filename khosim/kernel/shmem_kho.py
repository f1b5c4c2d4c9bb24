"""The patch's own functions in mm/shmem.c: the block list of a KHO-enabled inode."""

from __future__ import annotations

from khosim.errors import KernelPanic
from khosim.kernel.page_alloc import alloc_pages
from khosim.kernel.warn import warn_on_once
from khosim.state.bitmap import read_word, write_word
from khosim.state.blocks import load_block, store_block
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, PG_uptodate, folio_nr_pages, set_flag
from khosim.state.phys import FRESH, fill, pfn_phys, phys_pfn
from khosim.steps import Choose, Path, Step, Warn, path

__all__ = ["EFBIG", "ENOENT", "ENOMEM", "SGP_CACHE", "SGP_FALLOC", "SGP_NOALLOC", "SGP_READ", "SGP_WRITE",
           "bitmap_clear", "bitmap_set", "shmem_alloc_folio", "shmem_alloc_kho_folio", "shmem_invalidate_folio",
           "shmem_kho_free_block"]  # fmt: skip

SGP_READ, SGP_NOALLOC, SGP_CACHE, SGP_WRITE, SGP_FALLOC = range(5)
ENOENT, ENOMEM, EFBIG = 2, 12, 27


def start_folio(m: MachineState, start: int) -> int:
    """The frame a block starts at: virt_to_folio(phys_to_virt(start)). Raises `KernelPanic` outside the direct map."""
    folio = phys_pfn(m, start)
    if folio >= m.frames:
        raise KernelPanic(f"BUG: unable to handle page fault: a block starts at {start:#x}, where no memory is")
    return folio


@path
def bitmap_set(m: MachineState, pfn: int) -> Path[None]:
    """Set one PFN bit, without a lock: read the word, then write it back.

    Kernel:   lib/bitmap.c, bitmap_set()
    Locks:    none; two CPUs can lose each other's bits
    Left out: -
    """
    word = read_word(m, pfn)
    yield Step("bitmap_read", "The bitmap word of frame {pfn:#x} is read.", pfn=pfn)
    write_word(m, pfn, word | 1 << pfn % 64)
    yield Step("bit_set", "PFN bit of frame {pfn:#x} is set: the next kernel must not touch it.", pfn=pfn)


@path
def bitmap_clear(m: MachineState, pfn: int) -> Path[None]:
    """Clear one PFN bit, without a lock: read the word, then write it back.

    Kernel:   lib/bitmap.c, bitmap_clear()
    Locks:    none; two CPUs can lose each other's bits
    Left out: -
    """
    word = read_word(m, pfn)
    yield Step("bitmap_read", "The bitmap word of frame {pfn:#x} is read.", pfn=pfn)
    write_word(m, pfn, word & ~(1 << pfn % 64))
    yield Step("bit_clear", "PFN bit of frame {pfn:#x} is cleared.", pfn=pfn)


@path
def shmem_alloc_folio(m: MachineState, index: int, order: int) -> Path[int | None]:
    """Allocate one folio for a file; None if there is no memory, or if luck says so.

    Kernel:   mm/shmem.c, shmem_alloc_folio()
    Locks:    none
    Left out: mempolicy
    """
    if (yield Choose("alloc", (0, -ENOMEM), index=index, order=order)):
        yield Step("alloc_fail", "No memory for page {index}.", index=index)
        return None
    folio = yield from alloc_pages(m, order, movable=1)
    if folio is None:
        return None
    for frame in range(folio, folio + (1 << order)):
        fill(m, frame, FRESH)
    words = "Frame {pfn:#x} is not zeroed: A5 stands for what its last owner left."
    yield Step("new_folio", words, pfn=folio, index=index, order=order)
    return folio


@path
def shmem_alloc_kho_folio(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Give the folio for a page of a KHO inode: the block's, a fresh one, or a negative errno.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio(), P01-P11
    Locks:    none; the comment believes a claimed block cannot arrive here (P03)
    Left out: nothing; the address formed before the bound check (P02) has no effect in Python
    """
    kho = m.inode.kho[ino]
    yield Step("kho_alloc", "Page {index} is looked up in the block list.", index=index, sgp=sgp)
    if index >= m.config.nblocks:
        yield Step("kho_alloc_err", "Page {index} is past the block list: EFBIG.", index=index, error=-EFBIG)
        return -EFBIG
    start = load_block(m, kho, index)
    if not start:
        if sgp <= SGP_NOALLOC:
            yield Step("kho_alloc_err", "Block {index} is empty: a hole.", index=index, error=-ENOENT)
            return -ENOENT
        folio = yield from shmem_alloc_folio(m, index, 0)
        if folio is None:
            yield Step("kho_alloc_err", "Page {index} gets no memory: ENOMEM.", index=index, error=-ENOMEM)
            return -ENOMEM
        yield from bitmap_set(m, folio)
        store_block(m, kho, index, pfn_phys(m, folio))
        yield Step("block_set", "Block {index} names frame {pfn:#x}.", index=index, pfn=folio)
        return folio
    folio = start_folio(m, start)
    yield Step("restore", "Block {index} names frame {pfn:#x}: it is taken back.", index=index, pfn=folio)
    set_flag(m, folio, PG_uptodate)
    yield Step("mark_uptodate", "Frame {pfn:#x} is marked uptodate.", pfn=folio)
    set_flag(m, folio, PG_dirty)
    yield Step("mark_dirty", "Frame {pfn:#x} is marked dirty.", pfn=folio)
    return folio


@path
def shmem_kho_free_block(m: MachineState, ino: int, index: int) -> Path[None]:
    """Clear the PFN bit of a block, then the block.

    Kernel:   mm/shmem.c, shmem_kho_free_block(), P12-P14
    Locks:    none
    Left out: past the end of the array the kernel reads, and may clear, what lies there; here it is always zero
    """
    kho = m.inode.kho[ino]
    if index >= m.config.nblocks:
        yield Step("free_block_oob", "Block {index} is past the array: out of bounds.", index=index)
        yield from warn_on_once(m, "shmem_kho_free_block", "WARNING: mm/shmem.c shmem_kho_free_block")
        return
    start = load_block(m, kho, index)
    if not start:
        yield Step("block_empty", "Block {index} is empty already.", index=index)
        yield from warn_on_once(m, "shmem_kho_free_block", "WARNING: mm/shmem.c shmem_kho_free_block")
        return
    yield from bitmap_clear(m, start_folio(m, start))
    store_block(m, kho, index, 0)
    yield Step("free_block", "Block {index} is empty.", index=index, pfn=start_folio(m, start))


@path
def shmem_invalidate_folio(m: MachineState, folio: int, offset: int, length: int) -> Path[None]:
    """Hear from truncation that a folio goes: drop its block if the whole folio goes.

    Kernel:   mm/shmem.c, shmem_invalidate_folio(), P31-P34
    Locks:    folio lock
    Left out: -
    """
    ino, index = m.page.mapping[folio] - 1, m.page.index[folio]
    if not m.inode.kho[ino]:
        return
    yield Step("invalidate", "Page {index} is to go: bytes {offset} to {end}.", index=index, offset=offset,
               length=length, end=offset + length)  # fmt: skip
    if length != folio_nr_pages(m, folio) * m.page_size:
        yield Warn("printk", "Do not know how to handle partial folios yet")
        return
    yield from shmem_kho_free_block(m, ino, index)
