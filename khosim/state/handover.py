"""What crosses a kexec, and the checks a careful next kernel makes before it believes any of it.

Everything lies in simulated memory: the FDT (a real DTB), the PFN bitmap it points to, and one KHO inode per
file. How the patch series carries these is not public; this format is ours. Like the patch's data it has no
checksum, so these changes are believed:

- in the bytes of a page;
- in a size, if it stays within the largest file (`file_pages`);
- in the name of a file, if it stays printable and no other file's; two names exchanged;
- in a block that is emptied, exchanged with another, or names a preserved frame that nothing else names;
- in the PFN bit of a frame that nobody names: once set, the frame is lost to every later kernel;
- in bytes of the FDT that nobody reads: padding, memory reservations, boot CPU, a version range that still
  holds 17, a property that this kernel does not know.

With `MachineConfig.trust_blocks` the block lists are taken unseen, as the recorded kernel did: a block may name a
frame twice, one without its bit, or one in scratch memory. It must still lie in memory, and all else is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from khosim.state.blocks import kho_i_size, load_block
from khosim.state.buddy import in_scratch
from khosim.state.fdt import FdtError, Node, decode, encode, string, u32, u64
from khosim.state.layout import NAME_BYTES
from khosim.state.machine import MachineState

__all__ = [
    "COMPATIBLE", "Handover", "HandoverError", "KhoFile", "add_file", "files", "find", "fresh", "metadata",
    "preserved", "read",
]  # fmt: skip

COMPATIBLE = "khosim,shmem-kho-v1"
_tree = lru_cache(maxsize=64)(decode)  # it is read at every step and seldom written; here its nodes are only read


class HandoverError(Exception):
    """Why a handover is not believed, in one sentence."""

    @property
    def text(self) -> str:
        """The sentence as the text of a `Step`: its braces stand for themselves."""
        return str(self).replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True, slots=True)
class KhoFile:
    """A preserved file: its name, and the physical address of its KHO inode."""

    name: str
    inode: int


@dataclass(frozen=True, slots=True)
class Handover:
    """What a kexec hands over: the physical addresses of FDT and bitmap, and the files."""

    fdt: int
    bitmap: int
    files: tuple[KhoFile, ...]


def _write(m: MachineState, named: list[KhoFile]) -> bool:
    children = (Node(f"file-{f.inode:x}", {"label": string(f.name), "inode": u64(f.inode)}) for f in named)
    properties = {
        "compatible": string(COMPATIBLE),
        "frames": u32(m.frames),
        "page-size": u32(m.page_size),
        "nblocks": u32(m.config.nblocks),
        "pfn-bitmap": u64(m.bitmap_phys),
        "pfn-bitmap-size": u64(8 * m.config.bitmap_words),
    }
    blob, room = encode(Node("", properties, tuple(children))), _room(m)
    if len(blob) > room:
        return False
    m.ram[m.fdt_phys : m.fdt_phys + room] = blob.ljust(room, b"\0")
    return True


def fresh(m: MachineState) -> None:
    """Write an FDT that names the bitmap and no file; the smallest `fdt_bytes` has room for that."""
    _write(m, [])


def add_file(m: MachineState, file: KhoFile) -> bool:
    """Name one more file in the FDT; False, and nothing done, if it is full or damaged."""
    try:
        return _write(m, [*files(m), file])
    except HandoverError:
        return False


def files(m: MachineState) -> list[KhoFile]:
    """The files that the FDT names, each KHO inode in memory. Raises `HandoverError` if it is damaged."""
    return _files(m, _decode(m, m.fdt_phys))


def find(m: MachineState, name: str) -> int:
    """Physical address of the KHO inode of the file `name`, 0 if there is none. Raises `HandoverError`.

    FDT and KHO inode are looked at again: a stray write may have hit them since the boot.
    """
    for file in files(m):
        if file.name == name:
            _check_file(m, file)
            return file.inode
    return 0


def preserved(m: MachineState) -> list[int]:
    """PFNs whose bit is set, ascending."""
    return [pfn for pfn in _set_bits(m, m.bitmap_phys) if pfn < m.frames]


def metadata(m: MachineState) -> list[int]:
    """PFNs of FDT, bitmap and KHO inodes. Raises `HandoverError` if the FDT is damaged."""
    return [pfn for _, pfn in _metadata(m, Handover(m.fdt_phys, m.bitmap_phys, tuple(files(m))))]


def read(m: MachineState, fdt: int) -> Handover:
    """Find and check the handover whose FDT is at physical address `fdt`. Raises `HandoverError`; only reads."""
    _check_place(m, "the FDT", fdt, _room(m))
    root = _decode(m, fdt)
    bitmap = _check_root(m, root)
    found = Handover(fdt, bitmap, tuple(_files(m, root)))
    bits, owner = set(_set_bits(m, bitmap)), dict[int, str]()
    for what, pfn in _metadata(m, found):
        _claim(m, what, pfn, owner, bits)
    _check_bits(m, bits)
    names = set[str]()
    for file in found.files:
        _check_file(m, file)
        if file.name in names:
            raise HandoverError(f"two files are named '{file.name}'")
        names.add(file.name)
    for file in () if m.config.trust_blocks else found.files:
        _check_blocks(m, file, owner, bits)
    return found


def _room(m: MachineState) -> int:
    return m.config.fdt_frames * m.page_size


def _decode(m: MachineState, fdt: int) -> Node:
    try:
        return _tree(bytes(m.ram[fdt : fdt + _room(m)]))
    except FdtError as error:
        raise HandoverError(f"the FDT is damaged: {error}") from None


def _files(m: MachineState, root: Node) -> list[KhoFile]:
    found = []
    for node in root.children:
        try:
            file = KhoFile(node.string("label"), node.u64("inode"))
        except FdtError as error:
            raise HandoverError(f"the FDT is damaged: {error}") from None
        if node.name != f"file-{file.inode:x}":
            raise HandoverError(f"node '{node.path}' says that its KHO inode is at {file.inode:#x}")
        if not 0 < len(file.name) < NAME_BYTES:
            raise HandoverError(f"the name '{file.name}' is not of 1 to {NAME_BYTES - 1} bytes")
        _check_place(m, f"the KHO inode of '{file.name}'", file.inode, m.config.kho_inode_bytes)
        found.append(file)
    return found


def _set_bits(m: MachineState, bitmap: int) -> list[int]:
    words = np.frombuffer(m.ram, "u1", 8 * m.config.bitmap_words, bitmap)
    found: list[int] = np.flatnonzero(np.unpackbits(words, bitorder="little")).tolist()
    return found


def _metadata(m: MachineState, found: Handover) -> Iterator[tuple[str, int]]:
    """(what, PFN) of every frame of a handover that is not a page of a file."""
    spans = [("the FDT", found.fdt, _room(m)), ("the PFN bitmap", found.bitmap, 8 * m.config.bitmap_words)]
    spans += [(f"the KHO inode of '{f.name}'", f.inode, m.config.kho_inode_bytes) for f in found.files]
    for what, address, size in spans:
        for pfn in range(address // m.page_size, -(-(address + size) // m.page_size)):
            yield what, pfn


def _check_root(m: MachineState, root: Node) -> int:
    """Check what the FDT says of the machine; the address of the bitmap."""
    try:
        version = root.string("compatible")
        shape = root.u32("frames"), root.u32("page-size"), root.u32("nblocks")
        address, size = root.u64("pfn-bitmap"), root.u64("pfn-bitmap-size")
    except FdtError as error:
        raise HandoverError(f"the FDT is damaged: {error}") from None
    here = m.frames, m.page_size, m.config.nblocks
    if version != COMPATIBLE:
        raise HandoverError(f"it is compatible with '{version}', not with '{COMPATIBLE}'")
    if shape != here:
        raise HandoverError(f"it is of a machine with frames, page size, blocks {shape}, not {here}")
    if size != 8 * m.config.bitmap_words:
        raise HandoverError(f"its PFN bitmap has {size} bytes, not {8 * m.config.bitmap_words}")
    _check_place(m, "the PFN bitmap", address, size)
    return address


def _check_place(m: MachineState, what: str, address: int, size: int) -> None:
    if not 0 < address <= m.frames * m.page_size - size:
        raise HandoverError(f"{what} points outside memory (address {address:#x})")
    if address % m.page_size:
        raise HandoverError(f"{what} starts inside a frame (address {address:#x})")


def _check_file(m: MachineState, file: KhoFile) -> None:
    """Check that using a KHO inode leads nowhere outside memory."""
    size, most = kho_i_size(m, file.inode), m.file_pages * m.page_size
    if size > most:
        raise HandoverError(f"'{file.name}' claims {size} bytes; a file has at most {most}")
    for index in range(m.config.nblocks):
        start = load_block(m, file.inode, index)
        if start >= m.frames * m.page_size:
            raise HandoverError(f"block {index} of '{file.name}' points outside memory (address {start:#x})")


def _check_bits(m: MachineState, bits: set[int]) -> None:
    for pfn in sorted(bits):
        if not 0 < pfn < m.frames:
            raise HandoverError(f"the PFN bit of frame {pfn:#x} is set, which no kernel gives out")
        if in_scratch(m, pfn) and not m.config.trust_blocks:
            raise HandoverError(f"the PFN bit of frame {pfn:#x} is set, but it lies in scratch memory")


def _check_blocks(m: MachineState, file: KhoFile, owner: dict[int, str], bits: set[int]) -> None:
    for index in range(m.config.nblocks):
        what, start = f"block {index} of '{file.name}'", load_block(m, file.inode, index)
        if start % m.page_size:
            raise HandoverError(f"{what} starts inside a frame (address {start:#x})")
        if start:
            _claim(m, what, start // m.page_size, owner, bits)


def _claim(m: MachineState, what: str, pfn: int, owner: dict[int, str], bits: set[int]) -> None:
    """Note that `what` lies in a frame: one that nothing else is in, with its bit, not where this kernel boots."""
    if in_scratch(m, pfn):
        raise HandoverError(f"{what} lies in scratch memory (frame {pfn:#x})")
    if pfn not in bits:
        raise HandoverError(f"{what} is in frame {pfn:#x}, whose PFN bit is not set")
    if pfn in owner:
        raise HandoverError(f"{what} and {owner[pfn]} are both in frame {pfn:#x}")
    owner[pfn] = what
