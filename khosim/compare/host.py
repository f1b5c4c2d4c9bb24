"""The kernel underneath, through Python's `os` and the C library.

Reclaim and swap on this machine may change what mincore answers; files of some pages, just touched, are safe.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import sys
from pathlib import Path
from typing import Any, Self

from khosim.compare.calls import Stat
from khosim.compare.host_map import HostMap, checked
from khosim.errors import UsageError

__all__ = ["Host", "HostOs", "huge_policy"]

_SHMEM_ENABLED = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
_SMALL_PAGES = {"advise", "deny", "never"}  # "advise" needs a madvise that no compared program can make
_MAP_FAILED = ctypes.c_void_p(-1).value


def huge_policy() -> str | None:
    """This machine's `shmem_enabled`, if memfds get huge pages by it; None if all their pages are small."""
    try:
        words = _SHMEM_ENABLED.read_text(encoding="ascii").split()
    except OSError:  # a kernel without transparent huge pages
        return None
    chosen = next((word.strip("[]") for word in words if word.startswith("[")), "never")
    return None if chosen in _SMALL_PAGES else chosen


class Host:
    """The real kernel as a face: `.os` and `.mmap`. Use it in a `with`, which closes all that was left open.

    Raises `UsageError` where there is no Linux underneath.
    """

    def __init__(self) -> None:
        if not sys.platform.startswith("linux") or not hasattr(os, "memfd_create"):
            raise UsageError(
                f"compare needs Linux underneath, for memfd_create, and this is {sys.platform}; "
                "everything else in khosim works without"
            )
        self.libc = _libc()
        self.os = HostOs(self.libc)
        self._pipe = os.pipe()
        self._maps: list[HostMap] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for mapping in self._maps:
            mapping.close()
        for fd in (*self.os.mine, *self._pipe):
            os.close(fd)

    def mmap(self, fd: int, length: int, flags: int = mmap.MAP_SHARED) -> HostMap:
        """mmap(2) of the first `length` bytes, to read and write; past the end of the file too, as in C.

        Python's own `mmap.mmap` refuses that, and takes 0 for the whole file; the kernel answers EINVAL.
        """
        fd = fd if fd in self.os.mine else -1
        address = self.libc.mmap(None, length, mmap.PROT_READ | mmap.PROT_WRITE, flags, fd, 0)
        checked(-1 if address == _MAP_FAILED else 0)
        self._maps.append(HostMap(self.libc, self._pipe, address, length))
        return self._maps[-1]


class HostOs:
    """The functions of `os` that can be compared, on the real kernel.

    Only descriptors made here reach it: any other number becomes -1, so that no program can write to the
    terminal or close a file of this process. The kernel answers EBADF, as it would to a number not in use.
    """

    def __init__(self, libc: Any) -> None:
        self._libc = libc
        self.mine: set[int] = set()

    def _own(self, fd: int) -> int:
        return fd if fd in self.mine else -1

    def memfd_create(self, name: str, flags: int = 0) -> int:
        """memfd_create(2); the descriptor."""
        fd = os.memfd_create(name, flags)
        self.mine.add(fd)
        return fd

    def close(self, fd: int) -> None:
        """close(2)."""
        os.close(self._own(fd))
        self.mine.discard(fd)

    def read(self, fd: int, n: int) -> bytes:
        """read(2) at the file position, of at most `n` bytes."""
        return os.read(self._own(fd), n)

    def write(self, fd: int, data: bytes) -> int:
        """write(2) at the file position; bytes written."""
        return os.write(self._own(fd), data)

    def pread(self, fd: int, n: int, offset: int) -> bytes:
        """pread(2)."""
        return os.pread(self._own(fd), n, offset)

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        """pwrite(2); bytes written."""
        return os.pwrite(self._own(fd), data, offset)

    def lseek(self, fd: int, position: int, whence: int) -> int:
        """lseek(2); the new file position in bytes."""
        return os.lseek(self._own(fd), position, whence)

    def ftruncate(self, fd: int, length: int) -> None:
        """ftruncate(2) to `length` bytes."""
        os.ftruncate(self._own(fd), length)

    def fstat(self, fd: int) -> Stat:
        """fstat(2): size in bytes, blocks of 512 bytes."""
        answer = os.fstat(self._own(fd))
        return Stat(answer.st_size, answer.st_blocks)

    def posix_fallocate(self, fd: int, offset: int, length: int) -> None:
        """posix_fallocate(3), in bytes."""
        os.posix_fallocate(self._own(fd), offset, length)

    def fallocate(self, fd: int, mode: int, offset: int, length: int) -> None:
        """fallocate(2), in bytes. Python's `os` has only the mode-less one."""
        checked(self._libc.fallocate(self._own(fd), mode, offset, length))


@functools.cache
def _libc() -> Any:
    """The C library, typed: offsets are 64 bits wide, whatever `off_t` is called there."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    size, address, integer = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int
    libc.mmap.restype = address
    libc.mmap.argtypes = [address, size, integer, integer, integer, ctypes.c_long]
    libc.munmap.argtypes = [address, size]
    libc.madvise.argtypes = [address, size, integer]
    libc.mincore.argtypes = [address, size, ctypes.c_char_p]
    if ctypes.sizeof(ctypes.c_long) < ctypes.sizeof(ctypes.c_int64):
        libc.fallocate = libc.fallocate64
    libc.fallocate.argtypes = [integer, integer, ctypes.c_int64, ctypes.c_int64]
    return libc
