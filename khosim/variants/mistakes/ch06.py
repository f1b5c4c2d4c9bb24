"""Beliefs about how the block list hears that a page is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from khosim.kernel.filemap import filemap_remove_folio, folio_needs_release, mapping_of
from khosim.kernel.rmap import unmap_mapping_folio
from khosim.kernel.shmem_kho import bitmap_clear, shmem_invalidate_folio, shmem_kho_free_block
from khosim.kernel.shmem_swap import shmem_free_swap, shmem_writepage
from khosim.kernel.shmem_truncate import shmem_truncate
from khosim.kernel.truncate import truncate_inode_folio
from khosim.kernel.warn import warn_on_once
from khosim.state.blocks import load_block, store_block
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, clear_flag, folio_nr_pages
from khosim.state.page_cache import EMPTY, load
from khosim.state.phys import phys_pfn
from khosim.steps import PATHS, Path, Step, Warn
from khosim.variants.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]


def block_before_bit(m: MachineState, ino: int, index: int) -> Path[None]:
    """Clear the block, then its PFN bit.

    Kernel:   mm/shmem.c, shmem_kho_free_block(), the other way round
    Locks:    none
    Left out: a block past the array
    """
    kho = m.inode.kho[ino]
    start = load_block(m, kho, index)
    if not start:
        yield from PATHS[shmem_kho_free_block.__name__](m, ino, index)
        return
    store_block(m, kho, index, 0)
    yield Step("free_block", "Block {index} is empty.", index=index, pfn=phys_pfn(m, start))
    yield from bitmap_clear(m, phys_pfn(m, start))


def cache_before_list(m: MachineState, ino: int, folio: int) -> Path[int]:
    """Take the page out of the page cache, then tell the block list.

    Kernel:   mm/truncate.c, truncate_inode_folio(), with the callback last
    Locks:    folio lock
    Left out: -
    """
    if m.page.mapping[folio] != mapping_of(ino):
        return -5
    index, asked = m.page.index[folio], folio_needs_release(m, folio)
    if m.page.mapcount[folio]:
        yield from unmap_mapping_folio(m, folio)
    clear_flag(m, folio, PG_dirty)
    yield Step("cancel_dirty", "Frame {pfn:#x} is clean: its contents no longer matter.", pfn=folio)
    yield from filemap_remove_folio(m, folio)
    if asked:
        yield Step("invalidate", "Page {index} is gone.", index=index)
        yield from shmem_kho_free_block(m, ino, index)
    return 0


def part_frees_block(m: MachineState, folio: int, offset: int, length: int) -> Path[None]:
    """Empty the block of any folio that is cut, in part or whole.

    Kernel:   mm/shmem.c, shmem_invalidate_folio(), without a look at the range
    Locks:    folio lock
    Left out: -
    """
    ino, index = m.page.mapping[folio] - 1, m.page.index[folio]
    if not m.inode.kho[ino]:
        return
    yield Step("invalidate", "Page {index} is to go: bytes {offset} to {end}.", index=index, offset=offset,
               length=length, end=offset + length)  # fmt: skip
    yield from shmem_kho_free_block(m, ino, index)


def part_keeps_its_bytes(m: MachineState, ino: int, folio: int, start: int, end: int) -> Path[bool]:
    """Log a partial range, and leave its bytes.

    Kernel:   mm/truncate.c, truncate_inode_partial_folio(), without its zeroing
    Locks:    folio lock
    Left out: folios of several pages
    """
    base = m.page.index[folio] * m.page_size
    offset = max(start - base, 0)
    length = m.page_size - offset if end == -1 or base + m.page_size <= end else end + 1 - base - offset
    if length == m.page_size:
        yield from truncate_inode_folio(m, ino, folio)
    elif folio_needs_release(m, folio):
        yield from shmem_invalidate_folio(m, folio, offset, length)
    return True


def registered_is_called(m: MachineState, folio: int) -> Path[None]:
    """Call the callback for every folio of shmem that goes, whatever its mapping asked for.

    Kernel:   mm/truncate.c, truncate_cleanup_folio(), without folio_needs_release()
    Locks:    folio lock
    Left out: -
    """
    if m.page.mapcount[folio]:
        yield from unmap_mapping_folio(m, folio)
    yield from shmem_invalidate_folio(m, folio, 0, folio_nr_pages(m, folio) * m.page_size)
    clear_flag(m, folio, PG_dirty)
    yield Step("cancel_dirty", "Frame {pfn:#x} is clean: its contents no longer matter.", pfn=folio)


def every_file_has_blocks(m: MachineState, folio: int, offset: int, length: int) -> Path[None]:
    """Look for a block of any shmem file's folio.

    Kernel:   mm/shmem.c, shmem_invalidate_folio(), without its early return
    Locks:    folio lock
    Left out: what a missing block list does to a real kernel
    """
    if not m.inode.kho[m.page.mapping[folio] - 1]:
        index = m.page.index[folio]
        yield Step("block_empty", "Page {index} has no block.", index=index)
        yield from warn_on_once(m, "shmem_kho_free_block", "WARNING: mm/shmem.c shmem_kho_free_block")
        return
    yield from PATHS[shmem_invalidate_folio.__name__](m, folio, offset, length)


def swap_tells(m: MachineState, ino: int, index: int, entry: int) -> Path[int]:
    """Drop a swap entry, and empty the block.

    Kernel:   mm/shmem.c, shmem_free_swap(), with a word to the block list
    Locks:    i_pages lock
    Left out: -
    """
    freed: int = yield from PATHS[shmem_free_swap.__name__](m, ino, index, entry)
    if freed and m.inode.kho[ino] and load_block(m, m.inode.kho[ino], index):
        yield from shmem_kho_free_block(m, ino, index)
    return freed


def swap_out_tells(m: MachineState, folio: int) -> Path[bool]:
    """Move a page to swap, and empty its block.

    Kernel:   mm/shmem.c, shmem_writepage(), with a word to the block list
    Locks:    folio lock
    Left out: -
    """
    ino, index = m.page.mapping[folio] - 1, m.page.index[folio]
    gone: bool = yield from PATHS[shmem_writepage.__name__](m, folio)
    if gone and m.inode.kho[ino]:
        yield from shmem_kho_free_block(m, ino, index)
    return gone


def warn_each_time(m: MachineState, ino: int, index: int) -> Path[None]:
    """Warn of every empty block.

    Kernel:   mm/shmem.c, shmem_kho_free_block(), with WARN_ON()
    Locks:    none
    Left out: a block past the array
    """
    if load_block(m, m.inode.kho[ino], index):
        yield from PATHS[shmem_kho_free_block.__name__](m, ino, index)
        return
    yield Step("block_empty", "Block {index} is empty already.", index=index)
    yield Warn("warn", "WARNING: mm/shmem.c shmem_kho_free_block")


def walk_the_list(m: MachineState, ino: int, size: int) -> Path[int]:
    """Cut a file, and empty every block past its new end.

    Kernel:   mm/shmem.c, shmem_setattr(), with a walk of the block list
    Locks:    inode lock
    Left out: the frames of these blocks
    """
    error: int = yield from PATHS[shmem_truncate.__name__](m, ino, size)
    if m.inode.kho[ino]:
        for index in range(-(-size // m.page_size), m.config.nblocks):
            if load(m, ino, index) == EMPTY and load_block(m, m.inode.kho[ino], index):
                yield from shmem_kho_free_block(m, ino, index)
    return error


def _mistake(name: str, belief: str, path: str, function: Callable[..., Any]) -> Mistake:
    return Mistake(name, chapter=6, belief=belief, paths={path: function})


MISTAKES = (
    _mistake("block-before-bit", "The block is emptied first, and its bit is cleared after that.",
             "shmem_kho_free_block", block_before_bit),
    _mistake("cache-before-list", "The page leaves the page cache first, and then the block list hears of it.",
             "truncate_inode_folio", cache_before_list),
    _mistake("part-frees-block", "A page that is cut in part loses its block.",
             "shmem_invalidate_folio", part_frees_block),
    _mistake("part-keeps-its-bytes", "A partial range is only logged, so its bytes stay.",
             "truncate_inode_partial_folio", part_keeps_its_bytes),
    _mistake("registered-is-called", "A callback that is registered is called.",
             "truncate_cleanup_folio", registered_is_called),
    _mistake("every-file-has-blocks", "The callback looks for a block, whatever file it is.",
             "shmem_invalidate_folio", every_file_has_blocks),
    _mistake("swap-tells", "A page that is cut away in swap loses its block, too.",
             "shmem_free_swap", swap_tells),
    _mistake("swap-out-tells", "A page that goes to swap loses its block.",
             "shmem_writepage", swap_out_tells),
    _mistake("warn-each-time", "The kernel warns of each empty block that it meets.",
             "shmem_kho_free_block", warn_each_time),
    _mistake("walk-the-list", "Truncation sees every page of the file, whether somebody has used it or not.",
             "shmem_truncate", walk_the_list),
)  # fmt: skip
"""The chapter's planted mistakes."""
