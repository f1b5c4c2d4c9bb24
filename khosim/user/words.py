"""A call as its program would write it: flags by name, long buffers counted, a mapping as `map`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from khosim.kernel.filemap import SEEK_DATA, SEEK_HOLE
from khosim.kernel.memfd import MFD_KHO
from khosim.kernel.read_write import SEEK_CUR, SEEK_END, SEEK_SET
from khosim.kernel.shmem_fallocate import FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE
from khosim.user.mmap import ADVICE, KINDS

__all__ = ["written"]

LONG = 16  # bytes; more are counted, not shown
MODES = {FALLOC_FL_PUNCH_HOLE: "FALLOC_FL_PUNCH_HOLE", FALLOC_FL_KEEP_SIZE: "FALLOC_FL_KEEP_SIZE"}
WHENCE = {SEEK_SET: "SEEK_SET", SEEK_CUR: "SEEK_CUR", SEEK_END: "SEEK_END", SEEK_DATA: "SEEK_DATA",
          SEEK_HOLE: "SEEK_HOLE"}  # fmt: skip


def written(name: str, args: tuple[Any, ...]) -> str:
    """Return the call `name` of `CALLS` with these arguments as a line of a program."""
    match name, args:
        case "access", (vma, start, count, data):
            place = f"{_map(vma)}[{start}]" if count == 1 else f"{_map(vma)}[{start}:{start + count}]"
            return place if data is None else f"{place} = {_shown(data)}"
        case "memfd_create", (str() as file, flags):
            return f'memfd_create("{file}", {_flags(flags, {MFD_KHO: "MFD_KHO"})})'
        case "pwrite", (fd, _, bytes() as data, offset):
            args = fd, data, offset
        case "lseek", (fd, offset, whence):
            return f"lseek({fd}, {offset}, {WHENCE.get(whence, whence)})"
        case "fallocate", (fd, mode, offset, length):
            return f"fallocate({fd}, {_flags(mode, MODES)}, {offset}, {length})"
        case "mmap", (fd, length, offset, shared):
            return f"mmap({fd}, {length}, {'MAP_SHARED' if shared else 'MAP_PRIVATE'}, {offset})"
        case "madvise", (vma, advice, start, length):
            return f"madvise({_map(vma)}, {ADVICE.get(advice, advice)}, {start}, {length})"
        case "uffd_register", (vma, kind):
            names = {number: word for word, number in KINDS.items()}
            return f'uffd_register({_map(vma)}, "{names.get(kind, kind)}")'
        case ("munmap" | "mincore" | "uffd_copy" | "uffd_continue"), (vma, *rest):
            return f"{name}({', '.join([_map(vma), *map(_shown, rest)])})"
    return f"{name}({', '.join(map(_shown, args))})"


def _map(vma: int) -> str:
    """A mapping's name: the first is `map`, then `map1`, `map2` ..."""
    return f"map{vma or ''}"


def _shown(value: Any) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) and len(value) > LONG else repr(value)


def _flags(value: int, names: Mapping[int, str]) -> str:
    """Flags by name, with what has none as a number."""
    known = [word for flag, word in names.items() if value & flag]
    rest = value & ~sum(flag for flag in names if value & flag)
    return " | ".join([*known, *([hex(rest)] if rest else [])]) or "0"
