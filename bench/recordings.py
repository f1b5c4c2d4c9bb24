"""The recording that every picture is measured on."""

from __future__ import annotations

import khosim

__all__ = ["recording"]


def recording(frames: int) -> khosim.History:
    """A file of four pages, written, carried over a kexec and read again, in a machine of `frames` frames."""
    machine = khosim.boot(frames=frames)
    with machine.record(f"{frames:,} frames") as history:
        fd = machine.os.memfd_create("guest", khosim.MFD_KHO)
        machine.os.pwrite(fd, b"hello, next kernel" * 14, 0)
        machine = machine.kexec()
        fd = machine.os.memfd_create("guest", khosim.MFD_KHO)
        machine.os.pread(fd, 128, 0)
    return history
