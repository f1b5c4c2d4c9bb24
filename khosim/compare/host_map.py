"""Mappings of the real kernel that cannot kill us.

A touch past the end of a mapped file is SIGBUS, which would end this process. So every load and store of a
mapping is made by the kernel on our behalf: a load is write(2) from the mapped page into a pipe, a store is
readv(2) from a pipe into it. The kernel takes the very fault the program would take, and answers EFAULT where
the program would die. What is compared is therefore observed, not worked out.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator
from typing import Any

from khosim.errors import BusError

__all__ = ["PAGE_SIZE", "HostMap", "checked"]

PAGE_SIZE = mmap.PAGESIZE  # bytes


class HostMap:
    """A shared mapping that behaves like `mmap.mmap`, but raises `BusError` where that would be killed."""

    def __init__(self, libc: Any, pipe: tuple[int, int], address: int, length: int) -> None:
        self._libc = libc
        self._out, self._in = pipe
        self._address = address
        self._length = length
        self._bytes = memoryview((ctypes.c_char * length).from_address(address)).cast("B")

    def __len__(self) -> int:
        self._check_open()
        return self._length

    def __getitem__(self, key: int | slice) -> int | bytes:
        where = self._range(key)
        if where.step == 1:
            loaded = b"".join(self._load(start, stop) for start, stop in _by_page(where))
        else:
            loaded = b"".join(self._load(at, at + 1) for at in where)
        return loaded if isinstance(key, slice) else loaded[0]

    def __setitem__(self, key: int | slice, value: int | bytes) -> None:
        where = self._range(key)
        data = value if isinstance(value, bytes) else bytes([value])
        if len(data) != len(where):
            raise IndexError("mmap slice assignment is wrong size")
        if where.step == 1:
            for start, stop in _by_page(where):
                self._store(start, data[start - where.start : stop - where.start])
        else:
            for i, at in enumerate(where):
                self._store(at, data[i : i + 1])

    def madvise(self, option: int, start: int = 0, length: int | None = None) -> None:
        """madvise(2) on `length` bytes from `start`, bounded as Python's `mmap` bounds them."""
        self._check_open()
        if not 0 <= start < self._length:
            raise ValueError("madvise start out of bounds")
        if length is not None and length < 0:
            raise ValueError("madvise length invalid")
        rest = self._length - start
        size = rest if length is None else min(length, rest)
        checked(self._libc.madvise(self._address + start, size, option))

    def mincore(self) -> bytes:
        """mincore(2) of the whole mapping: one byte for each page, lowest bit set if resident."""
        self._check_open()
        answer = ctypes.create_string_buffer(-(-self._length // PAGE_SIZE))
        checked(self._libc.mincore(self._address, self._length, answer))
        return answer.raw

    def close(self) -> None:
        """munmap(2). Closing twice does nothing, as with `mmap.mmap`."""
        if self._address:
            self._bytes.release()
            checked(self._libc.munmap(self._address, self._length))
            self._address = 0

    def _check_open(self) -> None:
        if not self._address:
            raise ValueError("mmap closed or invalid")

    def _range(self, key: int | slice) -> range:
        """The bytes that a subscript means."""
        self._check_open()
        if isinstance(key, slice):
            return range(*key.indices(self._length))
        at = key + self._length if key < 0 else key
        if not 0 <= at < self._length:
            raise IndexError("mmap index out of range")
        return range(at, at + 1)

    def _load(self, start: int, stop: int) -> bytes:
        """Bytes of one page, through the pipe."""
        try:
            return os.read(self._out, os.write(self._in, self._bytes[start:stop]))
        except OSError:
            raise BusError(start) from None

    def _store(self, start: int, data: bytes) -> None:
        """Bytes into one page, through the pipe; on a fault they stay in the pipe and are taken out."""
        os.write(self._in, data)
        try:
            os.readv(self._out, [self._bytes[start : start + len(data)]])
        except OSError:
            os.read(self._out, len(data))
            raise BusError(start) from None


def _by_page(where: range) -> Iterator[tuple[int, int]]:
    """Cut a range at page edges: a page is there or it is not, and it always fits a pipe."""
    start = where.start
    while start < where.stop:
        stop = min(where.stop, start - start % PAGE_SIZE + PAGE_SIZE)
        yield start, stop
        start = stop


def checked(answer: int) -> None:
    """Raise `OSError` with what a C function left in errno, if it answered -1."""
    if answer == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
