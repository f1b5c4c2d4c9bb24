"""The KHO inode: `i_size` and the block list (file index -> physical address), as bytes in simulated memory.

Layout, little-endian 64-bit words: i_size, blocks[0].start, blocks[1].start, ... A start of 0 is "no block".
The patch's own struct is not public; this one is ours, and so is the number of blocks.
"""

from __future__ import annotations

from khosim.state.machine import MachineState

__all__ = ["kho_i_size", "listed_block", "load_block", "set_kho_i_size", "store_block"]


def kho_i_size(m: MachineState, kho: int) -> int:
    """The size in bytes that the KHO inode at physical address `kho` remembers."""
    return m.words[kho >> 3]


def set_kho_i_size(m: MachineState, kho: int, size: int) -> None:
    """Make the KHO inode at `kho` remember `size` bytes."""
    m.words[kho >> 3] = size


def load_block(m: MachineState, kho: int, index: int) -> int:
    """`blocks[index].start`: the physical address of the page at `index`, 0 for none. No bound is checked."""
    return m.words[(kho >> 3) + 1 + index]


def listed_block(m: MachineState, kho: int, index: int) -> int:
    """As `load_block`, and 0 for an index past the list."""
    return load_block(m, kho, index) if index < m.config.nblocks else 0


def store_block(m: MachineState, kho: int, index: int, start: int) -> None:
    """Set `blocks[index].start`. No bound is checked."""
    m.words[(kho >> 3) + 1 + index] = start
