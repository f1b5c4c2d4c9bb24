"""Random programs of small files that grow, shrink, are punched, mapped and misused.

The bias is that of fsx, the file system exerciser: see `khosim.compare.luck`. A program is made before it
runs, so what is known of its files is a guess; a wrong guess costs only bias.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from khosim.compare.calls import Call, Name
from khosim.compare.luck import LAST, Luck

__all__ = ["FILES", "MAPPINGS", "PAGES", "Generator", "session"]

FILES = 3  # descriptors open at once
MAPPINGS = 3  # alive at once; each may keep a closed file's pages
PAGES = (2, 5, 16, 64)  # how far, in pages, the calls of one program reach
_PER_SESSION = (60, 400)  # calls in one program: short ones shrink well, long ones get far
_SEEKS = (0, 0, 1, 2, 5, -1)  # SEEK_SET, SEEK_CUR, SEEK_END, and two that mean nothing
_SPARSE_SEEKS = (3, 3, 3, 4, 4, 4)  # SEEK_DATA, SEEK_HOLE
_ADVICE = (4, 9, 9)  # MADV_DONTNEED; MADV_REMOVE, which punches a hole
# Mostly 0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE. The rest is refused by tmpfs: PUNCH_HOLE alone, COLLAPSE_RANGE,
# ZERO_RANGE, INSERT_RANGE, UNSHARE_RANGE, and bits that mean nothing.
_MODES = (0,) * 8 + (1,) * 8 + (3,) * 12 + (2, 8, 16, 32, 64, 0x1000, -1)

_WEIGHTS = {
    "memfd_create": 1,
    "close": 1,
    "read": 6,
    "write": 6,
    "pread": 10,
    "pwrite": 10,
    "lseek": 12,
    "ftruncate": 8,
    "fallocate": 10,
    "posix_fallocate": 2,
    "fstat": 8,
    "mmap": 2,
    "unmap": 1,
    "load": 8,
    "store": 8,
    "mincore": 5,
    "madvise": 2,
}
_TABLE = tuple(name for name, weight in _WEIGHTS.items() for _ in range(weight))


def session(seed: int, index: int, page_size: int, *, sparse: bool = True) -> list[Call]:
    """The random program number `index` of a seed; the same on every machine with this page size (in bytes).

    `sparse=False` leaves out SEEK_DATA and SEEK_HOLE.
    """
    rng = random.Random(f"{seed}/{index}")  # noqa: S311 - chooses test inputs; a str seed is not salted
    luck = Luck(rng, page_size, rng.choice(PAGES) * page_size)
    return Generator(luck, sparse=sparse).program(rng.randint(*_PER_SESSION))


@dataclass(slots=True)
class _File:
    """What is believed of a file: size and position, in bytes."""

    name: Name
    size: int = 0
    position: int = 0


class Generator:
    """Makes one program out of `luck`."""

    def __init__(self, luck: Luck, *, sparse: bool = True) -> None:
        self._luck = luck
        self._whence = _SEEKS + _SPARSE_SEEKS if sparse else _SEEKS
        self._files: list[_File] = []
        self._closed: list[_File] = []
        self._maps: list[tuple[Name, int]] = []  # with their lengths in bytes
        self._made = 0

    def program(self, count: int) -> list[Call]:
        """`count` calls; the first opens a file."""
        return [self._memfd_create(), *(self._any() for _ in range(count - 1))]

    def _any(self) -> Call:
        call: Call = getattr(self, f"_{self._luck.choice(_TABLE)}")()
        return call

    def _file(self) -> _File:
        """Mostly an open file, sometimes one that was closed."""
        if self._closed and (not self._files or self._luck.chance(1)):
            return self._luck.choice(self._closed)
        return self._luck.choice(self._files)

    def _name(self, kind: str) -> Name:
        self._made += 1
        return Name(f"{kind}{self._made}")

    def _memfd_create(self) -> Call:
        if len(self._files) >= FILES:
            return Call("memfd_create", ("long name" * 50,)) if self._luck.chance(5) else self._close()
        self._files.append(_File(self._name("fd")))
        return Call("memfd_create", ("file",), self._files[-1].name)

    def _close(self) -> Call:
        file = self._file()
        if file in self._files:
            if len(self._files) == 1 and self._luck.chance(95):  # seldom none at all
                return self._memfd_create()
            self._files.remove(file)
            self._closed = [*self._closed[-2:], file]
        return Call("close", (file.name,))

    def _read(self) -> Call:
        file, length = self._file(), self._luck.signed_length()
        if file.position > self._luck.limit:
            return self._rewind(file)
        file.position += max(length, 0)
        return Call("read", (file.name, length))

    def _write(self) -> Call:
        file, data = self._file(), self._luck.data(self._luck.length())
        if file.position > self._luck.limit:
            return self._rewind(file)
        file.position += len(data)
        file.size = max(file.size, file.position)
        return Call("write", (file.name, data))

    def _rewind(self, file: _File) -> Call:
        """Sequential calls must not run into the simulated machine's file size limit."""
        file.position = 0
        return Call("lseek", (file.name, 0, 0))

    def _pread(self) -> Call:
        file = self._file()
        return Call("pread", (file.name, self._luck.signed_length(), self._luck.far(file.size)))

    def _pwrite(self) -> Call:
        file, data = self._file(), self._luck.data(self._luck.length())
        offset = self._luck.offset(file.size)
        if self._luck.chance(1):  # refused, unless there is nothing to write
            offset = LAST
        elif offset >= 0 and data:
            file.size = max(file.size, offset + len(data))
        return Call("pwrite", (file.name, data, offset))

    def _lseek(self) -> Call:
        file, whence = self._file(), self._luck.choice(self._whence)
        offset = self._luck.far(file.size)
        if whence == 0:
            file.position = offset if offset >= 0 else file.position
            return Call("lseek", (file.name, offset, whence))
        if whence in (1, 2) and offset <= self._luck.limit:  # mostly backwards, so that the file stays small
            offset = self._luck.choice((0, 0, 1, -1, -offset, -self._luck.page))
        file.position = max(file.position, offset, self._luck.limit)  # not known, so thought the worst of
        return Call("lseek", (file.name, offset, whence))

    def _ftruncate(self) -> Call:
        file = self._file()
        length = self._luck.offset(file.size)
        file.size = length if length >= 0 else file.size
        return Call("ftruncate", (file.name, length))

    def _fallocate(self) -> Call:
        file, mode = self._file(), self._luck.choice(_MODES)
        offset, length = self._luck.offset(file.size), self._luck.signed_length()
        if self._luck.chance(1):  # the sum is past any file, and past 64 bits
            offset, length = LAST, LAST
        elif mode == 0 and offset >= 0 and length > 0:
            file.size = max(file.size, offset + length)
        return Call("fallocate", (file.name, mode, offset, length))

    def _posix_fallocate(self) -> Call:
        file = self._file()
        offset, length = self._luck.offset(file.size), self._luck.signed_length()
        if offset >= 0 and length > 0:
            file.size = max(file.size, offset + length)
        return Call("posix_fallocate", (file.name, offset, length))

    def _fstat(self) -> Call:
        return Call("fstat", (self._file().name,))

    def _mmap(self) -> Call:
        if len(self._maps) >= MAPPINGS:
            return self._unmap()
        name, file = self._name("map"), self._file()
        length = max(self._luck.offset(file.size), 0)
        if file in self._files and length:  # else the call fails, and nothing bears the name
            self._maps.append((name, length))
        return Call("mmap", (file.name, length), name)

    def _unmap(self) -> Call:
        if not self._maps:
            return self._fstat()
        chosen = self._luck.choice(self._maps)
        self._maps.remove(chosen)
        return Call("unmap", (chosen[0],))

    def _load(self) -> Call:
        if not self._maps:
            return self._mmap()
        name, length = self._luck.choice(self._maps)
        start, stop = self._luck.span(length)
        return Call("load", (name, start) if stop == start + 1 else (name, start, stop))

    def _store(self) -> Call:
        if not self._maps:
            return self._mmap()
        name, length = self._luck.choice(self._maps)
        start, stop = self._luck.span(length)
        return Call("store", (name, self._luck.data(stop - start), start, stop))

    def _mincore(self) -> Call:
        if not self._maps:
            return self._mmap()
        return Call("mincore", (self._luck.choice(self._maps)[0],))

    def _madvise(self) -> Call:
        if not self._maps:
            return self._mmap()
        name, length = self._luck.choice(self._maps)
        advice, start = self._luck.choice(_ADVICE), self._luck.page_start(length)
        return Call("madvise", (name, advice, start, self._luck.length()))
