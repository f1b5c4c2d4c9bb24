"""What a path waits for: the folio lock and the inode lock."""

from __future__ import annotations

from khosim.errors import KernelPanic
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_locked, clear_flag, set_flag, test_flag
from khosim.steps import Path, Step, Wait, path

__all__ = ["folio_lock", "folio_trylock", "folio_unlock", "inode_lock", "inode_unlock"]


def folio_is_unlocked(m: MachineState, folio: int) -> bool:
    """Whether nobody holds the folio lock."""
    return not test_flag(m, folio, PG_locked)


def inode_is_unlocked(m: MachineState, ino: int) -> bool:
    """Whether nobody holds i_rwsem."""
    return not m.inode.rwsem[ino]


def folio_trylock(m: MachineState, folio: int) -> bool:
    """Take the folio lock if nobody holds it (include/linux/pagemap.h, folio_trylock())."""
    if test_flag(m, folio, PG_locked):
        return False
    set_flag(m, folio, PG_locked)
    return True


@path
def folio_lock(m: MachineState, folio: int) -> Path[None]:
    """Take the folio lock, sleeping while another task holds it.

    Kernel:   include/linux/pagemap.h, folio_lock()
    Locks:    takes PG_locked
    Left out: the fairness of the wait queue
    """
    while not folio_trylock(m, folio):
        yield Wait(f"frame {folio:#x} is locked", folio_is_unlocked, folio)
    yield Step("folio_lock", "Frame {pfn:#x} is locked.", pfn=folio)


def folio_unlock(m: MachineState, folio: int) -> None:
    """Drop the folio lock (mm/filemap.c, folio_unlock()). Raises `KernelPanic` if nobody holds it, as DEBUG_VM does."""
    if not test_flag(m, folio, PG_locked):
        raise KernelPanic("BUG! VM_BUG_ON_FOLIO(!folio_test_locked(folio)) in folio_unlock()")
    clear_flag(m, folio, PG_locked)


@path
def inode_lock(m: MachineState, ino: int) -> Path[None]:
    """Take i_rwsem for writing, sleeping while another task holds it.

    Kernel:   include/linux/fs.h, inode_lock()
    Locks:    takes i_rwsem
    Left out: readers; nothing here takes it shared
    """
    while m.inode.rwsem[ino]:
        yield Wait(f"inode {ino} is locked", inode_is_unlocked, ino)
    m.inode.rwsem[ino] = 1
    yield Step("inode_lock", "The inode is locked.", ino=ino)


@path
def inode_unlock(m: MachineState, ino: int) -> Path[None]:
    """Drop i_rwsem.

    Kernel:   include/linux/fs.h, inode_unlock()
    Locks:    drops i_rwsem
    Left out: waking the waiters in order
    """
    m.inode.rwsem[ino] = 0
    yield Step("inode_unlock", "The inode is unlocked.", ino=ino)
