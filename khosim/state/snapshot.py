"""A moment of the machine, to look at: read-only, comparable, with a digest that is the same everywhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from weakref import ref

import numpy as np

from khosim.errors import UsageError
from khosim.state.layout import Array, layout
from khosim.state.machine import MachineState
from khosim.state.pieces import PIECE, Piece, cut, join, patch

__all__ = ["Change", "Snapshot", "opened"]

SHOWN = 4
WHOLE = 1 << 20  # bytes; up to here one copy is faster than finding out what changed
OPEN = 2  # snapshots in pieces that are open at once

_opened: deque[ref[Snapshot]] = deque()  # which of them are, oldest first


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

    Taking one copies `buffer` and nothing else (8 KiB for 64 frames of 64 bytes); the views open on first use. Of a
    machine larger than `WHOLE`, `pieces` are kept instead, shared with the snapshot before where nothing changed; the
    buffer is put together when the views open, and given up again when `OPEN` others have been opened since.
    """

    def __init__(self, machine: MachineState, before: Snapshot | None = None) -> None:
        """Copy the machine's bytes; `before` is an earlier snapshot of a machine of this config."""
        self.config = machine.config
        self.variants = machine.variants
        self.pieces: tuple[Piece, ...] = ()
        if machine.buffer.nbytes > WHOLE:
            self.pieces = cut(machine.buffer, before.pieces if before else ())
        else:
            self.buffer = machine.buffer.copy()
            self.buffer.flags.writeable = False

    def __getattr__(self, name: str) -> Any:
        """Open the views on first use."""
        if "arrays" in self.__dict__ or name.startswith("__"):
            raise AttributeError(name)
        if self.pieces:
            self.buffer = join(self.pieces)
            self.buffer.flags.writeable = False
            _opened.append(ref(self))
        self._look()
        if len(_opened) > OPEN and (oldest := _opened.popleft()()) is not None:
            oldest.close()
        return getattr(self, name)

    def _look(self) -> None:
        self.frames, self.page_size = self.config.frames, self.config.page_size
        self.file_pages = self.config.file_pages
        self._open()

    def close(self) -> None:
        """Give up what was put together of pieces; it is put together again on next use."""
        if self.pieces:
            kept = {name: self.__dict__[name] for name in ("config", "variants", "pieces")}
            self.__dict__.clear()
            self.__dict__.update(kept)

    @property
    def digest(self) -> str:
        """16 hex digits of BLAKE2b over `told`; equal states have equal digests in any process."""
        return blake2b(self.told, digest_size=8).hexdigest()

    @property
    def told(self) -> bytes:
        """What stands for every byte in a digest: the bytes; of a machine in pieces, the digest of each."""
        return b"".join(piece.digest for piece in self.pieces) or self.buffer.tobytes()

    def changed(self, array: str, before: tuple[Piece, ...]) -> Array:
        """Which rows of an array can differ from the moment whose pieces were `before`: bool[rows]."""
        offset, dtype, shape = layout(self.config)[array]
        size = dtype.itemsize * int(np.prod(shape[1:]))  # bytes of a row
        found = np.full(shape[0], not self.pieces)
        for number, (old, new) in enumerate(zip(before, self.pieces, strict=True)):
            if old is not new:
                first, end = (number * PIECE - offset) // size, -((offset - (number + 1) * PIECE) // size)
                found[max(first, 0) : max(end, 0)] = True
        return found

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
        if self.config != other.config:
            return False
        if isinstance(other, Snapshot) and self.pieces and other.pieces:
            return all(one is two or one.same(two.data) for one, two in zip(self.pieces, other.pieces, strict=True))
        return np.array_equal(self.buffer, other.buffer)

    __hash__ = None  # type: ignore[assignment]  # large and compared by value; keep digests in sets instead

    def __repr__(self) -> str:
        """Say which kernel and which state."""
        free = f"{self.nr_free} of {self.frames} frames free"
        return f"Snapshot(kernel {self.boots}, {free}, digest {self.digest})"


class _Window(Snapshot):
    """A snapshot in pieces that becomes another one in place."""

    def __init__(self, first: Snapshot) -> None:
        """Show `first`."""
        self.config, self.variants, self.pieces = first.config, first.variants, first.pieces
        self._memory = join(self.pieces)
        self.buffer = self._memory.view()
        self.buffer.flags.writeable = False
        self._look()

    def move(self, pieces: tuple[Piece, ...]) -> None:
        """Show the moment of these pieces instead."""
        patch(self._memory, self.pieces, pieces)
        self.pieces = pieces


def opened(snapshots: Iterable[Snapshot]) -> Iterator[Snapshot]:
    """Each snapshot in turn, to look at; those in pieces all in the same memory, which is much faster.

    What was handed out becomes the next moment: keep what was read, and no view of it.
    """
    window: _Window | None = None
    for snapshot in snapshots:
        if not snapshot.pieces:
            yield snapshot
            continue
        window = window or _Window(snapshot)
        window.move(snapshot.pieces)
        yield window


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
