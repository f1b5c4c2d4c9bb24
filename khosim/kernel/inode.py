"""The size of a file: include/linux/fs.h."""

from __future__ import annotations

from khosim.state.machine import MachineState
from khosim.steps import Path, Step, path

__all__ = ["i_size_write"]


@path
def i_size_write(m: MachineState, ino: int, size: int) -> Path[None]:
    """Set the size of a file.

    Kernel:   include/linux/fs.h, i_size_write()
    Locks:    inode lock, for all but a shrinking file that is being evicted
    Left out: the sequence counter of 32-bit machines
    """
    old = m.inode.i_size[ino]
    m.inode.i_size[ino] = size
    yield Step("i_size", "i_size goes from {old} to {size}.", size=size, old=old)
