"""What a reader might believe of the two lists and the size: chapter 03."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from khosim.kernel.inode import i_size_write
from khosim.kernel.kexec import kernel_kexec
from khosim.kernel.shmem_file import shmem_file_write_iter, shmem_write_end
from khosim.kernel.shmem_kho import ENOMEM, SGP_NOALLOC, bitmap_set, shmem_alloc_folio, shmem_alloc_kho_folio
from khosim.state import page_cache
from khosim.state.blocks import kho_i_size, load_block, set_kho_i_size, store_block
from khosim.state.machine import MachineState
from khosim.state.phys import fill, pfn_phys
from khosim.steps import PATHS, Path, Step
from khosim.variants.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]

alloc_posted, alloc_kho_posted, write_posted, end_posted, kexec_posted = (
    PATHS[path.__name__]
    for path in (shmem_alloc_folio, shmem_alloc_kho_folio, shmem_file_write_iter, shmem_write_end, kernel_kexec)
)
Record = Callable[[MachineState, int, int, int], Path[None]]
"""What is written down of a fresh page: the machine, its file's KHO inode, its index, its frame."""


def fresh_page_by(record: Record) -> Callable[..., Path[Any]]:
    """`shmem_alloc_kho_folio` with another way to write a fresh page down."""

    def alloc_kho_folio(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
        """Give the folio for a page, and write a fresh one down in this other way.

        Kernel:   mm/shmem.c, shmem_alloc_kho_folio(), with P06 and P07 replaced
        Locks:    none
        Left out: -
        """
        kho = m.inode.kho[ino]
        if index >= m.config.nblocks or load_block(m, kho, index) or sgp <= SGP_NOALLOC:
            found: int = yield from alloc_kho_posted(m, ino, index, sgp)
            return found
        yield Step("kho_alloc", "Page {index} is looked up in the block list.", index=index, sgp=sgp)
        folio = yield from shmem_alloc_folio(m, index, 0)
        if folio is None:
            yield Step("kho_alloc_err", "Page {index} gets no memory: ENOMEM.", index=index, error=-ENOMEM)
            return -ENOMEM
        yield from record(m, kho, index, folio)
        return folio

    return alloc_kho_folio


def named(m: MachineState, kho: int, index: int, folio: int, start: int) -> Path[None]:
    """Let a block name a frame by `start`."""
    store_block(m, kho, index, start)
    yield Step("block_set", "Block {index} names frame {pfn:#x}.", index=index, pfn=folio)


def block_then_bit(m: MachineState, kho: int, index: int, folio: int) -> Path[None]:
    """Store the block, then the bit."""
    yield from named(m, kho, index, folio, pfn_phys(m, folio))
    yield from bitmap_set(m, folio)


def bit_then_number(m: MachineState, kho: int, index: int, folio: int) -> Path[None]:
    """Store the bit, then a block that holds the frame's number."""
    yield from bitmap_set(m, folio)
    yield from named(m, kho, index, folio, folio)


def next_free_block(m: MachineState, kho: int, index: int, folio: int) -> Path[None]:
    """Store the bit, then the first block that is empty, whatever the index."""
    yield from bitmap_set(m, folio)
    place = next((n for n in range(m.config.nblocks) if not load_block(m, kho, n)), index)
    yield from named(m, kho, place, folio, pfn_phys(m, folio))


def nothing_yet(m: MachineState, kho: int, index: int, folio: int) -> Path[None]:
    """Leave it to the kexec."""
    yield Step("not_yet", "Frame {pfn:#x} is noted nowhere yet.", pfn=folio)


def kexec_packs(m: MachineState) -> Path[int]:
    """Write both lists from the page caches, then stop the machine.

    Kernel:   kernel/kexec_core.c, kernel_kexec(), with a walk over all files before it
    Locks:    system_transition_mutex
    Left out: -
    """
    for ino, kho in enumerate(m.inode.kho):
        for index, entry in list(page_cache.entries(m, ino, 0, m.config.nblocks)) if kho else ():
            if entry >= 0 and not load_block(m, kho, index):
                yield from bitmap_set(m, entry)
                yield from named(m, kho, index, entry, pfn_phys(m, entry))
    done: int = yield from kexec_posted(m)
    return done


def write_in_full(m: MachineState, ino: int, pos: int, count: int, data: bytes) -> Path[int]:
    """Write; if not all of it could be written, say so.

    Kernel:   mm/shmem.c, shmem_file_write_iter(); the loop's error wins over what was done
    Locks:    inode lock
    Left out: -
    """
    done: int = yield from write_posted(m, ino, pos, count, data)
    return done if done < 0 or done == count else -ENOMEM


def size_first(m: MachineState, ino: int, pos: int, count: int, data: bytes) -> Path[int]:
    """Set both sizes to where the write will end, then write.

    Kernel:   mm/shmem.c, shmem_file_write_iter(), with the size's store moved up
    Locks:    inode lock
    Left out: the lock while the size is set
    """
    if pos + count > m.inode.i_size[ino]:
        yield from i_size_write(m, ino, pos + count)
        if m.inode.kho[ino]:
            set_kho_i_size(m, m.inode.kho[ino], pos + count)
            yield Step("kho_i_size", "The KHO inode now says {size:byte}.", size=pos + count)
    done: int = yield from write_posted(m, ino, pos, count, data)
    return done


def end_tells_the_size(m: MachineState, ino: int, pos: int, copied: int, folio: int) -> Path[int]:
    """Finish a write, and store the file's size in the KHO inode whether or not it grew.

    Kernel:   mm/shmem.c, shmem_write_end(), P30 without its condition
    Locks:    inode lock, folio lock; none for the mirror
    Left out: -
    """
    done: int = yield from end_posted(m, ino, pos, copied, folio)
    kho, size = m.inode.kho[ino], m.inode.i_size[ino]
    if kho and kho_i_size(m, kho) != size:
        set_kho_i_size(m, kho, size)
        yield Step("kho_i_size", "The KHO inode now says {size:byte}.", size=size)
    return done


def zeroed_when_new(m: MachineState, index: int, order: int) -> Path[int | None]:
    """Allocate a folio, and zero it at once.

    Kernel:   mm/shmem.c, shmem_alloc_folio(), as if with __GFP_ZERO
    Locks:    none
    Left out: -
    """
    folio: int | None = yield from alloc_posted(m, index, order)
    if folio is not None:
        for frame in range(folio, folio + (1 << order)):
            fill(m, frame, 0)
        yield Step("clear", "Frame {pfn:#x} is zeroed.", pfn=folio)
    return folio


def alloc(record: Record) -> dict[str, Callable[..., Path[Any]]]:
    """The paths of a kernel that writes a fresh page down in another way."""
    return {"shmem_alloc_kho_folio": fresh_page_by(record)}


MISTAKES = (
    Mistake("block-then-bit", 3, "The block is stored first, and then the bit.", alloc(block_then_bit)),
    Mistake("block-holds-pfn", 3, "A block holds the number of its frame.", alloc(bit_then_number)),
    Mistake("blocks-in-order", 3, "The block list is filled in the order of writing.", alloc(next_free_block)),
    Mistake("lists-at-kexec", 3, "The lists are written when the kexec comes, from the page cache.",
            alloc(nothing_yet) | {"kernel_kexec": kexec_packs}),
    Mistake("short-write-fails", 3, "A write that cannot be finished returns the error.",
            {"shmem_file_write_iter": write_in_full}),
    Mistake("size-before-bytes", 3, "The size is stored when a write begins, up to where it is to end.",
            {"shmem_file_write_iter": size_first}),
    Mistake("every-write-tells", 3, "Every write stores the file's size in the KHO inode.",
            {"shmem_write_end": end_tells_the_size}),
    Mistake("new-page-is-zeroed", 3, "A new page is zeroed before a block names it.",
            {"shmem_alloc_folio": zeroed_when_new}),
)  # fmt: skip
