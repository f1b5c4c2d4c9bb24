"""What judges ask of a recorded run: whose page it is, which of its kernels did a step, what a call was for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from khosim.errors import UsageError
from khosim.kernel.memfd import FIRST_FD
from khosim.run.history import Call, History
from khosim.show.owners import name_of
from khosim.state import page_cache
from khosim.state.snapshot import Snapshot

__all__ = ["READS", "cached", "changed_at", "failed", "is_read", "is_write", "name_of_fd", "open_file", "wrong_bit"]

READS = ("pread", "read", "splice")
"""The calls that return bytes of a file."""
WRITES = ("pwrite", "write", "uffd_copy")
COUNTED = ("first", "second", "third")


def open_file(s: Snapshot, name: str, *, kept: bool = True) -> int | None:
    """The inode of the open file of this name, with the flag or without; None if there is none."""
    named = (ino for ino in range(s.config.inodes) if s.inode.used[ino] and name_of(s, ino) == name)
    return next((ino for ino in named if bool(s.inode.kho[ino]) == kept), None)


def cached(s: Snapshot, name: str, index: int) -> int:
    """The frame of a page of an open file with the flag in the page cache; `EMPTY` if there is none."""
    ino = open_file(s, name)
    return page_cache.EMPTY if ino is None else page_cache.load(s, ino, index)


def name_of_fd(s: Snapshot, fd: int) -> str:
    """The name of the file that a descriptor stands for."""
    return name_of(s, s.file.ino[fd - FIRST_FD])


def is_read(call: Call) -> bool:
    """Whether a call reads, a load through a mapping among them."""
    return call.name in READS or (call.name == "access" and call.args[-1] is None)


def is_write(call: Call) -> bool:
    """Whether a call writes, a store through a mapping among them."""
    return call.name in WRITES or (call.name == "access" and call.args[-1] is not None)


def failed(call: Call) -> bool:
    """Whether a call ended with an error."""
    code = call.result[-1] if isinstance(call.result, tuple) else call.result
    if not isinstance(code, int):
        return False
    return code >= 0 if call.name == "access" else code < 0  # an access tells the byte that it stopped at


def changed_at(trace: History, cell: str, **where: Any) -> int:
    """The step that changed a cell last; 0 if none of the recording did."""
    try:
        return trace.why(cell, **where).t
    except UsageError:
        return 0


def wrong_bit(trace: History, pfn: int, page: int, kernel: int) -> Iterator[tuple[int, str]]:
    """Say who set the bit of a page's frame, unless it was this kernel of the recording: 0 is its first."""
    t = changed_at(trace, "bit", pfn=pfn)
    if not t:
        yield 0, f"No step of your run sets the bit of page {page}."
    elif (by := trace[t].kernel - trace[0].kernel) != kernel:
        yield t, f"The bit of page {page} was set by the {counted(by)} kernel, not by the {counted(kernel)}."


def counted(kernel: int) -> str:
    """A kernel of a recording, in words."""
    return COUNTED[kernel] if kernel < len(COUNTED) else f"{kernel + 1}th"
