"""The global PFN bitmap: which frames the next kernel must not touch. It lies in simulated memory."""

from __future__ import annotations

from khosim.state.machine import MachineState

__all__ = ["clear_bit", "read_word", "set_bit", "test_bit", "word_of", "write_word"]

BITS = 64


def word_of(m: MachineState, pfn: int) -> int:
    """Physical address of the 64-bit word that holds the bit of frame `pfn`."""
    return m.bitmap_phys + pfn // BITS * 8


def read_word(m: MachineState, pfn: int) -> int:
    """The word that holds the bit of frame `pfn`."""
    return m.words[word_of(m, pfn) >> 3]


def write_word(m: MachineState, pfn: int, word: int) -> None:
    """Write back the word that holds the bit of frame `pfn`."""
    m.words[word_of(m, pfn) >> 3] = word


def test_bit(m: MachineState, pfn: int) -> bool:
    """Whether frame `pfn` is preserved."""
    return bool(read_word(m, pfn) >> pfn % BITS & 1)


def set_bit(m: MachineState, pfn: int) -> None:
    """Preserve frame `pfn`."""
    write_word(m, pfn, read_word(m, pfn) | 1 << pfn % BITS)


def clear_bit(m: MachineState, pfn: int) -> None:
    """Stop preserving frame `pfn`."""
    write_word(m, pfn, read_word(m, pfn) & ~(1 << pfn % BITS))
