"""Reading and writing: the file operations of mm/shmem.c, and generic_perform_write() of mm/filemap.c."""

from __future__ import annotations

from khosim.kernel.filemap import mapping_seek_hole_data
from khosim.kernel.inode import i_size_write
from khosim.kernel.locks import folio_unlock, inode_lock, inode_unlock
from khosim.kernel.page_alloc import folio_put
from khosim.kernel.shmem import EINVAL, shmem_get_folio
from khosim.kernel.shmem_kho import SGP_READ, SGP_WRITE
from khosim.kernel.swap import folio_mark_accessed
from khosim.state.blocks import set_kho_i_size
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, PG_hwpoison, PG_uptodate, folio_nr_pages, set_flag, test_flag
from khosim.state.phys import fill, load, store
from khosim.steps import Path, Step, path

__all__ = ["EFAULT", "EIO", "shmem_file_llseek", "shmem_file_read_iter", "shmem_file_splice_read",
           "shmem_file_write_iter"]  # fmt: skip

EIO, EFAULT = 5, 14
PIPE_BUFFERS = 16
"""Pages that a pipe holds (PIPE_DEF_BUFFERS)."""
Read = tuple[bytes, int]


@path
def shmem_write_begin(m: MachineState, ino: int, index: int) -> Path[tuple[int | None, int]]:
    """Get the folio that a write goes to.

    Kernel:   mm/shmem.c, shmem_write_begin()
    Locks:    inode lock; returns with the folio lock held
    Left out: seals
    """
    folio, error = yield from shmem_get_folio(m, ino, index, SGP_WRITE)
    if error or folio is None:
        return None, error
    place = folio + index - m.page.index[folio] if m.page.order[folio] else folio
    if test_flag(m, place, PG_hwpoison):
        folio_unlock(m, folio)
        yield from folio_put(m, folio)
        return None, -EIO
    return folio, 0


@path
def shmem_write_end(m: MachineState, ino: int, pos: int, copied: int, folio: int) -> Path[int]:
    """Finish a write: the size, its mirror, zeroes around the bytes of a page that nobody had written.

    Kernel:   mm/shmem.c, shmem_write_end(), P30
    Locks:    inode lock, folio lock; none for the mirror
    Left out: -
    """
    if pos + copied > m.inode.i_size[ino]:
        yield from i_size_write(m, ino, pos + copied)
        if m.inode.kho[ino]:
            set_kho_i_size(m, m.inode.kho[ino], m.inode.i_size[ino])
            yield Step("kho_i_size", "The KHO inode now says {size:byte}.", size=pos + copied)
    if not test_flag(m, folio, PG_uptodate):
        start = pos - m.page.index[folio] * m.page_size
        for page in range(folio_nr_pages(m, folio)):
            first = page * m.page_size
            fill(m, folio + page, 0, 0, min(max(start - first, 0), m.page_size))
            fill(m, folio + page, 0, min(max(start + copied - first, 0), m.page_size))
        set_flag(m, folio, PG_uptodate)
        yield Step("mark_uptodate", "Frame {pfn:#x} is uptodate, zeroed around the bytes.", pfn=folio)
    set_flag(m, folio, PG_dirty)
    folio_unlock(m, folio)
    yield Step("mark_dirty", "Frame {pfn:#x} is dirty.", pfn=folio)
    yield from folio_put(m, folio)
    return copied


@path
def shmem_file_write_iter(m: MachineState, ino: int, pos: int, count: int, data: bytes) -> Path[int]:
    """Write `count` bytes at `pos`, of which the program's buffer holds only `data`; bytes written, or an errno.

    Kernel:   mm/shmem.c, shmem_file_write_iter(); mm/filemap.c, generic_perform_write()
    Locks:    inode lock
    Left out: privileges, timestamps, O_APPEND
    """
    yield from inode_lock(m, ino)
    done, error = 0, 0
    while done < count:
        index, offset = divmod(pos + done, m.page_size)
        if done >= len(data):
            error = -EFAULT
            break
        folio, error = yield from shmem_write_begin(m, ino, index)
        if folio is None:
            break
        offset += (index - m.page.index[folio]) * m.page_size
        room = folio_nr_pages(m, folio) * m.page_size - offset
        chunk = data[done : min(done + room, count)]
        store(m, folio, offset, chunk)
        yield Step("copy_in", "{count:byte} copied into page {index}.", count=len(chunk), index=index, pfn=folio)
        done += yield from shmem_write_end(m, ino, pos + done, len(chunk), folio)
    yield from inode_unlock(m, ino)
    return done or error


