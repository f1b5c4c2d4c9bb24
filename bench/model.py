"""The least that answers the program's calls: a file as a dict of pages. Nothing is checked, nothing can fail."""

from __future__ import annotations

__all__ = ["DictOs"]

SEEK_DATA, SEEK_HOLE = 3, 4


class DictOs:
    """One file, whatever the descriptor. `pages` maps a page's index to its bytes; `fresh` ones were never written."""

    def __init__(self, page: int) -> None:
        """Start with an empty file of pages of `page` bytes."""
        self.page, self.size, self.position = page, 0, 0
        self.pages: dict[int, bytes] = {}
        self.fresh: set[int] = set()

    def pread(self, _fd: int, n: int, offset: int) -> bytes:
        """Up to `n` bytes at `offset`."""
        n = max(0, min(n, self.size - offset))
        first, end = offset // self.page, -(-(offset + n) // self.page)
        blank = bytes(self.page)
        whole = b"".join(self.pages.get(index, blank) for index in range(first, end))
        return whole[offset - first * self.page :][:n]

    def pwrite(self, _fd: int, data: bytes, offset: int) -> int:
        """Write at `offset`; how much."""
        done = 0
        while done < len(data):
            index, start = divmod(offset + done, self.page)
            part = data[done : done + self.page - start]
            old = self.pages.get(index) or bytes(self.page)
            self.pages[index] = old[:start] + part + old[start + len(part) :]
            self.fresh.discard(index)
            done += len(part)
        self.size = max(self.size, offset + done)
        return done

    def write(self, fd: int, data: bytes) -> int:
        """Write at the file position."""
        done = self.pwrite(fd, data, self.position)
        self.position += done
        return done

    def lseek(self, _fd: int, position: int, whence: int) -> int:
        """Move the file position to `position`, or to the next data or hole from there."""
        if whence in (SEEK_DATA, SEEK_HOLE):
            position = self._seek(position, whence)
        self.position = position
        return position

    def _seek(self, start: int, whence: int) -> int:
        for index in range(start // self.page, -(-self.size // self.page)):
            if (index in self.pages and index not in self.fresh) == (whence == SEEK_DATA):
                return max(start, index * self.page)
        return self.size

    def ftruncate(self, _fd: int, length: int) -> None:
        """Set the size; what lies behind it is gone."""
        index, start = divmod(length, self.page)
        for old in [old for old in self.pages if old * self.page >= length]:
            del self.pages[old]
            self.fresh.discard(old)
        if start and index in self.pages:
            self.pages[index] = self.pages[index][:start].ljust(self.page, b"\0")
        self.size = length

    def posix_fallocate(self, _fd: int, offset: int, length: int) -> None:
        """Allocate the range; the file grows to hold it."""
        for index in range(offset // self.page, -(-(offset + length) // self.page)):
            if index not in self.pages:
                self.pages[index] = bytes(self.page)
                self.fresh.add(index)
        self.size = max(self.size, offset + length)
