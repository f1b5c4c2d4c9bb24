"""The machine's whole state: one buffer, its arrays, and nothing beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from khosim.config import MachineConfig
from khosim.state.layout import Array, Columns, Counter, File, Inode, Link, Page, Swap, Vma, flat, layout, views

__all__ = ["MachineState"]


class MachineState:
    """The arrays of one machine, opened for the two who use them.

    `arrays` maps each name to its numpy array, for what works on ranges. The attributes `page`, `link`, `inode`,
    `file`, `vma`, `swap` (columns), `slots`, `pte`, `lru_add`, `counters` (flat), `ram` (bytes) and `words`
    (64-bit words by address / 8) read and write single Python ints, for what works a step at a time. All are
    views of one buffer.
    """

    kernel_start = Counter()  # first frame of the running kernel
    scratch_start = Counter()  # first frame of KHO scratch
    bitmap_phys = Counter()  # physical address of the PFN bitmap; 0 before boot
    fdt_phys = Counter()  # physical address of the handover's FDT; 0 before boot
    boots = Counter()  # which kernel of the chain this is, from 1
    nr_free = Counter()  # frames on free lists
    pcp_count = Counter()  # of these, on the per-CPU list
    lru_pending = Counter()  # folios in the batch that is to join the LRU
    used_pages = Counter()  # pages charged to files (vm_committed_as)
    overcommit_memory = Counter()  # vm.overcommit_memory: 0 heuristic, 2 strict
    commit_limit = Counter()  # pages that strict overcommit grants
    swap_enabled = Counter()  # swapon ran
    shmem_huge = Counter()  # 0 never, 1 force: order-9 requests
    warned = Counter()  # one bit per WARN_ON_ONCE place that has fired

    variants: Mapping[str, Callable[..., Any]]

    def __init__(
        self, config: MachineConfig, variants: Mapping[str, Callable[..., Any]] | None = None
    ) -> None:
        """Make a machine with all bytes zero; `kernel.kexec.start_kernel` boots it."""
        self.config = config
        self.variants = variants or {}
        self.frames = config.frames
        self.page_size = config.page_size
        self.file_pages = config.file_pages
        self.buffer: Array = np.zeros(layout(config)["end"][0], "u1")
        self._open()

    def __repr__(self) -> str:
        """One short line."""
        return f"{type(self).__name__}(kernel {self.boots}, {self.frames} frames of {self.page_size} bytes)"

    def _open(self) -> None:
        """Open the views of `buffer`."""
        self.arrays = views(self.config, self.buffer)
        self.page = Page(self.arrays["page"])
        self.link = Link(self.arrays["link"])
        self.inode = Inode(self.arrays["inode"])
        self.file = File(self.arrays["file"])
        self.vma = Vma(self.arrays["vma"])
        self.swap = Swap(self.arrays["swap"])
        self.slots = flat(self.arrays["slots"].reshape(-1))
        self.pte = flat(self.arrays["pte"].reshape(-1))
        self.lru_add = flat(self.arrays["lru_add"])
        self.counters = flat(self.arrays["counters"])
        self.ram = flat(self.arrays["phys"].reshape(-1))
        self.words: memoryview[int] = self.ram.cast("Q")

    def load_buffer(self, buffer: Array) -> None:
        """Take over the bytes of `buffer`, a snapshot's: the machine is then what it was at that moment."""
        self.buffer[:] = buffer


COLUMNS: tuple[type[Columns], ...] = (Page, Link, Inode, File, Vma, Swap)