@path
def shmem_file_read_iter(m: MachineState, ino: int, pos: int, count: int) -> Path[Read]:
    """Read up to `count` bytes at `pos`: (bytes, errno that ended the loop). Holes read as zeroes.

    Kernel:   mm/shmem.c, shmem_file_read_iter()
    Locks:    none; the size is looked at again after each folio
    Left out: user buffers that fault
    """
    out, error = bytearray(), 0
    while True:
        index, offset = divmod(pos, m.page_size)
        if pos >= m.inode.i_size[ino]:
            break
        folio, error = yield from shmem_get_folio(m, ino, index, SGP_READ)
        if error:
            error = 0 if error == -EINVAL else error
            break
        page = 0
        if folio is not None:
            folio_unlock(m, folio)
            page = folio + index - m.page.index[folio] if m.page.order[folio] else folio
            if test_flag(m, page, PG_hwpoison):
                yield from folio_put(m, folio)
                error = -EIO
                break
        room = min(m.page_size - offset, m.inode.i_size[ino] - pos, count - len(out))
        if folio is None:
            out += bytes(max(room, 0))
            yield Step(
                "copy_zeroes", "Page {index} is a hole: {count:zero byte} copied out.", index=index, count=max(room, 0)
            )
        else:
            if not offset:
                folio_mark_accessed(m, folio)
            out += load(m, page, offset, max(room, 0))
            yield Step(
                "copy_out", "{count:byte} copied out of page {index}.", index=index, count=max(room, 0), pfn=page
            )
            yield from folio_put(m, folio)
        pos += max(room, 0)
        if len(out) >= count or room <= 0:
            break
    return bytes(out), 0 if out else error


@path
def shmem_file_splice_read(m: MachineState, ino: int, pos: int, count: int) -> Path[Read]:
    """Move up to 16 pages from `pos` on into a pipe: (bytes, errno).

    Kernel:   mm/shmem.c, shmem_file_splice_read()
    Locks:    none
    Left out: that the pipe shares the frames; the bytes are copied at once
    """
    out, error = bytearray(), 0
    count = min(count, PIPE_BUFFERS * m.page_size)
    buffers = 0
    while pos < m.inode.i_size[ino] and buffers < PIPE_BUFFERS:
        index, offset = divmod(pos, m.page_size)
        folio, error = yield from shmem_get_folio(m, ino, index, SGP_READ)
        if error:
            error = 0 if error == -EINVAL else error
            break
        if folio is not None:
            folio_unlock(m, folio)
        part = max(min(m.page_size - offset, m.inode.i_size[ino] - pos, count - len(out)), 0)
        if folio is None:
            out += bytes(part)
            yield Step("splice_zeroes", "Page {index} is a hole: a page of zeroes joins the pipe.", index=index)
        else:
            page = folio + index - m.page.index[folio] if m.page.order[folio] else folio
            poisoned = test_flag(m, page, PG_hwpoison)
            out += b"" if poisoned else load(m, page, offset, part)
            yield Step("splice", "Page {index} joins the pipe.", index=index, pfn=page)
            yield from folio_put(m, folio)
            if poisoned:
                error = -EIO
                break
        pos += part
        buffers += 1
        if len(out) >= count or not part:
            break
    return bytes(out), 0 if out else error


@path
def shmem_file_llseek(m: MachineState, ino: int, offset: int, whence: int) -> Path[int]:
    """Find the next data or hole; blocks not yet restored look like holes.

    Kernel:   mm/shmem.c, shmem_file_llseek()
    Locks:    inode lock
    Left out: SEEK_SET, SEEK_CUR, SEEK_END; they need no file
    """
    yield from inode_lock(m, ino)
    found = yield from mapping_seek_hole_data(m, ino, offset, m.inode.i_size[ino], whence)
    yield from inode_unlock(m, ino)
    return found
