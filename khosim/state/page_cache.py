"""The page cache of an inode (`address_space.i_pages`): index -> folio, swap entry or nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from khosim.state.machine import MachineState

__all__ = ["EMPTY", "entries", "is_swap", "load", "store", "store_range", "swap_entry", "swap_slot"]

EMPTY = -1
"""Nothing in the slot. A PFN is >= 0; a swap entry is <= -2."""


def swap_entry(slot: int) -> int:
    """The page cache's value for swap slot `slot`."""
    return -slot - 2


def swap_slot(entry: int) -> int:
    """The swap slot that a page cache value names."""
    return -entry - 2


def is_swap(entry: int) -> bool:
    """Whether a page cache value is a swap entry (`xa_is_value`)."""
    return entry < EMPTY


def load(m: MachineState, ino: int, index: int) -> int:
    """The slot at `index`: a PFN (of the head, for a large folio), a swap entry, or EMPTY."""
    return m.slots[ino * m.file_pages + index] if 0 <= index < m.file_pages else EMPTY


def store(m: MachineState, ino: int, index: int, entry: int) -> None:
    """Set the slot at `index`."""
    m.slots[ino * m.file_pages + index] = entry


def store_range(m: MachineState, ino: int, index: int, count: int, entry: int) -> None:
    """Set `count` slots from `index` on to the same entry, as a large folio does."""
    base = ino * m.file_pages + index
    for place in range(base, base + count):
        m.slots[place] = entry


def entries(m: MachineState, ino: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """(index, entry) of every slot in use from `start` up to, without, `end`; a large folio counts once."""
    start, end = max(start, 0), max(end, 0)
    last = EMPTY
    for place in np.flatnonzero(m.arrays["slots"][ino, start:end] != EMPTY).tolist():
        index = start + place
        entry = load(m, ino, index)  # the caller may have changed it since
        if entry == EMPTY or (entry >= 0 and entry == last and m.page.order[entry]):
            continue
        last = entry
        yield index, entry
