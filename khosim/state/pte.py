"""Page table entries of the process's mappings."""

from __future__ import annotations

from typing import NamedTuple

from khosim.state.machine import MachineState

__all__ = ["NONE", "POISON", "Pte", "load_pte", "store_pte"]


class Pte(NamedTuple):
    """A page table entry: which frame, may it be written, has it been written."""

    pfn: int
    write: bool
    dirty: bool


NONE = Pte(-1, write=False, dirty=False)
"""Nothing is mapped."""
POISON = Pte(-2, write=False, dirty=False)
"""The page was poisoned: touching it is SIGBUS."""


def load_pte(m: MachineState, vma: int, page: int) -> Pte:
    """The entry of the mapping's page `page`; NONE and POISON are compared with `is`."""
    word = m.pte[vma * m.file_pages + page]
    if word <= 0:
        return POISON if word else NONE
    return Pte((word >> 2) - 1, bool(word & 1), bool(word & 2))


def store_pte(m: MachineState, vma: int, page: int, pte: Pte) -> None:
    """Set the entry of the mapping's page `page`."""
    word = -1 if pte is POISON else 0 if pte is NONE else (pte.pfn + 1) << 2 | pte.dirty << 1 | pte.write
    m.pte[vma * m.file_pages + page] = word
