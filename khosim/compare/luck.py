"""Numbers that are likely to find something: page edges, ends of files, nothing at all, less than nothing."""

from __future__ import annotations

import random

__all__ = ["LAST", "Luck"]

LAST = (1 << 63) - 1  # bytes: MAX_LFS_FILESIZE, and the last offset that 64 bits hold

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_WHERE = ("edge",) * 6 + ("end",) * 5 + ("start",) * 2 + ("inside",) * 5 + ("anywhere",) * 3
_HOW_LONG = ("nothing",) + ("bytes",) * 7 + ("pages",) * 6 + ("any",) * 6
_NUDGES = (-1, 0, 0, 0, 1)
_FEW = 64  # bytes: a length within a page
_FAR = (1 << 40, 1 << 62, LAST)  # bytes
_SOME = 4  # pages: the longest length


class Luck:
    """Chooses offsets, lengths and data. `page` and `limit`, the highest offset, are in bytes."""

    def __init__(self, rng: random.Random, page: int, limit: int) -> None:
        self.page = page
        self.limit = limit
        self._rng = rng
        self.choice = rng.choice

    def chance(self, percent: int) -> bool:
        """True so many times in a hundred."""
        return self._rng.random() * 100 < percent

    def offset(self, end: int) -> int:
        """A byte offset for a file that ends at `end`; at most `limit`, now and then negative."""
        if self.chance(2):
            return -self._rng.randint(1, self.page)
        where = self.choice(_WHERE)
        if where == "edge":
            return self._clipped(self._rng.randrange(0, self.limit + 1, self.page) + self.choice(_NUDGES))
        if where == "end":
            return self._clipped(end + self.choice(_NUDGES))
        if where == "inside":
            return self._rng.randint(0, min(end, self.limit))
        return 0 if where == "start" else self._rng.randint(0, self.limit)

    def far(self, end: int) -> int:
        """An offset, now and then one that no file reaches; only for what makes no file grow."""
        return self.choice(_FAR) if self.chance(2) else self.offset(end)

    def length(self) -> int:
        """A length in bytes: nothing, some bytes, about a page or some pages; at most `limit`."""
        how = self.choice(_HOW_LONG)
        if how == "nothing":
            return 0
        if how == "bytes":
            return self._rng.randint(1, _FEW)
        if how == "pages":
            return self._clipped(self.page * self._rng.randint(1, _SOME - 1) + self.choice(_NUDGES))
        return self._rng.randint(1, min(self.limit, _SOME * self.page))

    def signed_length(self) -> int:
        """A length that is now and then negative."""
        return -self.length() if self.chance(2) else self.length()

    def data(self, length: int) -> bytes:
        """Bytes that tell which call wrote them; their period, 3, divides no page size."""
        unit = bytes(self._rng.choices(_LETTERS, k=3))
        return (unit * (length // 3 + 1))[:length]

    def span(self, length: int) -> tuple[int, int]:
        """Start and stop of a slice of a mapping of that length, often at a page edge or the last byte."""
        page = self._rng.randrange(0, length, self.page)
        start = self.choice((0, page, page, length, self._rng.randrange(length))) + self.choice(_NUDGES)
        start = min(max(start, 0), length - 1)
        return start, min(length, start + self.length())

    def page_start(self, length: int) -> int:
        """A page's offset in a mapping of that length; now and then a byte beside it."""
        start = self._rng.randrange(0, length, self.page)
        return min(start + 1, length - 1) if self.chance(5) else start

    def _clipped(self, offset: int) -> int:
        return min(max(offset, 0), self.limit)
