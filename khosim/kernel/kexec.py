"""One kernel ends, the next begins: kernel/kexec_core.c, and the start of one from init/main.c.

The rest of the patch series is not public (P41). What carries the KHO inodes and the bitmap across is a stand-in:
one FDT, see `khosim.state.handover`; the next kernel learns its address and nothing else.
"""

from __future__ import annotations

from khosim.state import handover
from khosim.state.bitmap import set_bit
from khosim.state.handover import HandoverError
from khosim.state.machine import MachineState
from khosim.state.memblock import free_all, init_memory, reserve, reserve_preserved
from khosim.state.phys import pfn_phys
from khosim.steps import Path, Step, Warn, path

__all__ = ["kernel_kexec", "kho_populate", "kho_reserve_fresh", "start_kernel"]


@path
def kernel_kexec(m: MachineState) -> Path[int]:
    """Stop the machine; the physical address of the FDT is all that the next kernel will be told.

    Kernel:   kernel/kexec_core.c, kernel_kexec(), P39
    Locks:    system_transition_mutex
    Left out: devices, quiescing other tasks (B44)
    """
    yield Step("kexec", "kexec: the next kernel is told the FDT's address, {fdt:#x}, and nothing else.", fdt=m.fdt_phys)
    return m.fdt_phys


@path
def kho_reserve_fresh(m: MachineState) -> Path[None]:
    """Without a handover: set a place aside for FDT and bitmap, preserved like everything the bitmap names.

    Kernel:   kernel/kexec_handover.c, kho_init() (a stand-in, P41)
    Locks:    none, one CPU runs
    Left out: -
    """
    c = m.config
    first = c.kernel_size + c.scratch_size
    m.fdt_phys = pfn_phys(m, first)
    m.bitmap_phys = pfn_phys(m, first + c.fdt_frames)
    count = c.fdt_frames + c.bitmap_frames
    m.ram[m.fdt_phys : m.fdt_phys + count * m.page_size] = bytes(count * m.page_size)
    for pfn in range(first, first + count):
        set_bit(m, pfn)
    handover.fresh(m)
    reserve(m, first, count)
    yield Step("kho_init", "FDT at {fdt:#x}, PFN bitmap at {bitmap:#x}: both are preserved.", fdt=m.fdt_phys,
               bitmap=m.bitmap_phys)  # fmt: skip


@path
def kho_populate(m: MachineState, fdt: int) -> Path[bool]:
    """Believe a handover, or say in one sentence why not. Nothing of a refused one is kept.

    Kernel:   kernel/kexec_handover.c, kho_populate(), kho_mem_deserialize() (a stand-in, P38, P41)
    Locks:    none, one CPU runs
    Left out: -
    """
    try:
        found = handover.read(m, fdt)
    except HandoverError as error:
        yield Warn("kho_refused", "KHO: handover refused: " + error.text)
        return False
    m.fdt_phys, m.bitmap_phys = found.fdt, found.bitmap
    yield Step("kho_populate", "The handover is found: PFN bitmap at {bitmap:#x}.", bitmap=m.bitmap_phys)
    bits = handover.preserved(m)
    reserve_preserved(m, bits, handover.metadata(m))
    yield Step("kho_reserve", "{count:preserved frame} kept out of the allocator.", count=len(bits))
    return True


@path
def start_kernel(m: MachineState, fdt: int) -> Path[None]:
    """Boot: in the first frames, or, with a handover at `fdt`, in scratch memory.

    Kernel:   init/main.c, start_kernel(); mm/memblock.c, memblock_free_all()
    Locks:    none, one CPU runs
    Left out: nearly everything
    """
    m.scratch_start = m.config.kernel_size
    m.kernel_start = m.scratch_start if fdt else 0
    m.boots += 1
    init_memory(m)
    yield Step("boot", "A kernel boots in frames {first:#x} to {last:#x}.", first=m.kernel_start,
               last=m.kernel_start + m.config.kernel_size - 1)  # fmt: skip
    if not fdt or not (yield from kho_populate(m, fdt)):
        yield from kho_reserve_fresh(m)
    free_all(m)
    yield Step("free_all", "{count:frame} handed to the allocator, filled with poison.", count=m.nr_free)
