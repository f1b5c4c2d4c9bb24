"""Cutting a folio out of its file: mm/truncate.c."""

from __future__ import annotations

from khosim.kernel.filemap import filemap_remove_folio, folio_needs_release, mapping_of
from khosim.kernel.huge_memory import split_folio
from khosim.kernel.rmap import unmap_mapping_folio
from khosim.kernel.shmem_kho import shmem_invalidate_folio
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, clear_flag, folio_nr_pages, test_flag
from khosim.state.phys import fill
from khosim.steps import Path, Step, path

__all__ = ["truncate_inode_folio", "truncate_inode_partial_folio"]

EIO = 5


@path
def truncate_cleanup_folio(m: MachineState, folio: int) -> Path[None]:
    """Unmap a folio that is about to go, tell the filesystem, and forget that it is dirty.

    Kernel:   mm/truncate.c, truncate_cleanup_folio()
    Locks:    folio lock
    Left out: private data, large-folio accounting
    """
    if m.page.mapcount[folio]:
        yield from unmap_mapping_folio(m, folio)
    if folio_needs_release(m, folio):
        yield from shmem_invalidate_folio(m, folio, 0, folio_nr_pages(m, folio) * m.page_size)
    clear_flag(m, folio, PG_dirty)
    yield Step("cancel_dirty", "Frame {pfn:#x} is clean: its contents no longer matter.", pfn=folio)


@path
def truncate_inode_folio(m: MachineState, ino: int, folio: int) -> Path[int]:
    """Remove one locked folio from the file.

    Kernel:   mm/truncate.c, truncate_inode_folio()
    Locks:    folio lock
    Left out: -
    """
    if m.page.mapping[folio] != mapping_of(ino):
        return -EIO
    yield from truncate_cleanup_folio(m, folio)
    yield from filemap_remove_folio(m, folio)
    return 0


@path
def truncate_inode_partial_folio(m: MachineState, ino: int, folio: int, start: int, end: int) -> Path[bool]:
    """Zero the bytes start..end (inclusive; -1 is for ever) of a folio; a large one is split so that pages can go.

    Kernel:   mm/truncate.c, truncate_inode_partial_folio()
    Locks:    folio lock
    Left out: writeback
    """
    size = folio_nr_pages(m, folio) * m.page_size
    base = m.page.index[folio] * m.page_size
    offset = max(start - base, 0)
    length = size - offset if end == -1 or base + size <= end else end + 1 - base - offset
    if length == size:
        yield from truncate_inode_folio(m, ino, folio)
        return True
    for page in range(folio_nr_pages(m, folio)):
        first = page * m.page_size
        fill(m, folio + page, 0, max(offset - first, 0), min(offset + length - first, m.page_size))
    yield Step("zero", "Bytes {a} to {b} of frame {pfn:#x} are zeroed.", pfn=folio, a=offset, b=offset + length)
    if folio_needs_release(m, folio):
        yield from shmem_invalidate_folio(m, folio, offset, length)
    if not m.page.order[folio]:
        return True
    error = yield from split_folio(m, ino, folio)
    if not error:
        return True
    if test_flag(m, folio, PG_dirty):
        return False
    yield from truncate_inode_folio(m, ino, folio)
    return True
