"""Swap space: slots of one page each. It is not memory, and it does not cross a kexec."""

from __future__ import annotations

from khosim.state.machine import MachineState

__all__ = ["read_slot", "take_slot", "write_slot"]


def take_slot(m: MachineState) -> int | None:
    """Take the lowest free slot; None when swap is full."""
    for slot in range(m.config.swap_slots):
        if not m.swap.count[slot]:
            m.swap.count[slot] = 1
            return slot
    return None


def write_slot(m: MachineState, slot: int, pfn: int) -> None:
    """Copy frame `pfn` to swap slot `slot`."""
    m.arrays["swap_data"][slot] = m.arrays["phys"][pfn]


def read_slot(m: MachineState, slot: int, pfn: int) -> None:
    """Copy swap slot `slot` to frame `pfn`."""
    m.arrays["phys"][pfn] = m.arrays["swap_data"][slot]
