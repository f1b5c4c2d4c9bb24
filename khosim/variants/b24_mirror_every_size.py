"""B24: the KHO inode's size must follow every change of i_size, not only a write that extends the file."""

from __future__ import annotations

from khosim.kernel.inode import i_size_write
from khosim.state.blocks import set_kho_i_size
from khosim.state.machine import MachineState
from khosim.steps import PATHS, Path, Step

__all__ = ["VARIANT"]

posted = PATHS[i_size_write.__name__]


def i_size_write_mirrored(m: MachineState, ino: int, size: int) -> Path[None]:
    """Set the size of a file, and of its KHO inode.

    Kernel:   include/linux/fs.h, i_size_write(), as a helper of shmem would wrap it
    Locks:    inode lock
    Left out: -
    """
    yield from posted(m, ino, size)
    if m.inode.kho[ino]:
        set_kho_i_size(m, m.inode.kho[ino], size)
        yield Step("kho_i_size", "The KHO inode now says {size:byte}.", size=size)


VARIANT = {"i_size_write": i_size_write_mirrored}
