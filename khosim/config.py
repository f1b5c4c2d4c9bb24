"""The shape of a simulated machine: small numbers, each beside the one Linux uses."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from operator import index
from typing import Any

from khosim.errors import UsageError

__all__ = ["MachineConfig"]


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """How large the machine is and what it checks. Frozen: one config serves a whole chain of kernels.

    All counts are in pages or frames unless a unit is given. Raises `UsageError` for a shape that cannot
    boot.
    """

    frames: int = 64  # physical frames; a 1 TiB machine has 2**28
    page_size: int = 64  # bytes; 4096 on x86-64. A power of two, at least 64
    nblocks: int = 16  # entries of a block list, SHMEM_KHO_NBLOCKS; the patch's value is not public
    file_pages: int = 64  # s_maxbytes in pages; MAX_LFS_FILESIZE is 2**63 - 1 bytes
    inodes: int = 4  # shmem inodes alive at once; unlimited on the kernel's own mount
    files: int = 8  # file descriptors of the one process; RLIMIT_NOFILE is 1024
    vmas: int = 4  # mappings of the one process; max_map_count is 65530
    swap_slots: int = 16  # pages of swap space once swapon ran
    kernel_frames: int = 0  # frames the kernel boots in; 0: one sixteenth of memory
    scratch_frames: int = 0  # frames of KHO scratch; 0: twice kernel_frames, as KHO's default of 200 %
    fdt_bytes: int = 512  # room for the handover's FDT; upstream's root FDT has one page
    huge_order: int = 3  # a huge page is 2**huge_order pages; 9 on x86-64
    fault_around: int = 1  # pages a read fault maps at once, when cached; 16
    lru_batch: int = 1  # folios gathered before they join the LRU; PAGEVEC_SIZE is 31
    pcp_batch: int = 1  # frames a per-CPU list takes from the buddy allocator at once; 1 to 63
    pcp_high: int = 0  # frames a per-CPU list keeps before it gives some back; 0: a quarter of memory
    trust_blocks: bool = False  # True: boot takes a handover's block lists unseen, as the recorded kernel did

    def __post_init__(self) -> None:
        """Refuse a shape that cannot boot, in words that say what to write instead."""
        for name, (least, most) in _BOUNDS.items():
            try:
                value = index(getattr(self, name))
            except TypeError:
                raise UsageError(f"{name} is a whole number, not {getattr(self, name)!r}") from None
            if not least <= value <= most:
                raise UsageError(f"{name} must be {least} to {most}, not {value}")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "trust_blocks", bool(self.trust_blocks))
        if self.page_size & (self.page_size - 1):
            near = 1 << self.page_size.bit_length()
            raise UsageError(f"page_size must be a power of two, such as {near}, not {self.page_size}")
        if (self.inodes + self.vmas) * self.file_pages > _MOST:
            raise UsageError(f"(inodes + vmas) * file_pages must be at most {_MOST}; lower one of them")
        if self.file_pages < self.nblocks:
            raise UsageError(f"file_pages ({self.file_pages}) must not be below nblocks ({self.nblocks})")
        if self.scratch_size < self.kernel_size:
            least = self.kernel_size
            raise UsageError(f"scratch_frames must be at least {least}, for the next kernel, not {self.scratch_size}")
        taken = self.kernel_size + self.scratch_size + self.fdt_frames + self.bitmap_frames
        if taken + 4 > self.frames:
            raise UsageError(
                f"kernel, scratch, FDT and bitmap take {taken} of {self.frames} frames and leave too few;"
                " write a larger frames=..."
            )

    def __repr__(self) -> str:
        """Show what differs from the default."""
        shown = [(f.name, getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != f.default]
        return f"MachineConfig({', '.join(f'{name}={value}' for name, value in shown)})"

    def replace(self, **shape: Any) -> MachineConfig:
        """The same shape with some fields changed. Raises `UsageError` for a field there is not."""
        known = {field.name for field in fields(self)}
        for name in shape:
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(sorted(known))}"
                raise UsageError(f"a machine has no {name!r}{hint}")
        return replace(self, **shape)

    @property
    def kernel_size(self) -> int:
        """Frames a kernel boots in."""
        return self.kernel_frames or max(2, self.frames // 16)

    @property
    def scratch_size(self) -> int:
        """Frames of scratch: where the next kernel boots."""
        return self.scratch_frames or 2 * self.kernel_size

    @property
    def fdt_frames(self) -> int:
        """Frames of the handover's FDT."""
        return -(-self.fdt_bytes // self.page_size)

    @property
    def bitmap_words(self) -> int:
        """64-bit words of the PFN bitmap."""
        return -(-self.frames // 64)

    @property
    def bitmap_frames(self) -> int:
        """Frames of the PFN bitmap."""
        return -(-8 * self.bitmap_words // self.page_size)

    @property
    def kho_inode_bytes(self) -> int:
        """Bytes of one KHO inode: its size, then its block list (`struct shmem_kho_inode`)."""
        return 8 + 8 * self.nblocks

    @property
    def pcp_limit(self) -> int:
        """Frames a per-CPU list keeps."""
        return self.pcp_high or max(4, self.frames // 4)


_MOST = 1 << 24
_BOUNDS = {
    "frames": (32, _MOST),
    "page_size": (64, 1 << 16),
    "nblocks": (1, _MOST),
    "file_pages": (1, _MOST),
    "inodes": (1, _MOST),
    "files": (1, _MOST),
    "vmas": (1, _MOST),
    "swap_slots": (1, _MOST),
    "kernel_frames": (0, _MOST),
    "scratch_frames": (0, _MOST),
    "fdt_bytes": (256, _MOST),
    "huge_order": (1, 10),
    "fault_around": (1, _MOST),
    "lru_batch": (1, _MOST),
    "pcp_batch": (1, 63),
    "pcp_high": (0, _MOST),
    "trust_blocks": (0, 1),
}
"""Least and most of each field. `_MOST` is where a slip is likelier than a wish: 2**24 frames are 64 GiB."""
