"""The page cache: mm/filemap.c."""

from __future__ import annotations

from khosim.errors import KernelPanic
from khosim.kernel.page_alloc import folio_put, folio_try_get
from khosim.kernel.warn import warn_on_once
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_locked, PG_uptodate, folio_nr_pages, test_flag
from khosim.steps import Path, Retry, Step, path

__all__ = ["ENXIO", "SEEK_DATA", "SEEK_HOLE", "__filemap_remove_folio", "filemap_get_entry", "filemap_release_folio",
           "filemap_remove_folio", "folio_needs_release", "mapping_of", "mapping_seek_hole_data"]  # fmt: skip

ENXIO = 6
SEEK_DATA = 3
SEEK_HOLE = 4


def mapping_of(ino: int) -> int:
    """What `page.mapping` holds for a folio of inode `ino`."""
    return ino + 1


@path
def filemap_get_entry(m: MachineState, ino: int, index: int) -> Path[int]:
    """Look a slot up and take a reference on the folio in it; a swap entry or EMPTY comes back as it is.

    Kernel:   mm/filemap.c, filemap_get_entry()
    Locks:    RCU
    Left out: -
    """
    while True:
        entry = page_cache.load(m, ino, index)
        if entry < 0:
            return entry
        if folio_try_get(m, entry):
            if page_cache.load(m, ino, index) == entry:
                yield Step("get_entry", "Page {index} is in the page cache: frame {pfn:#x}.", index=index, pfn=entry)
                return entry
            yield from folio_put(m, entry)
        yield Retry("spin", "page cache entry has refcount 0 (index {index})", index=index, pfn=entry)


@path
def __filemap_remove_folio(m: MachineState, folio: int) -> Path[None]:
    """Take a folio out of its page cache; the caller still has to drop the cache's reference.

    Kernel:   mm/filemap.c, __filemap_remove_folio()
    Locks:    folio lock, i_pages lock
    Left out: shadow entries, statistics
    """
    ino, index = m.page.mapping[folio] - 1, m.page.index[folio]
    count = folio_nr_pages(m, folio)
    page_cache.store_range(m, ino, index, count, page_cache.EMPTY)
    m.page.mapping[folio] = 0
    m.inode.nrpages[ino] -= count
    yield Step("cache_del", "Page {index} leaves the page cache: frame {pfn:#x}.", index=index, pfn=folio)


@path
def filemap_remove_folio(m: MachineState, folio: int) -> Path[None]:
    """Take a folio out of its page cache and drop the cache's references.

    Kernel:   mm/filemap.c, filemap_remove_folio()
    Locks:    folio lock, i_pages lock
    Left out: the callback into the filesystem; shmem has none
    """
    if not test_flag(m, folio, PG_locked):
        raise KernelPanic("BUG! VM_BUG_ON_FOLIO(!folio_test_locked(folio)) in filemap_remove_folio()")
    yield from __filemap_remove_folio(m, folio)
    yield from folio_put(m, folio, folio_nr_pages(m, folio))


def folio_needs_release(m: MachineState, folio: int) -> bool:
    """Whether the mapping asked to be told when a folio goes: AS_RELEASE_ALWAYS (mm/internal.h)."""
    mapping = m.page.mapping[folio]
    return bool(mapping and m.inode.release_always[mapping - 1])


@path
def filemap_release_folio(m: MachineState, folio: int) -> Path[bool]:
    """Ask the filesystem to let go of a folio's private data; shmem has none and no callback to say so.

    Kernel:   mm/filemap.c, filemap_release_folio(); fs/buffer.c, try_to_free_buffers()
    Locks:    folio lock
    Left out: buffer heads; kernels before December 2025 crash here, the recorded one warns
    """
    if folio_needs_release(m, folio):
        yield Step("release", "Frame {pfn:#x} is sent to buffer-head code that never saw it.", pfn=folio)
        yield from warn_on_once(m, "try_to_free_buffers", "WARNING: fs/buffer.c try_to_free_buffers")
    return True


@path
def mapping_seek_hole_data(m: MachineState, ino: int, start: int, end: int, whence: int) -> Path[int]:
    """Find the next data or hole at or after `start`, looking at the page cache only.

    Kernel:   mm/filemap.c, mapping_seek_hole_data(), folio_seek_hole_data()
    Locks:    RCU; llseek holds the inode lock
    Left out: filesystems with partially uptodate folios
    """
    size = m.page_size
    seek_data = whence == SEEK_DATA
    if end <= start:
        return -ENXIO
    for index, entry in page_cache.entries(m, ino, start // size, (end - 1) // size + 1):
        here = index * size
        if start < here and not seek_data:
            return min(start, end)
        start = max(start, here)
        span = size * (folio_nr_pages(m, entry) if entry >= 0 else 1)
        has_data = entry < 0 or test_flag(m, entry, PG_uptodate)
        yield Step("seek", "Page {index} is in the page cache.", index=index, data=int(has_data))
        if has_data == seek_data:
            return min(start, end)
        start = (here // span + 1) * span
        if start >= end:
            break
    return -ENXIO if seek_data else min(start, end)
