"""A file as a dict of pages: what Linux says a tmpfs file is, with no kernel in it."""

import errno

__all__ = ["FileModel"]

S = 64


class FileModel:
    """Size, and for each page in use its bytes and whether somebody wrote it (a fallocated page nobody wrote is False).

    A call returns what `os` returns, or a negative errno.
    """

    def __init__(self, limit):
        self.limit, self.size, self.pos = limit * S, 0, 0
        self.pages, self.written = {}, set()

    def _page(self, index):
        self.written.add(index)
        return self.pages.setdefault(index, bytearray(S))

    def _zero(self, start, end):
        for place in range(start, end):
            if place // S in self.pages:
                self.pages[place // S][place % S] = 0

    def _drop(self, pages):
        for index in [index for index in self.pages if index in pages]:
            del self.pages[index]
            self.written.discard(index)

    def unread(self, start, end):
        """Whether a fallocated page that nobody wrote lies in a range."""
        return any(index in self.pages and index not in self.written for index in range(start // S, -(-end // S)))

    def pread(self, n, offset):
        end = max(min(offset + n, self.size), offset)
        return b"".join(self.pages.get(p // S, bytes(S))[p % S : p % S + 1] for p in range(offset, end))

    def pwrite(self, data, offset):
        if not data:
            return 0
        if offset >= self.limit:
            return -errno.EFBIG
        data = data[: self.limit - offset]
        for place, byte in enumerate(data, offset):
            self._page(place // S)[place % S] = byte
        self.size = max(self.size, offset + len(data))
        return len(data)

    def read(self, n):
        data = self.pread(n, self.pos)
        self.pos += len(data)
        return data

    def write(self, data):
        done = self.pwrite(data, self.pos)
        self.pos += max(done, 0)
        return done

    def lseek(self, offset, how):
        if how in (3, 4):
            if not 0 <= offset < self.size:
                return -errno.ENXIO
            found = [p for p in range(offset, self.size) if (p // S in self.written) == (how == 3)]
            offset = found[0] if found else self.size
            if how == 3 and not found:
                return -errno.ENXIO
        else:
            offset += [0, self.pos, self.size][how]
        if offset < 0:
            return -errno.EINVAL
        self.pos = offset
        return offset

    def ftruncate(self, length):
        if length > self.limit:
            return -errno.EFBIG
        if length <= self.size:
            self._zero(length, -(-length // S) * S)
            self._drop(range(-(-length // S), self.limit))
        self.size = length
        return 0

    def fallocate(self, mode, offset, length):
        if offset + length > self.limit:
            return -errno.EFBIG
        end = offset + length
        if mode & 2:
            first, last = -(-offset // S), end // S
            self._zero(offset, min(end, first * S))
            self._zero(max(offset, last * S), end)
            self._drop(range(first, last))
            return 0
        for index in range(offset // S, -(-end // S)):
            if index in self.pages:
                self.written.add(index)
            self.pages.setdefault(index, bytearray(S))
        if not mode:
            self.size = max(self.size, end)
        return 0

    def touch(self, start, end, data=None):
        """What a mapping of the file sees: the bytes, or the first byte that is SIGBUS; a store may get half way."""
        out = bytearray()
        for place in range(start, end):
            if place // S * S >= self.size:
                return place
            page = self._page(place // S)
            if data is not None:
                page[place % S] = data[place - start]
            out.append(page[place % S])
        return bytes(out)
