"""A memfd as its manual pages tell it: a dict of pages. An oracle of the comparison, not of khosim.

Where the manual is silent the real kernel was asked (`test_compare.py` asks it each time).
"""

from __future__ import annotations

import errno
import mmap
import os

from khosim.compare import Stat
from khosim.errors import BusError

PAGE = mmap.PAGESIZE
KEEP_SIZE, PUNCH_HOLE = 1, 2
MODES = (0, KEEP_SIZE, KEEP_SIZE | PUNCH_HOLE)
REFUSED_LATE = (8, 16, 32, 64)  # known to Linux, but not to tmpfs, which is asked last
LAST = (1 << 63) - 1  # the last offset of any file


def fail(code):
    raise OSError(code, os.strerror(code))


def check(good, code):
    if not good:
        fail(code)


class File:
    """`pages` has bytes for each page that holds memory; `fresh` are those allocated but never written."""

    def __init__(self):
        self.size = 0
        self.position = 0
        self.pages = {}
        self.fresh = set()

    def page(self, index):
        """The page, made if need be, and no longer fresh."""
        self.fresh.discard(index)
        return self.pages.setdefault(index, bytearray(PAGE))

    def drop(self, indices):
        for index in indices:
            self.pages.pop(index, None)
            self.fresh.discard(index)

    def read(self, start, length):
        length = max(0, min(length, self.size - start))
        first, last = start // PAGE, -(-(start + length) // PAGE)
        blank = bytes(PAGE)
        whole = b"".join(bytes(self.pages.get(index, blank)) for index in range(first, last))
        return whole[start - first * PAGE :][:length]

    def write(self, data, start):
        stop = start + len(data)
        for at in (start, *range(start - start % PAGE + PAGE, stop, PAGE)) if data else ():
            edge = min(stop, at - at % PAGE + PAGE)
            self.page(at // PAGE)[at % PAGE : at % PAGE + edge - at] = data[at - start : edge - start]
            self.size = max(self.size, edge)

    def truncate(self, size):
        if size <= self.size:
            self.drop([index for index in self.pages if index * PAGE >= size])
            self.zero(size, size + -size % PAGE)
        self.size = size

    def zero(self, start, stop):
        """Clear bytes within one page, if it holds memory."""
        if start < stop and start // PAGE in self.pages:
            self.pages[start // PAGE][start % PAGE : start % PAGE + stop - start] = bytes(stop - start)

    def punch(self, start, stop):
        head, tail = min(stop, start + -start % PAGE), max(start, stop - stop % PAGE)
        self.drop([index for index in self.pages if head <= index * PAGE and (index + 1) * PAGE <= tail])
        self.zero(start, head)
        self.zero(max(tail, head), stop)

    def allocate(self, start, stop):
        for index in range(start // PAGE, -(-stop // PAGE)):
            if index in self.pages:
                self.page(index)
            else:
                self.pages[index] = bytearray(PAGE)
                self.fresh.add(index)

    def seek(self, start, *, data):
        """SEEK_DATA or SEEK_HOLE, by pages; a fresh page is a hole."""
        check(0 <= start < self.size, errno.ENXIO)
        for index in range(start // PAGE, -(-self.size // PAGE)):
            if (index in self.pages and index not in self.fresh) == data:
                return max(start, index * PAGE)
        return fail(errno.ENXIO) if data else self.size


class Map:
    def __init__(self, file, length):
        self.file, self.length = file, length

    def __len__(self):
        return self.length

    def touch(self, start, stop):
        """Every page of the range, until one lies past the end of the file."""
        while start < stop:
            edge = min(stop, start - start % PAGE + PAGE)
            if start // PAGE >= -(-self.file.size // PAGE):
                raise BusError(start)
            yield start, edge, self.file.page(start // PAGE)
            start = edge

    def __getitem__(self, key):
        if isinstance(key, int):
            return self[key : key + 1][0]
        start, stop, _ = key.indices(self.length)
        return b"".join(bytes(page[a % PAGE : a % PAGE + b - a]) for a, b, page in self.touch(start, stop))

    def __setitem__(self, key, value):
        if isinstance(key, int):
            key, value = slice(key, key + 1), bytes([value])
        start, stop, _ = key.indices(self.length)
        for a, b, page in self.touch(start, stop):
            page[a % PAGE : a % PAGE + b - a] = value[a - start : b - start]

    def madvise(self, option, start, length):
        check(start % PAGE == 0, errno.EINVAL)
        length = min(length, self.length - start)
        if option == mmap.MADV_REMOVE and length:
            self.file.punch(start, start + length + -length % PAGE)

    def mincore(self):
        known = self.file.pages.keys() - self.file.fresh
        return bytes(index in known for index in range(-(-self.length // PAGE)))

    def close(self):
        pass


class Naive:
    """The face: its `os` is itself."""

    def __init__(self):
        self.os = self
        self.files = {}

    def file(self, fd):
        return self.files[fd] if fd in self.files else fail(errno.EBADF)

    def mmap(self, fd, length):
        file = self.file(fd)
        check(length > 0, errno.EINVAL)
        return Map(file, length)

    def memfd_create(self, name, _flags=0):
        check(len(name) < 250, errno.EINVAL)
        fd = next(n for n in range(3, 99) if n not in self.files)
        self.files[fd] = File()
        return fd

    def close(self, fd):
        self.file(fd)
        del self.files[fd]

    def read(self, fd, n):
        check(n >= 0, errno.EINVAL)
        file = self.file(fd)
        check(file.position + n <= LAST, errno.EINVAL)
        data = file.read(file.position, n)
        file.position += len(data)
        return data

    def write(self, fd, data):
        file = self.file(fd)
        file.write(data, file.position)
        file.position += len(data)
        return len(data)

    def pread(self, fd, n, offset):
        check(n >= 0 and offset >= 0, errno.EINVAL)
        file = self.file(fd)
        check(offset + n <= LAST, errno.EINVAL)
        return file.read(offset, n)

    def pwrite(self, fd, data, offset):
        check(offset >= 0, errno.EINVAL)
        file = self.file(fd)
        check(offset + len(data) <= LAST, errno.EINVAL)
        file.write(data, offset)
        return len(data)

    def lseek(self, fd, position, whence):
        file = self.file(fd)
        check(0 <= whence <= os.SEEK_HOLE, errno.EINVAL)
        if whence in (os.SEEK_DATA, os.SEEK_HOLE):
            file.position = file.seek(position, data=whence == os.SEEK_DATA)
            return file.position
        position += (0, file.position, file.size)[whence]
        check(0 <= position <= LAST, errno.EINVAL)
        file.position = position
        return position

    def ftruncate(self, fd, length):
        check(length >= 0, errno.EINVAL)
        self.file(fd).truncate(length)

    def fstat(self, fd):
        file = self.file(fd)
        return Stat(file.size, len(file.pages) * PAGE // 512)

    def posix_fallocate(self, fd, offset, length):
        self.fallocate(fd, 0, offset, length)

    def fallocate(self, fd, mode, offset, length):
        file = self.file(fd)
        check(offset >= 0 and length > 0, errno.EINVAL)
        check(mode in MODES or mode in REFUSED_LATE, errno.EOPNOTSUPP)
        check(offset + length <= LAST, errno.EFBIG)
        check(mode in MODES, errno.EOPNOTSUPP)
        if mode & PUNCH_HOLE:
            file.punch(offset, offset + length)
            return
        file.allocate(offset, offset + length)
        if not mode & KEEP_SIZE:
            file.size = max(file.size, offset + length)
