"""A mapping, used like `mmap.mmap`: indexed, sliced, assigned."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from operator import index as as_int
from typing import Any, Self

from khosim.errors import MachineGone, UsageError
from khosim.kernel.mmap import MADV_COLLAPSE, MADV_DONTNEED, MADV_HWPOISON, MADV_REMOVE
from khosim.kernel.userfaultfd import VM_UFFD_MINOR, VM_UFFD_MISSING
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_hwpoison, test_flag
from khosim.state.pte import POISON, load_pte

__all__ = ["Mapping", "why_sigbus"]

KINDS = {"missing": VM_UFFD_MISSING, "minor": VM_UFFD_MINOR}
ADVICE = {MADV_DONTNEED: "MADV_DONTNEED", MADV_REMOVE: "MADV_REMOVE", MADV_COLLAPSE: "MADV_COLLAPSE",
          MADV_HWPOISON: "MADV_HWPOISON"}  # fmt: skip


def why_sigbus(m: MachineState, vma: int, byte: int) -> str:
    """Say what the fault on a byte of a mapping met, from what the machine is right after it."""
    ino, page = m.vma.ino[vma], byte // m.page_size
    index, kind = m.vma.pgoff[vma] + page, m.vma.uffd[vma]
    poisoned = "its frame is poisoned"
    if load_pte(m, vma, page) is POISON:
        return poisoned
    if index * m.page_size >= m.inode.i_size[ino]:
        return "past the end of the file"
    entry = page_cache.load(m, ino, index)
    there = entry != page_cache.EMPTY
    if (kind == VM_UFFD_MINOR and there) or (kind == VM_UFFD_MISSING and not there and not m.inode.kho[ino]):
        return "userfaultfd has the fault, and no monitor answers"
    if entry >= 0 and test_flag(m, entry + index - m.page.index[entry], PG_hwpoison):
        return poisoned
    return "the kernel has no page to give"


class Mapping:
    """Bytes of a file as memory. Indexes and slices read and write; a byte that gets no page raises `BusError`.

    Made by `Machine.mmap`. A slice has step 1. Raises `UsageError` once closed, and `MachineGone` after a kexec.
    """

    def __init__(self, call: Callable[..., Any], vma: int, length: int, page_size: int) -> None:
        """Remember the mapping's number."""
        self._call, self._vma, self._length, self._page_size = call, vma, length, page_size
        self._open = True

    def __len__(self) -> int:
        """Bytes mapped."""
        return self._length

    def _span(self, key: int | slice) -> tuple[int, int]:
        if not self._open:
            raise UsageError("this mapping is closed; make another with m.mmap(fd, length)")
        if isinstance(key, slice):
            start, stop, step = key.indices(self._length)
            if step != 1:
                raise UsageError(f"a mapping is sliced with step 1, not {step}")
            return start, max(stop - start, 0)
        place = as_int(key)
        place += self._length if place < 0 else 0
        if not 0 <= place < self._length:
            raise IndexError(f"byte {key} is outside a mapping of {self._length} bytes")
        return place, 1

    def _touch(self, start: int, count: int, data: bytes | None) -> bytes:
        return bytes(self._call("access", self._vma, start, count, data))

    def __getitem__(self, key: int | slice) -> Any:
        """Read a byte (an int) or a slice (bytes)."""
        out = self._touch(*self._span(key), None)
        return out if isinstance(key, slice) else out[0]

    def __setitem__(self, key: int | slice, value: int | bytes) -> None:
        """Write a byte (an int from 0 to 255) or a slice (bytes of its length)."""
        start, count = self._span(key)
        if isinstance(key, slice):
            if not isinstance(value, bytes | bytearray | memoryview):
                raise TypeError(f"a slice takes bytes, not {type(value).__name__}; write b'...'")
            data = bytes(value)
            if len(data) != count:
                raise UsageError(f"this slice takes {count} byte(s), not {len(data)}")
        else:
            if isinstance(value, bytes | bytearray | memoryview):
                raise TypeError(f"one byte takes an int from 0 to 255, not {type(value).__name__}; a slice takes bytes")
            if not 0 <= as_int(value) < 256:  # noqa: PLR2004
                raise UsageError(f"one byte takes an int from 0 to 255, not {value}")
            data = bytes((as_int(value),))
        self._touch(start, count, data)

    def madvise(self, option: int, start: int = 0, length: int | None = None) -> None:
        """Advise the kernel: khosim.MADV_DONTNEED, MADV_REMOVE, MADV_COLLAPSE or MADV_HWPOISON, in whole pages.

        Raises `OSError` with the kernel's errno, `UsageError` for advice that is not modelled.
        """
        self._span(slice(0, 0))
        if option not in ADVICE:
            raise UsageError(f"advice {option} is not modelled; there are: {', '.join(ADVICE.values())}")
        start, rest = as_int(start), self._length - as_int(start)
        if not 0 <= start < self._length or (length is not None and length < 0):
            raise UsageError(f"advice is about bytes of the mapping, 0 to {self._length}, not {start}, {length}")
        self._call("madvise", self._vma, option, start, rest if length is None else min(as_int(length), rest))

    def mincore(self) -> list[int]:
        """Tell of each page, with 0 or 1, whether it is in memory."""
        self._span(slice(0, 0))
        found: list[int] = self._call("mincore", self._vma)
        return found

    def uffd_register(self, kind: str) -> None:
        """Send this mapping's faults to userfaultfd: "missing" or "minor". A fault sent there is a `BusError`."""
        self._span(slice(0, 0))
        if kind not in KINDS:
            raise UsageError(f'userfaultfd handles "missing" or "minor" faults, not {kind!r}')
        self._call("uffd_register", self._vma, KINDS[kind])

    def uffd_copy(self, page: int, data: bytes) -> None:
        """UFFDIO_COPY: fill the mapping's page `page` with one page of bytes. Raises `OSError`."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"UFFDIO_COPY takes bytes, not {type(data).__name__}; write b'...'")
        data = bytes(data)
        if len(data) != self._page_size:
            raise UsageError(f"UFFDIO_COPY takes one page of {self._page_size} bytes, not {len(data)}")
        self._call("uffd_copy", self._vma, self._page(page), data)

    def uffd_continue(self, page: int) -> None:
        """UFFDIO_CONTINUE: map the page that the file has. Raises `OSError`."""
        self._call("uffd_continue", self._vma, self._page(page))

    def _page(self, page: int) -> int:
        self._span(slice(0, 0))
        if not 0 <= as_int(page) * self._page_size < self._length:
            raise UsageError(f"page {page} is outside a mapping of {self._length} bytes")
        return as_int(page)

    def close(self) -> None:
        """Unmap it; a second time does nothing."""
        if self._open:
            self._open = False
            self._call("munmap", self._vma)

    def __enter__(self) -> Self:
        """Use it in a `with`."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Unmap it. What a kexec or a crash has ended needs no unmapping."""
        with suppress(MachineGone):
            self.close()

    def __repr__(self) -> str:
        """One short line."""
        return f"Mapping({self._length} bytes{'' if self._open else ', closed'})"
