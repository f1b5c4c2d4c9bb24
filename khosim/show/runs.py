"""Run-length codes: a row of integers as runs, a change of it as runs, bytes as short text.

Everything here is JSON-able and exact: what goes in comes out, cell for cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

__all__ = ["Row", "apply", "change", "pack", "splice", "text_change", "unpack"]

Row = NDArray[np.int64]

NEAR = 4  # changed bytes this close together travel as one piece of text
REPEAT = 4  # equal bytes in a row from which "a5*40" is shorter than writing them out


def pack(row: Row) -> list[int]:
    """Return int64[n] as flat runs: value, length, value, length ..."""
    if not row.size:
        return []
    first = np.flatnonzero(np.concatenate(([True], row[1:] != row[:-1])))
    length = np.diff(np.concatenate((first, [row.size])))
    return [int(x) for pair in zip(row[first], length, strict=True) for x in pair]


def unpack(runs: Sequence[int]) -> Row:
    """Rebuild int64[n] from what `pack` returned."""
    return np.repeat(np.array(runs[0::2], np.int64), np.array(runs[1::2], np.int64))


def change(before: Row, after: Row) -> list[int]:
    """Return what turns one int64[n] into the other, as flat runs: start, length, value ...

    A run may span cells that held its value already, so that one kexec empties a page cache in one run.
    """
    cells = np.flatnonzero(before != after) if before is not after else before[:0]
    if not cells.size:
        return []
    span = after[cells[0] : cells[-1] + 1]
    run = np.concatenate(([0], np.cumsum(span[1:] != span[:-1])))[cells - cells[0]]
    opens = np.concatenate(([True], run[1:] != run[:-1]))
    closes = np.concatenate((run[1:] != run[:-1], [True]))
    first, last = cells[opens], cells[closes]
    return [int(x) for a, b in zip(first, last, strict=True) for x in (a, b - a + 1, after[a])]


def apply(row: Row, runs: Sequence[int]) -> Row:
    """Return a copy of int64[n] with the runs of `change` written over it."""
    out = row.copy()
    for start, length, value in zip(runs[0::3], runs[1::3], runs[2::3], strict=True):
        out[start : start + length] = value
    return out


def text_change(before: Row, after: Row) -> list[int | str]:
    """Return what turns one row of bytes into the other: start, text, start, text ...; see `splice`."""
    cells = np.flatnonzero(before != after)
    if not cells.size:
        return []
    out: list[int | str] = []
    for piece in np.split(cells, np.flatnonzero(np.diff(cells) > NEAR) + 1):
        out += [int(piece[0]), _text(after[piece[0] : piece[-1] + 1].tolist())]
    return out


def splice(row: Row, pieces: Sequence[int | str]) -> Row:
    """Return a copy of a row of bytes with the pieces of `text_change` written over it.

    A piece is words parted by blanks: hex digits as they stand, or `a5*40` for forty times 0xA5.
    """
    out = row.copy()
    for start, text in zip(pieces[0::2], pieces[1::2], strict=True):
        data = b"".join(_word(word) for word in str(text).split(" "))
        out[int(start) : int(start) + len(data)] = np.frombuffer(data, np.uint8)
    return out


def _text(data: list[int]) -> str:
    words: list[str] = []
    for value, group in groupby(data):
        n = len(list(group))
        if n >= REPEAT:
            words.append(f"{value:02x}*{n}")
        elif words and "*" not in words[-1]:
            words[-1] += f"{value:02x}" * n
        else:
            words.append(f"{value:02x}" * n)
    return " ".join(words)


def _word(word: str) -> bytes:
    value, star, times = word.partition("*")
    return bytes.fromhex(value) * (int(times) if star else 1)
