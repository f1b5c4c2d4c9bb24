"""`struct list_head` (include/linux/list.h): circular lists threaded through the frames' own links.

A frame that was deleted keeps the kernel's poison in its links, so deleting it again goes as wrong as there.
"""

from __future__ import annotations

from collections.abc import Iterator

from khosim.errors import KernelPanic
from khosim.state.layout import MAX_ORDER
from khosim.state.machine import MachineState

__all__ = ["LIST_POISON1", "LIST_POISON2", "free_area", "init_lists", "list_add", "list_add_tail", "list_del",
           "list_empty", "list_page", "list_walk", "lru_head", "pcp_head"]  # fmt: skip

LIST_POISON1 = -0x100
LIST_POISON2 = -0x122


def pcp_head(m: MachineState) -> int:
    """The per-CPU list of free frames."""
    return m.frames


def lru_head(m: MachineState) -> int:
    """The LRU of page cache folios, newest first."""
    return m.frames + 1


def free_area(m: MachineState, cma: int, order: int) -> int:
    """The buddy's list of free blocks of 2**order frames; `cma` is 1 for scratch memory."""
    return m.frames + 2 + cma * (MAX_ORDER + 1) + order


def init_lists(m: MachineState) -> None:
    """Make every list empty."""
    for head in range(m.frames, len(m.link.next)):
        m.link.next[head] = m.link.prev[head] = head


def list_empty(m: MachineState, head: int) -> bool:
    """Whether nothing hangs on `head`."""
    return m.link.next[head] == head


def list_add(m: MachineState, new: int, head: int) -> None:
    """Insert `new` right behind `head`."""
    after = m.link.next[head]
    m.link.prev[after] = new
    m.link.next[new] = after
    m.link.prev[new] = head
    m.link.next[head] = new


def list_add_tail(m: MachineState, new: int, head: int) -> None:
    """Insert `new` right before `head`, at the end of its list."""
    list_add(m, new, m.link.prev[head])


def list_del(m: MachineState, entry: int) -> None:
    """Unlink `entry`; its links become the kernel's list poison. Raises `KernelPanic` if they already are."""
    after, before = m.link.next[entry], m.link.prev[entry]
    if after == LIST_POISON1:
        raise KernelPanic("Kernel mode fault at addr 0x108")
    m.link.prev[after] = before
    m.link.next[before] = after
    m.link.next[entry], m.link.prev[entry] = LIST_POISON1, LIST_POISON2


def list_page(m: MachineState, entry: int) -> int:
    """The frame that a list leads to (list_entry()). Raises `KernelPanic` where a corrupted list leads elsewhere."""
    if not 0 <= entry < m.frames:
        raise KernelPanic("Kernel mode fault: a list of pages leads to something that is no page")
    return entry


def list_walk(m: MachineState, head: int) -> Iterator[int]:
    """The frames on `head`, first to last; stops where a corrupted list leaves its ring."""
    entry = m.link.next[head]
    for _ in range(m.frames):
        if entry < 0 or entry >= m.frames:
            return
        yield entry
        entry = m.link.next[entry]
