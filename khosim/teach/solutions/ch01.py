"""Solutions of chapter 01."""

from __future__ import annotations

from typing import Any

import khosim
from khosim.kernel.page_alloc import alloc_pages
from khosim.state.machine import MachineState
from khosim.steps import PATHS, Path

__all__ = ["SOLUTIONS"]


def two_mappings(m: Any) -> None:
    """Map the page twice in the second kernel, and touch it through both."""
    m.os.pwrite(m.os.memfd_create("kept", khosim.MFD_KHO), b"two views", 0)
    m = m.kexec()
    fd = m.os.memfd_create("kept", khosim.MFD_KHO)
    for view in [m.mmap(fd, 64), m.mmap(fd, 64)]:
        view[0]


def never_movable(m: MachineState, order: int, movable: int) -> Path[int | None]:
    """Treat no page as movable, so that none goes to scratch."""
    pfn: int | None = yield from PATHS[alloc_pages.__name__](m, order, 0)
    return pfn


BIT_OR_BLOCK_FIRST = """
The allocator of the next kernel finds no bit, and so it poisons the frame and gives it to whoever asks. The block list
still names it. A read of the file then brings in a frame that belongs to somebody else: two owners, and each may change
the other's bytes. A next kernel that checks refuses the whole handover instead, and every file is lost.

With the block first, the moment between leaves a bit that nobody names. The next kernel keeps the frame out of its
allocator, and no file ever finds it: one frame is lost until memory is set up anew. A leak is better than two owners.

Neither order is right for good. What is needed is that nothing changes the list while it is handed over: a lock, or a
moment after which all writers have stopped.
"""


SOLUTIONS: dict[str, Any] = {
    "three-that-stay": two_mappings,
    "never-in-scratch": never_movable,
    "bit-or-block-first": BIT_OR_BLOCK_FIRST,
}
