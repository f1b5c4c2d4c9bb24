"""A simulated kernel for one patch: a tmpfs file that lives through a kexec.

Start with `boot()`; the book is in `notebooks/`. `import khosim` needs numpy alone; `khosim.show` draws.
"""

from __future__ import annotations

from typing import Any

from khosim.compare import compare
from khosim.config import MachineConfig
from khosim.errors import BusError, Deadlock, KernelFailure, KernelPanic, Livelock, MachineGone, UsageError
from khosim.kernel.memfd import MFD_KHO
from khosim.kernel.mmap import MADV_COLLAPSE, MADV_DONTNEED, MADV_HWPOISON, MADV_REMOVE
from khosim.kernel.shmem_fallocate import FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE
from khosim.run.history import History
from khosim.state.snapshot import Snapshot
from khosim.steps import Step, Warn
from khosim.user.machine import MAP_PRIVATE, MAP_SHARED, Machine, boot

__all__ = [
    "FALLOC_FL_KEEP_SIZE",
    "FALLOC_FL_PUNCH_HOLE",
    "MADV_COLLAPSE",
    "MADV_DONTNEED",
    "MADV_HWPOISON",
    "MADV_REMOVE",
    "MAP_PRIVATE",
    "MAP_SHARED",
    "MFD_KHO",
    "BusError",
    "Deadlock",
    "History",
    "KernelFailure",
    "KernelPanic",
    "Livelock",
    "Machine",
    "MachineConfig",
    "MachineGone",
    "Snapshot",
    "Step",
    "UsageError",
    "Warn",
    "boot",
    "compare",
]
__version__ = "0.1.0"


def _stepper(history: History) -> dict[str, Any]:
    from khosim.show import mimebundle

    return mimebundle(history)


def _words(history: History) -> str:
    from khosim.show.text import transcript

    return transcript(history)


History._mimebundle = staticmethod(_stepper)  # noqa: SLF001 - the one place that knows both sides
History._transcript = staticmethod(_words)  # noqa: SLF001
