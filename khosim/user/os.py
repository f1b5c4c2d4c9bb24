"""`m.os`: the functions of Python's `os` that this machine answers, with their signatures and errors."""

from __future__ import annotations

from collections.abc import Callable
from operator import index as as_int
from typing import Any, ClassVar, NamedTuple

from khosim.errors import UsageError

__all__ = ["Os", "Stat"]


class Stat(NamedTuple):
    """What `fstat` knows: size in bytes, blocks of 512 bytes, bytes of a page, inode number."""

    st_size: int
    st_blocks: int
    st_blksize: int
    st_ino: int


def _bytes(data: object, name: str) -> bytes:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"{name} takes bytes, not {type(data).__name__}; write b'...'")
    return bytes(data)


class Os:
    """Files of one machine, as `os` knows them. Every call raises `OSError` with the kernel's errno."""

    SEEK_SET: ClassVar[int] = 0
    SEEK_CUR: ClassVar[int] = 1
    SEEK_END: ClassVar[int] = 2
    SEEK_DATA: ClassVar[int] = 3
    SEEK_HOLE: ClassVar[int] = 4

    def __init__(self, call: Callable[..., Any], page_size: int) -> None:
        """Use `call(name, *args)` to enter the kernel."""
        self._call, self._page_size = call, page_size

    def memfd_create(self, name: str, flags: int = 1) -> int:
        """Make a file in memory, or find the preserved one (flag `khosim.MFD_KHO`); its descriptor."""
        if not isinstance(name, str):
            raise TypeError(f"a file's name is a str, not {type(name).__name__}")
        if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in name):
            raise UsageError(f"a file's name has no null and no surrogate, unlike {name!r}")
        return int(self._call("memfd_create", name, as_int(flags)))

    def pread(self, fd: int, n: int, offset: int) -> bytes:
        """Read up to `n` bytes at `offset`."""
        return self._read("pread", fd, n, as_int(offset))

    def read(self, fd: int, n: int) -> bytes:
        """Read up to `n` bytes from the file position on."""
        return self._read("read", fd, n)

    def splice(self, fd: int, n: int, offset: int) -> bytes:
        """Splice up to `n` bytes at `offset` into a pipe and read them from it (our short form of `os.splice`)."""
        return self._read("splice", fd, n, as_int(offset))

    def _read(self, name: str, fd: int, n: int, *args: int) -> bytes:
        if as_int(n) < 0:
            raise OSError(22, "Invalid argument")
        return bytes(self._call(name, as_int(fd), as_int(n), *args))

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        """Write bytes at `offset`; how many were written."""
        data = _bytes(data, "pwrite")
        return int(self._call("pwrite", as_int(fd), len(data), data, as_int(offset)))

    def write(self, fd: int, data: bytes) -> int:
        """Write bytes at the file position; how many were written."""
        return int(self._call("write", as_int(fd), _bytes(data, "write")))

    def lseek(self, fd: int, pos: int, how: int) -> int:
        """Move the file position; SEEK_DATA and SEEK_HOLE find the next page with or without data."""
        return int(self._call("lseek", as_int(fd), as_int(pos), as_int(how)))

    def ftruncate(self, fd: int, length: int) -> None:
        """Set the size of the file in bytes."""
        self._call("ftruncate", as_int(fd), as_int(length))

    def posix_fallocate(self, fd: int, offset: int, length: int) -> None:
        """Allocate a range; the file grows to hold it."""
        self._call("fallocate", as_int(fd), 0, as_int(offset), as_int(length))

    def fallocate(self, fd: int, mode: int, offset: int, length: int) -> None:
        """Allocate or punch a range: mode 0, FALLOC_FL_KEEP_SIZE, or FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE."""
        self._call("fallocate", as_int(fd), as_int(mode), as_int(offset), as_int(length))

    def fstat(self, fd: int) -> Stat:
        """Size and blocks of the file."""
        size, blocks, ino = self._call("fstat", as_int(fd))
        return Stat(size, blocks, self._page_size, ino)

    def close(self, fd: int) -> None:
        """Close a descriptor; the file is evicted when nothing uses it any more."""
        self._call("close", as_int(fd))

    def __repr__(self) -> str:
        """Name the calls."""
        names = sorted(name for name in vars(type(self)) if name[0] not in "_S")
        return f"Os({' '.join(names)})"
