"""The calls that are timed: a file written, read, searched, cut and filled again, a page or less at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["PAGES", "Calls", "Face", "Program", "bind", "perform", "program", "written"]

PAGES = 12
SEEK_SET, SEEK_DATA, SEEK_HOLE = 0, 3, 4


class Face(Protocol):
    """What can be called: the part of Python's `os` that the program uses. Offsets and lengths in bytes."""

    def pread(self, fd: int, n: int, offset: int, /) -> bytes:
        """Read at an offset."""

    def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
        """Write at an offset."""

    def write(self, fd: int, data: bytes, /) -> int:
        """Write at the file position."""

    def lseek(self, fd: int, position: int, whence: int, /) -> int:
        """Move the file position."""

    def ftruncate(self, fd: int, length: int, /) -> None:
        """Set the size."""

    def posix_fallocate(self, fd: int, offset: int, length: int, /) -> None:
        """Allocate a range."""


Program = list[tuple[str, tuple[Any, ...]]]
"""Names of calls, and their arguments but for the descriptor."""
Calls = list[tuple[Callable[..., Any], tuple[Any, ...]]]
"""The same, ready to be called."""


def program(page: int) -> Program:
    """The calls of one lap, for pages of `page` bytes. It begins by emptying the file, so every lap is the same."""
    return [("ftruncate", (0,)), *written(page), *cut(page)]


def written(page: int) -> Program:
    """Write, read and search: what a KHO file survives for any number of laps. The patch as posted loses a cut one."""
    calls: Program = []
    for index in range(PAGES):
        start, data = index * page, bytes((65 + index,)) * (page // 2)
        calls += [("pwrite", (data, start)), ("pread", (page, start)), ("lseek", (start, SEEK_SET)), ("write", (data,))]
    for index in range(0, PAGES, 2):
        start = index * page
        calls += [
            ("lseek", (start, SEEK_DATA)),
            ("lseek", (start, SEEK_HOLE)),
            ("pread", (2 * page, start + page // 2)),
        ]
    return calls


def cut(page: int) -> Program:
    """Cut the file page by page, allocate behind the cut, and look at what is there."""
    calls: Program = []
    for index in range(PAGES - 2, 3, -2):
        start = index * page
        calls += [("ftruncate", (start + page // 4,)), ("pread", (page, start)), ("posix_fallocate", (start, 3 * page)),
                  ("pread", (page, start + page)), ("lseek", (start + page, SEEK_HOLE))]  # fmt: skip
    return calls


def bind(face: Face, fd: int, calls: Program) -> Calls:
    """The calls on the file `fd`, looked up, so that nothing but calling is left to be timed."""
    return [(getattr(face, name), (fd, *args)) for name, args in calls]


def perform(calls: Calls, laps: int = 1) -> list[Any]:
    """Make the calls; what those of the last lap returned."""
    results: list[Any] = []
    for _ in range(laps):
        results = [call(*args) for call, args in calls]
    return results
