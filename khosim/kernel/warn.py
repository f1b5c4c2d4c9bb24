"""The kernel complains and goes on: include/asm-generic/bug.h."""

from __future__ import annotations

from khosim.state.machine import MachineState
from khosim.steps import Path, Warn, path

__all__ = ["ONCE", "warn_on_once"]

ONCE = ("shmem_kho_free_block", "try_to_free_buffers", "shmem_get_folio_gfp")
"""Places of a WARN_ON_ONCE, in the order of their bits in `machine.warned`."""


@path
def warn_on_once(m: MachineState, place: str, words: str) -> Path[None]:
    """Complain the first time since boot.

    Kernel:   include/asm-generic/bug.h, WARN_ON_ONCE()
    Locks:    none
    Left out: the register dump
    """
    bit = 1 << ONCE.index(place)
    if m.warned & bit:
        return
    m.warned |= bit
    yield Warn("warn", words)
