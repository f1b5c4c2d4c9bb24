"""Solutions for chapter 07."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import khosim
from khosim.state import handover
from khosim.state.bitmap import set_bit
from khosim.state.blocks import load_block
from khosim.state.fdt import decode
from khosim.state.machine import MachineState
from khosim.steps import PATHS, Path

__all__ = ["SOLUTIONS"]


def bits_of_two_kernels(m: Any) -> Any:
    """One page before the first kexec, one after it, both read after the second."""
    m.os.pwrite(m.os.memfd_create("guest", khosim.MFD_KHO), b"1" * m.page_size, 0)
    m = m.kexec()
    m.os.pwrite(m.os.memfd_create("guest", khosim.MFD_KHO), b"2" * m.page_size, m.page_size)
    m = m.kexec()
    m.os.pread(m.os.memfd_create("guest", khosim.MFD_KHO), 2 * m.page_size, 0)
    return m


def bits_from_the_lists(m: MachineState, fdt: int) -> Path[bool]:
    """Make the bitmap from what the FDT and the blocks name, then go on as ever.

    Kernel:   kernel/kexec_handover.c, kho_populate()
    Locks:    none; a boot has one CPU
    Left out: a damaged FDT
    """
    root = decode(bytes(m.ram[fdt : fdt + m.config.fdt_bytes]))
    m.fdt_phys, m.bitmap_phys = fdt, root.u64("pfn-bitmap")
    m.ram[m.bitmap_phys : m.bitmap_phys + 8 * m.config.bitmap_words] = bytes(8 * m.config.bitmap_words)
    for pfn in handover.metadata(m):
        set_bit(m, pfn)
    for file in handover.files(m):
        for start in filter(None, (load_block(m, file.inode, n) for n in range(m.config.nblocks))):
            set_bit(m, start // m.page_size)
    believed: bool = yield from PATHS["kho_populate"](m, fdt)
    return believed


WHERE_TO_PUT_A_CHECKSUM = """\
A checksum that is made at the kexec covers the gap alone: a stray write an hour before is sealed with the rest. And
someone has to make it while everybody waits: P39 is gone. For the FDT, the bitmap and the block lists of 1 TiB these
are 2 GiB to read, for the pages themselves 1 TiB.

One that is kept up to date with each change sees a stray write too. It costs a store at each new page, and two stores
are never one: between them the sum is wrong, and a crash there makes good data look bad. A small sum for each KHO inode
keeps that damage to one file.

The bits need none. They can be made from the lists, and a difference between the two is a warning for free.
Neither sees a wrong value that the kernel itself wrote.
"""

SOLUTIONS: dict[str, str | Callable[..., Any]] = {
    "bits-of-two-kernels": bits_of_two_kernels,
    "bits-from-the-lists": bits_from_the_lists,
    "where-to-put-a-checksum": WHERE_TO_PUT_A_CHECKSUM,
}
"""By the exercise's name."""
