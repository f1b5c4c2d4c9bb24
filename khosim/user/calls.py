"""Every call a program, or the world around it, can make: name -> kernel path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from khosim.kernel.filemap import mapping_of
from khosim.kernel.inode import i_size_write
from khosim.kernel.locks import folio_unlock
from khosim.kernel.memfd import memfd_create
from khosim.kernel.memory_failure import memory_failure
from khosim.kernel.mfill import mfill_atomic_pte_continue, shmem_mfill_atomic_pte
from khosim.kernel.migrate import migrate_folio
from khosim.kernel.mmap import access, sys_madvise, sys_mincore, sys_mmap, sys_munmap
from khosim.kernel.open import EBADF, fdget, sys_close, sys_fallocate, sys_fstat, sys_ftruncate
from khosim.kernel.page_alloc import folio_put
from khosim.kernel.read_write import sys_lseek, sys_pread64, sys_pwrite64, sys_read, sys_splice, sys_write
from khosim.kernel.shmem import shmem_get_folio
from khosim.kernel.shmem_swap import shmem_unuse
from khosim.kernel.swap import lru_add_drain
from khosim.kernel.vmscan import reclaim_folio, shrink_lruvec
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.steps import Path, Step, path

__all__ = ["CALLS"]

ENOENT = 2
FolioPath = Callable[[MachineState, int], Path[int]]


@path
def on_folio(m: MachineState, fd: int, index: int, act: FolioPath) -> Path[int]:
    """Do something to the folio of one page of a file; -ENOENT if the page cache has none.

    Kernel:   our stand-in for the kernel's own reasons to pick a folio
    Locks:    none
    Left out: -
    """
    row = fdget(m, fd)
    if row is None:
        return -EBADF
    yield from lru_add_drain(m)
    entry = page_cache.load(m, m.file.ino[row], index)
    yield Step("pick", "Page {index} of the file is picked.", index=index, entry=entry)
    if entry < 0 or m.page.mapping[entry] != mapping_of(m.file.ino[row]):
        return -ENOENT
    return (yield from act(m, entry))


@path
def get_folio(m: MachineState, fd: int, index: int, sgp: int) -> Path[int]:
    """Call the internal lookup by itself: the frame, -1 for success without a folio, or a negative errno below it.

    Kernel:   mm/shmem.c, shmem_get_folio(), as a test harness calls it
    Locks:    folio lock, dropped again
    Left out: -
    """
    row = fdget(m, fd)
    if row is None:
        return -EBADF
    folio, error = yield from shmem_get_folio(m, m.file.ino[row], index, sgp)
    if folio is None:
        return error or NO_FOLIO
    folio_unlock(m, folio)
    yield from folio_put(m, folio)
    return folio


NO_FOLIO = -1000
"""What `get_folio` returns for success without a folio; no errno is that large here."""


@path
def swapon(m: MachineState) -> Path[int]:
    """Let dirty pages go to swap.

    Kernel:   mm/swapfile.c, swapon()
    Locks:    swap_lock
    Left out: devices, priorities
    """
    m.swap_enabled = 1
    yield Step("swapon", "Swap is on.")
    return 0


@path
def sysctl_overcommit(m: MachineState, mode: int, limit: int) -> Path[int]:
    """Set vm.overcommit_memory, and how many pages strict overcommit grants.

    Kernel:   mm/util.c, overcommit_policy_handler()
    Locks:    none
    Left out: overcommit_ratio; the limit is given in pages
    """
    m.overcommit_memory, m.commit_limit = mode, limit
    yield Step("sysctl", "vm.overcommit_memory is {mode}.", mode=mode)
    return 0


@path
def sysctl_huge(m: MachineState, force: int) -> Path[int]:
    """Set shmem_enabled to force or never.

    Kernel:   mm/shmem.c, shmem_enabled_store()
    Locks:    none
    Left out: the other settings
    """
    m.shmem_huge = force
    yield Step("shmem_enabled", "shmem_enabled: {force}.", force=force)
    return 0


@path
def uffd_register(m: MachineState, vma: int, kind: int) -> Path[int]:
    """Register a mapping with userfaultfd, with its SIGBUS feature.

    Kernel:   fs/userfaultfd.c, userfaultfd_register()
    Locks:    mmap lock
    Left out: the descriptor, events
    """
    m.vma.uffd[vma] = kind
    yield Step("uffd", "Mapping {vma} is registered with userfaultfd.", vma=vma, kind=kind)
    return 0


def _folio_call(act: FolioPath) -> Callable[[MachineState, int, int], Path[int]]:
    return lambda m, fd, index: on_folio(m, fd, index, act)


CALLS: dict[str, Callable[..., Path[Any]]] = {
    "memfd_create": memfd_create,
    "pread": sys_pread64,
    "pwrite": sys_pwrite64,
    "read": sys_read,
    "write": sys_write,
    "splice": sys_splice,
    "lseek": sys_lseek,
    "ftruncate": sys_ftruncate,
    "fallocate": sys_fallocate,
    "fstat": sys_fstat,
    "close": sys_close,
    "mmap": sys_mmap,
    "munmap": sys_munmap,
    "access": access,
    "madvise": sys_madvise,
    "mincore": sys_mincore,
    "uffd_register": uffd_register,
    "uffd_copy": shmem_mfill_atomic_pte,
    "uffd_continue": mfill_atomic_pte_continue,
    "get_folio": get_folio,
    "i_size_write": i_size_write,
    "swapon": swapon,
    "swapoff": shmem_unuse,
    "swap_out": _folio_call(reclaim_folio),
    "migrate": _folio_call(migrate_folio),
    "poison": _folio_call(memory_failure),
    "reclaim": shrink_lruvec,
    "drain": lru_add_drain,
    "overcommit": sysctl_overcommit,
    "huge": sysctl_huge,
}
"""`kexec` is a call too; the session makes it, for it replaces the machine."""
