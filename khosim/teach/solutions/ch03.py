"""Chapter 03: solutions of its exercises."""

from __future__ import annotations

from typing import Any

import khosim
from khosim.state.machine import MachineState
from khosim.state.phys import fill
from khosim.steps import PATHS, Path, Step
from khosim.user.machine import Machine

__all__ = ["SOLUTIONS"]


def out_of_reach(m: Machine) -> Machine:
    """A page is written inside a file whose size nobody told the KHO inode."""
    fd = m.os.memfd_create("guest", khosim.MFD_KHO)
    m.os.ftruncate(fd, 128)
    m.os.pwrite(fd, b"found", 64)
    m = m.kexec()
    fd = m.os.memfd_create("guest", khosim.MFD_KHO)
    m.os.ftruncate(fd, 128)
    m.os.pread(fd, 5, 64)
    return m


def no_block_before_its_bytes(m: MachineState, index: int, order: int) -> Path[int | None]:
    """Zero the frame while nobody can find it: a bit and a block follow."""
    folio: int | None = yield from PATHS["shmem_alloc_folio"](m, index, order)
    if folio is not None:
        for frame in range(folio, folio + (1 << order)):
            fill(m, frame, 0)
        yield Step("clear", "Frame {pfn:#x} is zeroed.", pfn=folio)
    return folio


when_to_write_it_down = """
At each allocation: every new page pays two stores, though most files never see a kexec. In return the kexec has nothing
to do, however much memory there is, and a crash-like stop finds the lists too. But they are right about where a page
is, and not about whether it is filled, or how long the file is. And all that moves or drops a page must tell them.

Once, before the kexec: nothing to pay until then, and no hook in the paths of every file. All is consistent if the
files are frozen first: no write, no truncation, no page may move or go to swap. The walk takes time in proportion to
memory. It can run while the programs still do, if only the freezing is left for the end. Upstream went this way.
""".strip()

SOLUTIONS: dict[str, Any] = {
    "out-of-reach": out_of_reach,
    "no-block-before-its-bytes": no_block_before_its_bytes,
    "when-to-write-it-down": when_to_write_it_down,
}
"""By the exercise's name."""
