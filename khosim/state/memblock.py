"""Memory before there is an allocator (mm/memblock.c): who owns which frames at boot, range by range."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from khosim.state.buddy import free_block
from khosim.state.layout import MAX_ORDER
from khosim.state.lists import init_lists
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_reserved
from khosim.state.phys import FREED

__all__ = ["KERNEL_TEXT", "free_all", "init_memory", "reserve", "reserve_preserved"]

KERNEL_TEXT = 0x4B
"""What the kernel's own frames read: a K, so that what a boot wrote over shows."""


def init_memory(m: MachineState) -> None:
    """Empty lists, blank struct pages, the kernel in its frames; frame 0 is the kernel's too, and never given out."""
    init_lists(m)
    m.arrays["page"]["head"] = -1
    m.arrays["slots"][:] = -1
    m.arrays["swap"]["cache"] = -1
    reserve(m, 0, 1)
    reserve(m, m.kernel_start, m.config.kernel_size)
    m.arrays["phys"][0] = KERNEL_TEXT
    m.arrays["phys"][m.kernel_start : m.kernel_start + m.config.kernel_size] = KERNEL_TEXT


def reserve(m: MachineState, pfn: int, count: int) -> None:
    """Keep `count` frames from `pfn` on out of the allocator (PG_reserved, one reference)."""
    m.arrays["page"]["flags"][pfn : pfn + count] |= PG_reserved
    m.arrays["page"]["refcount"][pfn : pfn + count] = 1


def reserve_preserved(m: MachineState, bits: list[int], metadata: list[int]) -> None:
    """Keep every preserved frame: metadata reserved, file pages with one reference, as fresh from the buddy (P38)."""
    pages = m.arrays["page"]
    pages["refcount"][bits] = 1
    pages["flags"][metadata] |= PG_reserved


def free_all(m: MachineState) -> None:
    """Hand every frame that nobody has to the buddy allocator, poisoned, in the largest aligned blocks."""
    free = np.flatnonzero(m.arrays["page"]["refcount"] == 0)
    m.arrays["phys"][free] = FREED
    edges = np.flatnonzero(np.diff(free) != 1) + 1
    scratch = m.scratch_start, m.scratch_start + m.config.scratch_size
    for run in np.split(free, edges):
        if len(run):
            cuts = sorted({int(run[0]), int(run[-1]) + 1, *(c for c in scratch if run[0] < c <= run[-1])})
            for start, end in pairwise(cuts):
                _free_range(m, start, end)


def _free_range(m: MachineState, start: int, end: int) -> None:
    while start < end:
        order = min(MAX_ORDER, (end - start).bit_length() - 1)
        if start:
            order = min(order, (start & -start).bit_length() - 1)
        free_block(m, start, order, tail=True)
        start += 1 << order
