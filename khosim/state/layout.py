"""Every array of the machine, laid out in one buffer.

One buffer makes the rest simple: a snapshot is one copy, a digest one hash, a difference one comparison, and
nothing can escape them, for there is no other place to keep state.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from khosim.config import MachineConfig

__all__ = [
    "LISTS",
    "MAX_ORDER",
    "Columns",
    "Counter",
    "File",
    "Inode",
    "Link",
    "Page",
    "Swap",
    "Vma",
    "flat",
    "layout",
    "views",
]

Array = npt.NDArray[Any]
MAX_ORDER = 10
"""Largest buddy block is 2**10 frames (MAX_PAGE_ORDER)."""
LISTS = 2 + 2 * (MAX_ORDER + 1)
"""List heads behind the frames in `link`: per-CPU list, LRU, free_area[0..10] of MOVABLE and of CMA."""
ALIGN = 64
NAME_BYTES = 32


def flat(array: Any) -> memoryview[int]:
    """An array of numbers, opened for reading and writing single Python ints."""
    return memoryview(array)


class Columns:
    """A structured array as plain columns: `page.refcount[pfn]` reads and writes one Python int."""

    dtype: ClassVar[np.dtype[Any]]

    def __init__(self, array: Array) -> None:
        """Look at `array`; writes go to it."""
        self._array = array

    def __getattr__(self, name: str) -> memoryview[int]:
        """Open a field as a typed view when it is first used, and keep it."""
        if name.startswith("_") or name not in (self.dtype.names or ()):
            raise AttributeError(name)
        column = flat(self._array[name])
        setattr(self, name, column)
        return column

    def __repr__(self) -> str:
        """Count the rows."""
        names = self.dtype.names or ("",)
        return f"{type(self).__name__}({len(getattr(self, names[0]))} rows of {len(names)} columns)"


def _fields(wide: str = "", narrow: str = "") -> np.dtype[Any]:
    return np.dtype([(n, "i8") for n in wide.split()] + [(n, "i4") for n in narrow.split()], align=True)


class Page(Columns):
    """`struct page`, one per frame. int32 but for `private` (int64).

    mapping: 0 for NULL, else inode number + 1. order: of a large folio's head. head: PFN of the head, -1 if not
    a tail.
    """

    dtype = _fields("private", "flags refcount mapcount mapping index order head")
    flags: memoryview[int]
    refcount: memoryview[int]
    mapcount: memoryview[int]
    mapping: memoryview[int]
    index: memoryview[int]
    order: memoryview[int]
    head: memoryview[int]
    private: memoryview[int]


class Link(Columns):
    """`struct list_head`: next and prev are PFNs, or numbers of list heads from `frames` on. int32."""

    dtype = _fields("", "next prev")
    next: memoryview[int]
    prev: memoryview[int]


class Inode(Columns):
    """`struct inode` with its `shmem_inode_info` and address_space, one row an inode.

    int64: i_size (bytes), kho (physical address of the KHO inode, 0 for none), fallocend (page index).
    int32: used, nlink (open files and mappings), nrpages, alloced, swapped, pages (accounted; i_blocks comes of it),
    release_always (AS_RELEASE_ALWAYS), rwsem (1 while locked), seals, and i_private's window of a fallocate:
    falloc (0 none, 1 allocating, 2 punching), start, next, nr_falloced, nr_unswapped.
    """

    dtype = _fields(
        "i_size kho fallocend start next",
        "used nlink nrpages alloced swapped pages release_always rwsem seals falloc nr_falloced nr_unswapped",
    )
    i_size: memoryview[int]
    kho: memoryview[int]
    fallocend: memoryview[int]
    start: memoryview[int]
    next: memoryview[int]
    used: memoryview[int]
    nlink: memoryview[int]
    nrpages: memoryview[int]
    alloced: memoryview[int]
    swapped: memoryview[int]
    pages: memoryview[int]
    release_always: memoryview[int]
    rwsem: memoryview[int]
    seals: memoryview[int]
    falloc: memoryview[int]
    nr_falloced: memoryview[int]
    nr_unswapped: memoryview[int]


class File(Columns):
    """`struct file`, one row a file descriptor: pos (bytes, int64), used, ino (int32)."""

    dtype = _fields("pos", "used ino")
    pos: memoryview[int]
    used: memoryview[int]
    ino: memoryview[int]


class Vma(Columns):
    """`struct vm_area_struct`: used, ino, pgoff (page of the file), pages, shared, uffd (VM_UFFD_*), huge."""

    dtype = _fields("", "used ino pgoff pages shared uffd huge")
    used: memoryview[int]
    ino: memoryview[int]
    pgoff: memoryview[int]
    pages: memoryview[int]
    shared: memoryview[int]
    uffd: memoryview[int]
    huge: memoryview[int]


class Swap(Columns):
    """The swap map: count (users of the slot), cache (PFN in the swap cache, -1 for none). int32."""

    dtype = _fields("", "count cache")
    count: memoryview[int]
    cache: memoryview[int]


class Counter:
    """One int64 of the machine's `counters`, as an attribute."""

    names: ClassVar[list[str]] = []

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the next place in `counters`."""
        self.place = len(self.names)
        self.names.append(name)

    def __get__(self, machine: Any, owner: type | None = None) -> int:
        """Read it."""
        return int(machine.counters[self.place])

    def __set__(self, machine: Any, value: int) -> None:
        """Write it."""
        machine.counters[self.place] = value


@cache
def layout(config: MachineConfig) -> Mapping[str, tuple[int, np.dtype[Any], tuple[int, ...]]]:
    """Offset in bytes, dtype and shape of every array, by name, in the order of the buffer."""
    c = config
    shapes: dict[str, tuple[npt.DTypeLike, tuple[int, ...]]] = {
        "phys": ("u1", (c.frames, c.page_size)),
        "page": (Page.dtype, (c.frames,)),
        "link": (Link.dtype, (c.frames + LISTS,)),
        "slots": ("i4", (c.inodes, c.file_pages)),
        "inode": (Inode.dtype, (c.inodes,)),
        "name": ("u1", (c.inodes, NAME_BYTES)),
        "file": (File.dtype, (c.files,)),
        "vma": (Vma.dtype, (c.vmas,)),
        "pte": ("i4", (c.vmas, c.file_pages)),
        "swap": (Swap.dtype, (c.swap_slots,)),
        "swap_data": ("u1", (c.swap_slots, c.page_size)),
        "lru_add": ("i4", (c.lru_batch,)),
        "counters": ("i8", (len(Counter.names),)),
    }
    placed = {}
    offset = 0
    for name, (kind, shape) in shapes.items():
        dtype = np.dtype(kind)
        placed[name] = (offset, dtype, shape)
        offset += -(-dtype.itemsize * int(np.prod(shape)) // ALIGN) * ALIGN
    placed["end"] = (offset, np.dtype("u1"), (0,))
    return placed


def views(config: MachineConfig, buffer: Array) -> dict[str, Array]:
    """Every array of `layout` as a view of `buffer` (uint8, one dimension)."""
    found = {}
    for name, (offset, dtype, shape) in layout(config).items():
        size = dtype.itemsize * int(np.prod(shape))
        found[name] = buffer[offset : offset + size].view(dtype).reshape(shape)
    return found
