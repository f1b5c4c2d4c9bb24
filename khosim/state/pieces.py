"""A large machine's bytes, moment by moment, in pieces: what did not change is kept once."""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b

import numpy as np

from khosim.state.layout import Array

__all__ = ["PIECE", "Piece", "cut", "join", "patch"]

PIECE = 1 << 16
"""Bytes of a piece, a multiple of the layout's `ALIGN`."""


class Piece:
    """A stretch of a machine's buffer as it was at some moment. It never changes, so that moments can share it."""

    def __init__(self, data: Array) -> None:
        """Keep `data`, uint8[up to `PIECE`], for good."""
        self.data = data
        self.data.flags.writeable = False

    @cached_property
    def digest(self) -> bytes:
        """16 bytes of BLAKE2b over the bytes."""
        return blake2b(self.data.tobytes(), digest_size=16).digest()

    def same(self, data: Array) -> bool:
        """Whether these are its bytes; by words, which is eight times as fast as by bytes."""
        return not (self.data.view("u8") != data.view("u8")).any()


def cut(buffer: Array, before: tuple[Piece, ...] = ()) -> tuple[Piece, ...]:
    """The buffer in pieces: those of `before` where nothing changed, copies where something did."""
    starts = range(0, buffer.size, PIECE)
    if not before:
        kept = buffer.copy()
        return tuple(Piece(kept[at : at + PIECE]) for at in starts)
    pairs = ((old, buffer[at : at + PIECE]) for at, old in zip(starts, before, strict=True))
    return tuple(old if old.same(new) else Piece(new.copy()) for old, new in pairs)


def join(pieces: tuple[Piece, ...]) -> Array:
    """The whole buffer, newly put together."""
    return np.concatenate([piece.data for piece in pieces])


def patch(buffer: Array, before: tuple[Piece, ...], after: tuple[Piece, ...]) -> None:
    """Turn a buffer that holds `before` into one that holds `after`."""
    for at, old, new in zip(range(0, buffer.size, PIECE), before, after, strict=True):
        if old is not new:
            buffer[at : at + PIECE] = new.data
