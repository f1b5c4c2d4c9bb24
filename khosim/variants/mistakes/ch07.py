"""What a reader of chapter 07 might believe of a handover, each belief as a kernel."""

from __future__ import annotations

from khosim.kernel.kexec import kernel_kexec, kho_populate, kho_reserve_fresh
from khosim.kernel.memfd import kho_inode_create
from khosim.kernel.shmem_kho import bitmap_set, shmem_alloc_kho_folio
from khosim.state import handover
from khosim.state.bitmap import clear_bit, set_bit, test_bit
from khosim.state.blocks import listed_block, load_block, store_block
from khosim.state.fdt import FdtError, Node, decode, encode
from khosim.state.handover import HandoverError
from khosim.state.machine import MachineState
from khosim.state.memblock import free_all, init_memory, reserve_preserved
from khosim.state.phys import phys_pfn
from khosim.steps import PATHS, Path, Step
from khosim.variants.mistakes.mistake import Mistake

__all__ = ["MISTAKES", "populate_unseen"]

posted = {
    function.__name__: PATHS[function.__name__]
    for function in (kho_inode_create, kho_populate, kho_reserve_fresh, kernel_kexec, shmem_alloc_kho_folio)
}


def room(m: MachineState) -> int:
    """Bytes that are set aside for the FDT."""
    return m.config.fdt_frames * m.page_size


def tree(m: MachineState, fdt: int) -> Node:
    """The FDT at `fdt`. Raises `FdtError`."""
    return decode(bytes(m.ram[fdt : fdt + room(m)]))


def put(m: MachineState, fdt: int, root: Node) -> None:
    """Write the FDT at `fdt` again."""
    m.ram[fdt : fdt + room(m)] = encode(root).ljust(room(m), b"\0")


def owned(m: MachineState) -> list[int]:
    """PFNs of the handover's own frames and of every page that a block names."""
    starts = [load_block(m, file.inode, n) for file in handover.files(m) for n in range(m.config.nblocks)]
    return handover.metadata(m) + [phys_pfn(m, start) for start in starts if start]


