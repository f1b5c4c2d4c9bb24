"""Descriptors, sizes and space, with the checks in front of the file operations: fs/open.c, fs/stat.c, fs/inode.c."""

from __future__ import annotations

from khosim.kernel.locks import inode_lock, inode_unlock
from khosim.kernel.memfd import FIRST_FD
from khosim.kernel.shmem import EINVAL
from khosim.kernel.shmem_fallocate import FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, shmem_fallocate
from khosim.kernel.shmem_kho import EFBIG
from khosim.kernel.shmem_swap import shmem_recalc_inode
from khosim.kernel.shmem_truncate import shmem_evict_inode, shmem_truncate
from khosim.state.machine import MachineState
from khosim.steps import Path, Step, path

__all__ = ["EBADF", "fdget", "iput", "sys_close", "sys_fallocate", "sys_fstat", "sys_ftruncate"]

EBADF, EOPNOTSUPP = 9, 95
FALLOC_FL_SUPPORTED_MASK = 0x7B
"""The modes some filesystem knows: keep size, punch, collapse, zero, insert, unshare range."""


def fdget(m: MachineState, fd: int) -> int | None:
    """Row of the open file `fd`, None if it is not open (fs/file.c, fdget())."""
    row = fd - FIRST_FD
    return row if 0 <= row < m.config.files and m.file.used[row] else None


@path
def iput(m: MachineState, ino: int) -> Path[None]:
    """Drop one use of an inode; the last one evicts it.

    Kernel:   fs/inode.c, iput()
    Locks:    none
    Left out: -
    """
    m.inode.nlink[ino] -= 1
    yield Step("iput", "Inode {ino} loses a user.", ino=ino)
    if not m.inode.nlink[ino]:
        yield from shmem_evict_inode(m, ino)


@path
def sys_ftruncate(m: MachineState, fd: int, length: int) -> Path[int]:
    """Set the size of a file.

    Kernel:   fs/open.c, do_sys_ftruncate(); fs/attr.c, inode_newsize_ok()
    Locks:    inode lock
    Left out: rlimits
    """
    row = fdget(m, fd)
    yield Step("ftruncate", "The program sets the size to {length:byte}.", length=length)
    if length < 0:
        return -EINVAL
    if row is None:
        return -EBADF
    ino = m.file.ino[row]
    if length > m.inode.i_size[ino] and length > m.file_pages * m.page_size:
        return -EFBIG
    yield from inode_lock(m, ino)
    error = yield from shmem_truncate(m, ino, length)
    yield from inode_unlock(m, ino)
    return error


@path
def sys_fallocate(m: MachineState, fd: int, mode: int, offset: int, length: int) -> Path[int]:
    """Allocate or punch a range.

    Kernel:   fs/open.c, vfs_fallocate(); mm/shmem.c, shmem_fallocate()
    Locks:    inode lock
    Left out: the modes that shmem refuses
    """
    row = fdget(m, fd)
    yield Step(
        "fallocate",
        "The program asks for {length:byte} of space at {offset}, mode {mode}.",
        offset=offset,
        length=length,
        mode=mode,
    )
    if row is None:
        return -EBADF
    if offset < 0 or length <= 0:
        return -EINVAL
    if mode & ~FALLOC_FL_SUPPORTED_MASK or mode == FALLOC_FL_PUNCH_HOLE:
        return -EOPNOTSUPP
    if offset + length > m.file_pages * m.page_size:
        return -EFBIG
    if mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE):
        return -EOPNOTSUPP
    return (yield from shmem_fallocate(m, m.file.ino[row], mode, offset, length))


@path
def sys_fstat(m: MachineState, fd: int) -> Path[tuple[int, int, int, int]]:
    """Size in bytes, blocks of 512 bytes, inode number, and 0; or zeroes and an errno.

    Kernel:   mm/shmem.c, shmem_getattr()
    Locks:    none
    Left out: owner, mode, times
    """
    row = fdget(m, fd)
    yield Step("fstat", "fstat.")
    if row is None:
        return 0, 0, 0, -EBADF
    ino = m.file.ino[row]
    yield from shmem_recalc_inode(m, ino, 0, 0)
    return m.inode.i_size[ino], m.inode.pages[ino] * m.page_size // 512, ino, 0


@path
def sys_close(m: MachineState, fd: int) -> Path[int]:
    """Close a descriptor.

    Kernel:   fs/open.c, close()
    Locks:    none
    Left out: -
    """
    row = fdget(m, fd)
    if row is None:
        return -EBADF
    m.file.used[row] = 0
    yield Step("close", "Descriptor {fd} is closed.", fd=fd)
    yield from iput(m, m.file.ino[row])
    return 0
