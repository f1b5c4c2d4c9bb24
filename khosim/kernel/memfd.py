"""A file is made, or found again: mm/memfd.c, and what the patch series needs around it."""

from __future__ import annotations

from khosim.kernel.page_alloc import alloc_pages, folio_put
from khosim.kernel.shmem_kho import ENOMEM, bitmap_clear, bitmap_set
from khosim.state import handover
from khosim.state.blocks import kho_i_size
from khosim.state.handover import HandoverError, KhoFile
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_reserved, clear_flag, prep_compound, set_flag
from khosim.state.phys import fill, pfn_phys
from khosim.steps import Path, Step, Warn, path

__all__ = ["MFD_KHO", "memfd_create"]

MFD_KHO = 0x80
"""Our stand-in for the series' way to enable KHO on a file (P41): after a kexec its name finds it again."""
KNOWN_FLAGS = 0x1F
EEXIST, EINVAL, EMFILE, ENFILE = 17, 22, 24, 23


@path
def alloc_pages_exact(m: MachineState, count: int) -> Path[int | None]:
    """Take `count` frames in a row, each with a reference of its own; what a power of two is too many goes back.

    Kernel:   mm/page_alloc.c, alloc_pages_exact(), make_alloc_exact()
    Locks:    as alloc_pages
    Left out: -
    """
    order = (count - 1).bit_length()
    first = yield from alloc_pages(m, order, movable=0)
    if first is None:
        return None
    prep_compound(m, first, 0)
    for pfn in range(first, first + (1 << order)):
        m.page.refcount[pfn] = 1
    for pfn in range(first + count, first + (1 << order)):
        yield from folio_put(m, pfn)
    return first


@path
def kho_inode_create(m: MachineState, name: str) -> Path[int]:
    """Make an empty KHO inode, preserved and named in the FDT: its physical address, or a negative errno.

    Kernel:   not public (P41): a stand-in
    Locks:    none; its name is in the inode table, so no other task makes the same file
    Left out: -
    """
    count = -(-m.config.kho_inode_bytes // m.page_size)
    first = yield from alloc_pages_exact(m, count)
    if first is None:
        return -ENOMEM
    address = pfn_phys(m, first)
    for pfn in range(first, first + count):
        fill(m, pfn, 0)
        set_flag(m, pfn, PG_reserved)
        yield Step("kho_clear", "Frame {pfn:#x} is cleared for the KHO inode.", pfn=pfn)
        yield from bitmap_set(m, pfn)
    if handover.add_file(m, KhoFile(name, address)):
        yield Step("kho_inode", "The KHO inode is at {address:#x}: size 0, no blocks.", address=address)
        return address
    yield Step("fdt_full", "The FDT cannot name one more file.")
    for pfn in range(first, first + count):
        yield from bitmap_clear(m, pfn)
        clear_flag(m, pfn, PG_reserved)
        yield from folio_put(m, pfn)
    return -ENOMEM


@path
def kho_inode_attach(m: MachineState, ino: int, name: str) -> Path[int]:
    """Give an inode its KHO inode, the preserved one if a file of this name came across.

    Kernel:   not public (P41): a stand-in; mapping_set_release_always(), P35
    Locks:    none
    Left out: -
    """
    names = [bytes(row) for row in m.arrays["name"]]
    if any(m.inode.release_always[n] and names[n] == names[ino] for n in range(m.config.inodes)):
        return -EEXIST
    m.inode.release_always[ino] = 1
    try:
        address = handover.find(m, name)
    except HandoverError as error:
        yield Warn("kho_lost", "KHO: " + error.text)
        return -EINVAL
    if not address:
        address = yield from kho_inode_create(m, name)
        if address < 0:
            return address
    m.inode.kho[ino] = address
    m.inode.i_size[ino] = kho_i_size(m, address)
    yield Step("kho_attach", "The file takes size {size} from its KHO inode.", size=m.inode.i_size[ino])
    return 0


def unused_fd(m: MachineState) -> int | None:
    """The lowest row that is no open file (fs/file.c, alloc_fd())."""
    return next((n for n in range(m.config.files) if not m.file.used[n]), None)


@path
def memfd_create(m: MachineState, name: str, flags: int) -> Path[int]:
    """Make a file that lives in memory; a descriptor, or a negative errno.

    Kernel:   mm/memfd.c, memfd_create(); mm/shmem.c, __shmem_get_inode()
    Locks:    none; the inode is taken before the first step, the descriptor in the last
    Left out: sealing, huge pages, O_CLOEXEC; names have at most 31 bytes, with MFD_KHO of printable ASCII
    """
    encoded = name.encode()
    room = m.arrays["name"].shape[1]
    if flags & ~(KNOWN_FLAGS | MFD_KHO) or len(encoded) >= room:
        return -EINVAL
    if flags & MFD_KHO and not (encoded and name.isascii() and name.isprintable()):
        return -EINVAL
    if unused_fd(m) is None:
        return -EMFILE
    ino = next((n for n in range(m.config.inodes) if not m.inode.used[n]), None)
    if ino is None:
        return -ENFILE
    m.inode.used[ino] = m.inode.nlink[ino] = 1
    m.arrays["name"][ino, : len(encoded)] = list(encoded)
    error = (yield from kho_inode_attach(m, ino, name)) if flags & MFD_KHO else 0
    fd = unused_fd(m)
    if error or fd is None:
        m.arrays["inode"][ino] = 0
        m.arrays["name"][ino] = 0
        yield Step("no_memfd", "No file is opened.")
        return error or -EMFILE
    m.file.used[fd], m.file.ino[fd], m.file.pos[fd] = 1, ino, 0
    yield Step("memfd", "The file is open as descriptor {fd}.", ino=ino, fd=fd + FIRST_FD)
    return fd + FIRST_FD


FIRST_FD = 3
"""0, 1 and 2 are the terminal's."""