def alloc_sets_the_bit_again(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Give the folio of a block, and set its bit whether it is fresh or not.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio()
    Locks:    none
    Left out: -
    """
    back = listed_block(m, m.inode.kho[ino], index)
    folio: int = yield from posted["shmem_alloc_kho_folio"](m, ino, index, sgp)
    if back:
        yield from bitmap_set(m, folio)
    return folio


def populate_then_forget(m: MachineState, fdt: int) -> Path[bool]:
    """Keep the marked frames, and begin the bitmap of this kernel's own with none of the pages.

    Kernel:   kernel/kexec_handover.c, kho_populate()
    Locks:    none, one CPU runs
    Left out: -
    """
    found: bool = yield from posted["kho_populate"](m, fdt)
    for pfn in {*handover.preserved(m)} - {*handover.metadata(m)} if found else ():
        clear_bit(m, pfn)
    yield Step("bits_anew", "The bits of all pages are cleared; whoever takes a page back sets its own.")
    return found


def alloc_sets_a_missing_bit(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Give the folio of a block, with its bit.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio()
    Locks:    none
    Left out: -
    """
    folio: int = yield from posted["shmem_alloc_kho_folio"](m, ino, index, sgp)
    if folio >= 0 and not test_bit(m, folio):
        yield from bitmap_set(m, folio)
    return folio


def reserve_without_a_bit(m: MachineState) -> Path[None]:
    """Set a place aside for FDT and bitmap, and preserve the FDT alone.

    Kernel:   kernel/kexec_handover.c, kho_init()
    Locks:    none, one CPU runs
    Left out: -
    """
    yield from posted["kho_reserve_fresh"](m)
    clear_bit(m, phys_pfn(m, m.bitmap_phys))


def start_beside(m: MachineState, fdt: int) -> Path[None]:
    """Boot in the half of scratch memory in which the kernel before did not.

    Kernel:   init/main.c, start_kernel()
    Locks:    none, one CPU runs
    Left out: nearly everything
    """
    m.scratch_start = m.config.kernel_size
    halves = m.scratch_start, m.scratch_start + m.config.scratch_size - m.config.kernel_size
    m.boots += 1
    m.kernel_start = halves[m.boots % 2] if fdt else 0
    init_memory(m)
    yield Step("boot", "A kernel boots in frames {first:#x} to {last:#x}.", first=m.kernel_start,
               last=m.kernel_start + m.config.kernel_size - 1)  # fmt: skip
    if not fdt or not (yield from kho_populate(m, fdt)):
        yield from kho_reserve_fresh(m)
    free_all(m)
    yield Step("free_all", "{count:frame} handed to the allocator, filled with poison.", count=m.nr_free)


def set_nothing(_m: MachineState, pfn: int) -> Path[None]:
    """Leave a bit for the kexec to set.

    Kernel:   lib/bitmap.c, bitmap_set()
    Locks:    none
    Left out: -
    """
    yield Step("bit_later", "The PFN bit of frame {pfn:#x} waits for the kexec.", pfn=pfn)


def kexec_sets_all(m: MachineState) -> Path[int]:
    """Set the bit of all that the files have, then stop the machine.

    Kernel:   kernel/kexec_core.c, kernel_kexec()
    Locks:    system_transition_mutex
    Left out: -
    """
    for pfn in owned(m):
        set_bit(m, pfn)
    yield Step("bits_now", "The bits of all pages are set.")
    address: int = yield from posted["kernel_kexec"](m)
    return address


def native(m: MachineState) -> None:
    """Turn the bitmap's address around, as a CPU that begins with the lowest byte writes it."""
    root = tree(m, m.fdt_phys)
    turned = m.bitmap_phys.to_bytes(8, "little")
    put(m, m.fdt_phys, Node("", root.properties | {"pfn-bitmap": turned}, root.children))


def reserve_in_native_order(m: MachineState) -> Path[None]:
    """Set a place aside for FDT and bitmap, and write its address as the CPU does.

    Kernel:   kernel/kexec_handover.c, kho_init()
    Locks:    none, one CPU runs
    Left out: -
    """
    yield from posted["kho_reserve_fresh"](m)
    native(m)


def create_in_native_order(m: MachineState, name: str) -> Path[int]:
    """Make a KHO inode, and write the bitmap's address as the CPU does.

    Kernel:   not public (P41)
    Locks:    none
    Left out: -
    """
    address: int = yield from posted["kho_inode_create"](m, name)
    native(m)
    return address


def alloc_names_the_frame(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Give a folio, and put its frame's number into the block.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio()
    Locks:    none
    Left out: -
    """
    back = listed_block(m, m.inode.kho[ino], index)
    folio: int = yield from posted["shmem_alloc_kho_folio"](m, ino, index, sgp)
    if folio >= 0 and not back:
        store_block(m, m.inode.kho[ino], index, folio)
    return folio


def populate_what_is_left(m: MachineState, fdt: int) -> Path[bool]:
    """Drop each file whose part of the handover is damaged, and believe the rest.

    Kernel:   kernel/kexec_handover.c, kho_populate()
    Locks:    none, one CPU runs
    Left out: what the dropped files have stays marked
    """
    try:
        whole = tree(m, fdt)
    except FdtError:
        whole = Node("")
    for n in range(len(whole.children)):
        try:
            handover.read(m, fdt)
        except HandoverError:
            put(m, fdt, Node("", whole.properties, whole.children[:n] + whole.children[n + 1 :]))
    found: bool = yield from posted["kho_populate"](m, fdt)
    return found


def populate_unseen(m: MachineState, fdt: int) -> Path[bool]:
    """Believe a handover whose FDT can be read: not one bit, block or size is looked at.

    Kernel:   kernel/kexec_handover.c, kho_populate()
    Locks:    none, one CPU runs
    Left out: -
    """
    try:
        m.fdt_phys, m.bitmap_phys = fdt, tree(m, fdt).u64("pfn-bitmap")
        own = handover.metadata(m)
    except (FdtError, HandoverError):
        own = [m.frames]
    if max(own) >= m.frames:
        refused: bool = yield from posted["kho_populate"](m, fdt)
        return refused
    yield Step("kho_populate", "The handover is found: PFN bitmap at {bitmap:#x}.", bitmap=m.bitmap_phys)
    bits = handover.preserved(m)
    reserve_preserved(m, bits, [pfn for pfn in own if pfn in bits])
    yield Step("kho_reserve", "{count:preserved frame} kept out of the allocator.", count=len(bits))
    return True


MISTAKES = (
    Mistake("restore-sets-the-bit", chapter=7, belief="A page that is taken back gets its bit again.",
            paths={"shmem_alloc_kho_folio": alloc_sets_the_bit_again}),
    Mistake("bits-begin-anew", chapter=7, belief="A kernel begins with no page marked, and marks what it takes back.",
            paths={"kho_populate": populate_then_forget, "shmem_alloc_kho_folio": alloc_sets_a_missing_bit}),
    Mistake("bitmap-without-a-bit", chapter=7, belief="The bitmap is the kernel's own, so its frame needs no bit.",
            paths={"kho_reserve_fresh": reserve_without_a_bit}),
    Mistake("boots-beside", chapter=7, belief="A kernel may not boot where the one before it runs.",
            paths={"start_kernel": start_beside}),
    Mistake("bits-at-kexec", chapter=7, belief="The bitmap is filled in when the kexec comes.",
            paths={"bitmap_set": set_nothing, "kernel_kexec": kexec_sets_all}),
    Mistake("fdt-in-native-order", chapter=7, belief="A number in the FDT lies in memory as the CPU writes it.",
            paths={"kho_reserve_fresh": reserve_in_native_order, "kho_inode_create": create_in_native_order}),
    Mistake("frame-in-block", chapter=7, belief="A block holds the number of a frame.",
            paths={"shmem_alloc_kho_folio": alloc_names_the_frame}),
    Mistake("damage-costs-one-file", chapter=7, belief="Damage to one file's block list costs that file alone.",
            paths={"kho_populate": populate_what_is_left}),
    Mistake("believes-unseen", chapter=7, belief="What one kernel wrote, the next believes.",
            paths={"kho_populate": populate_unseen}),
)  # fmt: skip
"""The beliefs, in the order of the chapter."""
