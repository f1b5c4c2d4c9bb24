"""userfaultfd on shmem: fs/userfaultfd.c, mm/userfaultfd.c and shmem_mfill_atomic_pte() of mm/shmem.c.

The SIGBUS feature is always on: a fault that would wake a monitor is a SIGBUS instead.
"""

from __future__ import annotations

from khosim.state.machine import MachineState
from khosim.steps import Path, Step, path

__all__ = ["VM_FAULT_OOM", "VM_FAULT_SIGBUS", "VM_UFFD_MINOR", "VM_UFFD_MISSING", "handle_userfault", "vma_uffd"]

VM_UFFD_MISSING, VM_UFFD_MINOR = 1, 2
VM_FAULT_OOM, VM_FAULT_SIGBUS = 1, 2


def vma_uffd(m: MachineState, vma: int) -> int:
    """What the mapping is registered for: VM_UFFD_MISSING, VM_UFFD_MINOR or 0; 0 too for no mapping (-1)."""
    return m.vma.uffd[vma] if vma >= 0 else 0


@path
def handle_userfault(m: MachineState, vma: int, index: int) -> Path[int]:
    """Deliver a fault to its monitor: here, as SIGBUS.

    Kernel:   fs/userfaultfd.c, handle_userfault() with UFFD_FEATURE_SIGBUS
    Locks:    mmap lock
    Left out: waiting for a monitor
    """
    yield Step("userfault", "The fault on page {index} goes to userfaultfd.", index=index, kind=m.vma.uffd[vma])
    return VM_FAULT_SIGBUS
