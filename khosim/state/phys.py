"""Physical memory: bytes by frame, words by address, and the poison that shows who wrote last."""

from __future__ import annotations

from khosim.state.machine import MachineState

__all__ = ["FREED", "FRESH", "copy", "fill", "load", "load_word", "pfn_phys", "phys_pfn", "store", "store_word"]

FRESH = 0xA5
"""What a frame that shmem has just been given reads: old contents of memory."""
FREED = 0xAA
"""What a freed frame reads (PAGE_POISON)."""


def pfn_phys(m: MachineState, pfn: int) -> int:
    """Physical address of frame `pfn`, in bytes."""
    return pfn * m.page_size


def phys_pfn(m: MachineState, address: int) -> int:
    """Frame that holds physical `address`."""
    return address // m.page_size


def fill(m: MachineState, pfn: int, byte: int, start: int = 0, end: int | None = None) -> None:
    """Write `byte` over the bytes [start, end) of frame `pfn`."""
    end = m.page_size if end is None else end
    base = pfn * m.page_size
    if start < end:
        m.ram[base + start : base + end] = bytes((byte,)) * (end - start)


def load(m: MachineState, pfn: int, start: int, size: int) -> bytes:
    """`size` bytes of frame `pfn` from byte `start` on; may run into the frames behind it."""
    base = pfn * m.page_size + start
    return bytes(m.ram[base : base + size])


def store(m: MachineState, pfn: int, start: int, data: bytes) -> None:
    """Write `data` into frame `pfn` from byte `start` on; may run into the frames behind it."""
    base = pfn * m.page_size + start
    m.ram[base : base + len(data)] = data


def copy(m: MachineState, source: int, target: int) -> None:
    """Copy frame `source` to frame `target`."""
    size = m.page_size
    m.ram[target * size : (target + 1) * size] = m.ram[source * size : (source + 1) * size]


def load_word(m: MachineState, address: int) -> int:
    """The 64-bit word at physical `address`, a multiple of 8."""
    return m.words[address >> 3]


def store_word(m: MachineState, address: int, value: int) -> None:
    """Write the 64-bit word at physical `address`, a multiple of 8."""
    m.words[address >> 3] = value
