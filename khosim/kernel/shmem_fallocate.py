"""Space is promised or given back: shmem_fallocate() of mm/shmem.c."""

from __future__ import annotations

from khosim.kernel.inode import i_size_write
from khosim.kernel.locks import folio_unlock, inode_lock, inode_unlock
from khosim.kernel.page_alloc import folio_put
from khosim.kernel.rmap import unmap_mapping_range
from khosim.kernel.shmem import shmem_get_folio
from khosim.kernel.shmem_kho import ENOMEM, SGP_FALLOC
from khosim.kernel.shmem_truncate import shmem_truncate_range, shmem_undo_range
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, PG_uptodate, folio_nr_pages, set_flag, test_flag
from khosim.steps import Path, Step, path

__all__ = ["FALLOC_FL_KEEP_SIZE", "FALLOC_FL_PUNCH_HOLE", "shmem_fallocate"]

FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2
NOTHING, ALLOCATING, PUNCHING = range(3)


def shmem_falloc_window(m: MachineState, ino: int, mode: int, start: int, after: int) -> None:
    """Publish what a fallocate is doing (struct shmem_falloc in i_private); NOTHING withdraws it."""
    m.inode.falloc[ino] = mode
    m.inode.start[ino], m.inode.next[ino] = start, after
    m.inode.nr_falloced[ino] = m.inode.nr_unswapped[ino] = 0


@path
def shmem_punch_hole(m: MachineState, ino: int, offset: int, length: int) -> Path[int]:
    """Punch a hole: whole pages leave the file, the edges are zeroed.

    Kernel:   mm/shmem.c, shmem_fallocate(), FALLOC_FL_PUNCH_HOLE
    Locks:    inode lock
    Left out: seals
    """
    size = m.page_size
    first, after = -(-offset // size), (offset + length) // size
    shmem_falloc_window(m, ino, PUNCHING, first, after)
    yield Step("punch", "Faults on the range wait from now on.", first=first, after=after)
    if after > first:
        yield from unmap_mapping_range(m, ino, first, after - 1, even_cows=False)
    yield from shmem_truncate_range(m, ino, offset, offset + length - 1)
    shmem_falloc_window(m, ino, NOTHING, 0, 0)
    yield Step("punched", "The hole is punched.")
    return 0


@path
def shmem_fallocate_pages(m: MachineState, ino: int, start: int, end: int) -> Path[int]:
    """Allocate the pages [start, end) without writing them; undo it all if one fails.

    Kernel:   mm/shmem.c, shmem_fallocate(), from its loop on
    Locks:    inode lock
    Left out: signals, the early check against the mount's size
    """
    old_end = m.inode.fallocend[ino]
    m.inode.fallocend[ino] = max(old_end, end)
    index = start
    while index < end:
        if m.inode.nr_unswapped[ino] > m.inode.nr_falloced[ino]:
            folio, error = None, -ENOMEM
        else:
            folio, error = yield from shmem_get_folio(m, ino, index, SGP_FALLOC)
        if error or folio is None:
            m.inode.fallocend[ino] = old_end
            if index > start:
                yield from shmem_undo_range(m, ino, start * m.page_size, index * m.page_size - 1, unfalloc=True)
            return error
        index = m.page.index[folio] + folio_nr_pages(m, folio)
        m.inode.next[ino] = index
        if not test_flag(m, folio, PG_uptodate):
            m.inode.nr_falloced[ino] += folio_nr_pages(m, folio)
        set_flag(m, folio, PG_dirty)
        folio_unlock(m, folio)
        yield Step("falloced", "Frame {pfn:#x} is reserved: dirty, so that it is not dropped, not uptodate.", pfn=folio)
        yield from folio_put(m, folio)
    return 0


@path
def shmem_fallocate(m: MachineState, ino: int, mode: int, offset: int, length: int) -> Path[int]:
    """Allocate or punch a range of a file. Growing it this way does not reach the KHO inode's size.

    Kernel:   mm/shmem.c, shmem_fallocate()
    Locks:    inode lock
    Left out: seals, rlimits, signals
    """
    yield from inode_lock(m, ino)
    if mode & FALLOC_FL_PUNCH_HOLE:
        error = yield from shmem_punch_hole(m, ino, offset, length)
    else:
        end = -(-(offset + length) // m.page_size)
        shmem_falloc_window(m, ino, ALLOCATING, offset // m.page_size, offset // m.page_size)
        error = yield from shmem_fallocate_pages(m, ino, offset // m.page_size, end)
        shmem_falloc_window(m, ino, NOTHING, 0, 0)
        if not error and not mode & FALLOC_FL_KEEP_SIZE and offset + length > m.inode.i_size[ino]:
            yield from i_size_write(m, ino, offset + length)
    yield from inode_unlock(m, ino)
    return error
