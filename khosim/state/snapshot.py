"""A moment of the machine, to look at: read-only, comparable, with a digest that is the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from khosim.errors import UsageError
from khosim.state.layout import Array
from khosim.state.machine import MachineState

__all__ = ["Change", "Snapshot"]

SHOWN = 4


@dataclass(frozen=True, slots=True)
class Change:
    """One cell that differs: `array[index].field` was `old` and is `new`.

    `old` and `new` are ints; for `phys` and `swap_data`, bytes: from the first to the last byte of the row that
    differ, and `index` is the row and the first byte. `field` is "" for arrays without columns.
    """

    array: str
    field: str
    index: tuple[int, ...]
    old: int | bytes
    new: int | bytes

    def __repr__(self) -> str:
        """Show the place and both values; of long bytes, the first ones."""
        place = f"{self.array}[{', '.join(map(str, self.index))}]{self.field and '.'}{self.field}"
        return f"Change({place}: {_value(self.old)} -> {_value(self.new)})"


def _value(value: int | bytes) -> str:
    if isinstance(value, bytes) and len(value) > SHOWN:
        return f"{value[:SHOWN]!r}... ({len(value)} bytes)"
    return repr(value)


class Snapshot(MachineState):
    """A read-only copy of a machine's buffer, with all of the machine's views.

    Taking one copies `buffer` and nothing else (8 KiB for 64 frames of 64 bytes); the views open on first use.
    """

    def __init__(self, machine: MachineState) -> None:
        """Copy the machine's bytes."""
        self.config = machine.config
        self.variants = machine.variants
        self.buffer: Array = machine.buffer.copy()
        self.buffer.flags.writeable = False

    def __getattr__(self, name: str) -> Any:
        """Open the views on first use."""
        if "arrays" in self.__dict__ or name.startswith("__"):
            raise AttributeError(name)
        self.frames, self.page_size = self.config.frames, self.config.page_size
        self.file_pages = self.config.file_pages
        self._open()
        return getattr(self, name)

    @property
    def digest(self) -> str:
        """16 hex digits of BLAKE2b over every byte; equal states have equal digests in any process."""
        return blake2b(self.buffer.tobytes(), digest_size=8).hexdigest()

    @property
    def bits(self) -> Array:
        """The PFN bitmap as bool[frames]."""
        if not self.bitmap_phys:
            return np.zeros(self.frames, bool)
        words = np.frombuffer(self.ram, "u1", 8 * self.config.bitmap_words, self.bitmap_phys)
        return np.unpackbits(words, bitorder="little")[: self.frames].astype(bool)

    def diff(self, after: MachineState) -> list[Change]:
        """Every cell that differs in `after`, by array and index.

        Raises `UsageError` for another shape of machine.
        """
        if after.config != self.config:
            raise UsageError("diff compares moments of one machine; these two have different configs")
        return list(_changes(self.arrays, after.arrays))

    def __eq__(self, other: object) -> bool:
        """Whether every byte of state is the same."""
        if not isinstance(other, MachineState):
            return NotImplemented
        return self.config == other.config and np.array_equal(self.buffer, other.buffer)

    __hash__ = None  # type: ignore[assignment]  # large and compared by value; keep digests in sets instead

    def __repr__(self) -> str:
        """Say which kernel and which state."""
        free = f"{self.nr_free} of {self.frames} frames free"
        return f"Snapshot(kernel {self.boots}, {free}, digest {self.digest})"


def _changes(before: dict[str, Array], after: dict[str, Array]) -> Iterator[Change]:
    for name, old in before.items():
        new = after[name]
        if name in ("phys", "swap_data"):
            yield from _byte_changes(name, old, new)
        elif old.dtype.names:
            for field in old.dtype.names:
                for row in np.flatnonzero(old[field] != new[field]).tolist():
                    yield Change(name, field, (row,), int(old[field][row]), int(new[field][row]))
        else:
            for where in np.argwhere(old != new).tolist():
                place = tuple(where)
                yield Change(name, "", place, int(old[place]), int(new[place]))


def _byte_changes(name: str, old: Array, new: Array) -> Iterator[Change]:
    for row in np.flatnonzero((old != new).any(axis=1)).tolist():
        places = np.flatnonzero(old[row] != new[row])
        first, last = int(places[0]), int(places[-1]) + 1
        yield Change(name, "", (row, first), old[row, first:last].tobytes(), new[row, first:last].tobytes())
