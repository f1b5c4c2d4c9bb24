"""The four verbs of the book, one scenario each: write, fault, truncate, kexec."""

from __future__ import annotations

from collections.abc import Callable

from khosim.kernel.memfd import MFD_KHO
from khosim.scenarios.scenario import Scenario
from khosim.user.session import Request

__all__ = ["SCENARIOS", "fault", "kexec", "truncate", "write"]

FD = 3
PAGE = 64
OPEN: Request = ("memfd_create", ("guest", MFD_KHO))
KEXEC: Request = ("kexec", ())


def _alone(*calls: Request) -> list[dict[str, list[Request]]]:
    return [{"cpu0": [call]} for call in calls]


def _write(data: bytes, pos: int) -> Request:
    return "pwrite", (FD, len(data), data, pos)


def write() -> Scenario:
    """Three pages are written: one whole, one in part, one over again."""
    return Scenario(
        "write",
        "What must be written down so that a page survives a kernel it never met?",
        _alone(_write(b"A" * PAGE, 0), _write(b"tail", PAGE), _write(b"B", 0)),
        ("The PFN bit is set before the block names the frame.", "The third write finds its page and changes no list."),
        before=(OPEN,),
    )


def fault() -> Scenario:
    """A preserved page comes back by a page fault, its neighbour by a read; a third is a hole."""
    return Scenario(
        "fault",
        "How does a page come back, and who brings it?",
        _alone(
            ("mmap", (FD, 3 * PAGE, 0, 1)),
            ("access", (0, 0, 1, None)),
            ("pread", (FD, 4, PAGE)),
            ("access", (0, 2 * PAGE, 1, b"!")),
        ),
        (
            "After the kexec the page cache is empty, and the block list is not.",
            "Each page comes back when it is touched.",
        ),
        before=(
            OPEN,
            _write(b"A" * PAGE + b"B" * PAGE, 0),
            ("ftruncate", (FD, 3 * PAGE)),
            KEXEC,
            OPEN,
            ("ftruncate", (FD, 3 * PAGE)),
        ),
    )


def truncate() -> Scenario:
    """A file is cut, a hole is punched, and then it is cut once more with a page not yet restored."""
    return Scenario(
        "truncate",
        "How does the block list hear that a page is gone?",
        _alone(
            ("fallocate", (FD, 3, PAGE, PAGE)),
            KEXEC,
            OPEN,
            ("pread", (FD, 1, 0)),
            ("ftruncate", (FD, 0)),
            ("ftruncate", (FD, 3 * PAGE)),
            ("pread", (FD, 1, 2 * PAGE)),
        ),
        ("A cached page takes its block along.", "A block that was not restored stays, and its bytes come back."),
        before=(OPEN, _write(b"A" * PAGE + b"B" * PAGE + b"C" * PAGE, 0)),
    )


def kexec() -> Scenario:
    """One page crosses a kexec."""
    return Scenario(
        "kexec",
        "What does the next kernel learn, and what does it find out by itself?",
        _alone(OPEN, _write(b"hello, next kernel", 0), KEXEC, OPEN, ("pread", (FD, 18, 0))),
        ("One address crosses.", "The page cache does not; the page comes back on first use."),
    )


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "write": write,
    "fault": fault,
    "truncate": truncate,
    "kexec": kexec,
}
"""By name, in the order of the book."""
