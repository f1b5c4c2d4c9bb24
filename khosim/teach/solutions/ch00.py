"""Solutions of chapter 00."""

from __future__ import annotations

from typing import Any

import khosim
from khosim.state.machine import MachineState
from khosim.steps import Path, Step

__all__ = ["SOLUTIONS"]


def back_by_a_write(m: Any) -> None:
    """Use the page by changing another byte of it; in the second kernel leave it alone."""
    m.os.pwrite(m.os.memfd_create("guest", khosim.MFD_KHO), b"hello", 0)
    m = m.kexec().kexec()
    m.os.pwrite(m.os.memfd_create("guest", khosim.MFD_KHO), b"!", 5)


def kho_populate(m: MachineState, fdt: int) -> Path[bool]:
    """Look at nothing, and say so. The boot then begins a handover of its own."""
    yield Step("refused", "Kernel {boots} believes nothing of what lies at {fdt:#x}.", boots=m.boots, fdt=fdt)
    return False


AT_ONCE_OR_LAZILY = """
At once is better for whoever comes first: no first read is slower than the second. And the rest of the kernel could
stay as it was. "Not in the page cache" would again mean "does not exist", so seek, truncate, swap and all others that
ask only the page cache would be right without a change.

It is worse for the boot. Each page costs a lookup, a row to fill in and a place in the tree, before any program runs,
and the machine is down meanwhile. A host keeps its guests' memory in such files: hundreds of GiB, most of it not needed
in the first second. Lazily, the cost is spread and paid by those who use a page.

A middle way is a thread that brings pages back after the boot. Then both kinds of page exist at once for a while, and
every caller must know of both: nothing is saved but the wait.
"""


SOLUTIONS: dict[str, Any] = {
    "back-without-a-read": back_by_a_write,
    "believe-nothing": kho_populate,
    "at-once-or-lazily": AT_ONCE_OR_LAZILY,
}
