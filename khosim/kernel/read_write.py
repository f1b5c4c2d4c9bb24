"""Reading, writing and seeking, with the checks in front of the file operations: fs/read_write.c, fs/splice.c."""

from __future__ import annotations

from khosim.kernel.filemap import ENXIO, SEEK_DATA, SEEK_HOLE
from khosim.kernel.open import EBADF, fdget
from khosim.kernel.shmem import EINVAL
from khosim.kernel.shmem_file import (
    Read,
    shmem_file_llseek,
    shmem_file_read_iter,
    shmem_file_splice_read,
    shmem_file_write_iter,
)
from khosim.kernel.shmem_kho import EFBIG
from khosim.state.machine import MachineState
from khosim.steps import Path, Step, path

__all__ = ["sys_lseek", "sys_pread64", "sys_pwrite64", "sys_read", "sys_splice", "sys_write"]

MAX_LFS_FILESIZE = (1 << 63) - 1
SEEK_SET, SEEK_CUR, SEEK_END = range(3)


@path
def sys_pread64(m: MachineState, fd: int, count: int, pos: int) -> Path[Read]:
    """Read up to `count` bytes at `pos`.

    Kernel:   fs/read_write.c, ksys_pread64()
    Locks:    none
    Left out: -
    """
    row = fdget(m, fd)
    yield Step("pread", "The program reads {count:byte} at {pos}.", count=count, pos=pos)
    if pos < 0:
        return b"", -EINVAL
    if row is None:
        return b"", -EBADF
    if pos + count > MAX_LFS_FILESIZE:
        return b"", -EINVAL
    return (yield from shmem_file_read_iter(m, m.file.ino[row], pos, count))


@path
def sys_splice(m: MachineState, fd: int, count: int, pos: int) -> Path[Read]:
    """Splice up to `count` bytes at `pos` into an empty pipe, and read them from it.

    Kernel:   fs/splice.c, do_splice(); the pipe is read at once
    Locks:    none
    Left out: the pipe itself
    """
    row = fdget(m, fd)
    yield Step("sys_splice", "The program splices {count:byte} at {pos} into a pipe.", count=count, pos=pos)
    if row is None:
        return b"", -EBADF
    if pos < 0:
        return b"", -EINVAL
    return (yield from shmem_file_splice_read(m, m.file.ino[row], pos, count))


@path
def sys_read(m: MachineState, fd: int, count: int) -> Path[Read]:
    """Read from the file position on, and move it.

    Kernel:   fs/read_write.c, ksys_read()
    Locks:    f_pos_lock
    Left out: -
    """
    row = fdget(m, fd)
    if row is None:
        return b"", -EBADF
    data, error = yield from sys_pread64(m, fd, count, m.file.pos[row])
    m.file.pos[row] += len(data)
    yield Step("f_pos", "The file position is {pos}.", pos=m.file.pos[row])
    return data, error


@path
def sys_pwrite64(m: MachineState, fd: int, count: int, data: bytes, pos: int) -> Path[int]:
    """Write `count` bytes at `pos`; `data` is shorter if the rest of the program's buffer cannot be read.

    Kernel:   fs/read_write.c, ksys_pwrite64(); generic_write_checks()
    Locks:    none
    Left out: -
    """
    row = fdget(m, fd)
    yield Step("pwrite", "The program writes {count:byte} at {pos}.", count=count, pos=pos)
    if pos < 0:
        return -EINVAL
    if row is None:
        return -EBADF
    if pos + count > MAX_LFS_FILESIZE:
        return -EINVAL
    limit = m.file_pages * m.page_size
    if not count:
        return 0
    if pos >= limit:
        return -EFBIG
    return (yield from shmem_file_write_iter(m, m.file.ino[row], pos, min(count, limit - pos), data))


@path
def sys_write(m: MachineState, fd: int, data: bytes) -> Path[int]:
    """Write at the file position, and move it.

    Kernel:   fs/read_write.c, ksys_write()
    Locks:    f_pos_lock
    Left out: -
    """
    row = fdget(m, fd)
    if row is None:
        return -EBADF
    done = yield from sys_pwrite64(m, fd, len(data), data, m.file.pos[row])
    m.file.pos[row] += max(done, 0)
    yield Step("f_pos", "The file position is {pos}.", pos=m.file.pos[row])
    return done


@path
def sys_lseek(m: MachineState, fd: int, offset: int, whence: int) -> Path[int]:
    """Move the file position; the new one, or an errno.

    Kernel:   fs/read_write.c, generic_file_llseek_size(); mm/shmem.c, shmem_file_llseek()
    Locks:    inode lock for SEEK_DATA and SEEK_HOLE
    Left out: -
    """
    row = fdget(m, fd)
    yield Step("lseek", "lseek to {offset}, whence {whence}.", offset=offset, whence=whence)
    if row is None:
        return -EBADF
    if whence in (SEEK_DATA, SEEK_HOLE):
        if offset < 0:
            return -ENXIO
        offset = yield from shmem_file_llseek(m, m.file.ino[row], offset, whence)
        if offset < 0:
            return offset
    elif whence == SEEK_END:
        offset += m.inode.i_size[m.file.ino[row]]
    elif whence == SEEK_CUR:
        offset += m.file.pos[row]
    elif whence != SEEK_SET:
        return -EINVAL
    if not 0 <= offset <= MAX_LFS_FILESIZE:
        return -EINVAL
    m.file.pos[row] = offset
    yield Step("f_pos", "The file position is {pos}.", pos=offset)
    return offset
