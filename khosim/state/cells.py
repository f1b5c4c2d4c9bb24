"""Single cells of the state by name, so that one can ask why a cell is what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from khosim.errors import UsageError
from khosim.state import handover, page_cache
from khosim.state.bitmap import word_of
from khosim.state.blocks import kho_i_size, load_block
from khosim.state.handover import HandoverError
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_NAMES

__all__ = ["Cell", "cell_reader", "find_kho"]

Cell = str
Reader = Callable[[Any], int]
FLAGS = {name: flag for flag, name in PG_NAMES.items()}
CELLS = ("bit", "block", "cache", "byte", "refcount", "mapcount", "mapping", "i_size", "kho_i_size", "nrpages",
         "alloced", "swapped")  # fmt: skip


def find_kho(m: MachineState, file: str | None = None) -> int:
    """Physical address of a file's KHO inode, of the first one if `file` is None. Raises `UsageError` without one."""
    try:
        known = handover.files(m)
    except HandoverError as error:
        raise UsageError(f"the machine's FDT cannot be read: {error}") from None
    for found in known:
        if file in (None, found.name):
            return found.inode
    raise UsageError(f"there is no preserved file named {file!r}" if file else "no file was made with MFD_KHO")


def cell_reader(m: MachineState, cell: Cell, *, pfn: int | None = None, index: int | None = None, offset: int = 0,
                file: str | None = None, ino: int = 0, **unknown: Any) -> Reader:  # fmt: skip
    """A function that reads one cell of any moment of this machine; the first byte, inode, file if none is said.

    Raises `UsageError` for a cell that cannot be.
    """
    for name in unknown:
        raise UsageError(f"a cell has no {name!r}; it is named by pfn, index, offset, file, ino")
    if isinstance(cell, str) and cell in FLAGS:
        flag, frame = FLAGS[cell], _bounded("pfn", pfn, m.frames)
        return lambda s: int(bool(s.page.flags[frame] & flag))
    if cell in ("bit", "refcount", "mapcount", "mapping", "byte"):
        frame = _bounded("pfn", pfn, m.frames)
        if cell == "bit":
            word = word_of(m, frame) >> 3  # where the bitmap lies does not change; early in a boot nobody knows it yet
            return lambda s: int(s.words[word] >> frame % 64 & 1)
        if cell == "byte":
            place = frame * m.page_size + _bounded("offset", offset, m.page_size)
            return lambda s: int(s.ram[place])
        return lambda s: int(getattr(s.page, cell)[frame])
    if cell == "cache":
        row, slot = _bounded("ino", ino, m.config.inodes), _bounded("index", index, m.file_pages)
        return lambda s: page_cache.load(s, row, slot)
    if cell == "block":
        kho, place = find_kho(m, file), _bounded("index", index, m.config.nblocks)
        return lambda s: load_block(s, kho, place) // s.page_size
    if cell == "kho_i_size":
        kho = find_kho(m, file)
        return lambda s: kho_i_size(s, kho)
    if cell in ("i_size", "nrpages", "alloced", "swapped"):
        row = _bounded("ino", ino, m.config.inodes)
        return lambda s: int(getattr(s.inode, cell)[row])
    raise UsageError(f"there is no cell {cell!r}; there are: {', '.join([*CELLS, *FLAGS])}")


def _bounded(name: str, value: int | None, end: int) -> int:
    if not isinstance(value, int) or not 0 <= value < end:
        raise UsageError(f"say which one: {name}=0 to {end - 1}, not {name}={value!r}")
    return value
