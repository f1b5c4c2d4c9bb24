"""Chapter 00, start here: the questions of its loops. One page crosses a kexec, and is brought back."""

from __future__ import annotations

from khosim.kernel.shmem_kho import ENOMEM
from khosim.state import handover
from khosim.state.blocks import load_block
from khosim.state.snapshot import Snapshot
from khosim.teach.case import PAGE, Case, Played
from khosim.teach.question import ask
from khosim.teach.seed import Seed

__all__ = ["FIRST_USE", "TEXTS", "frame_of", "knows"]

TEXTS = ("hello, next kernel", "keep this", "written by the first")
FIRST_USE = "A page comes back when somebody uses it: one page, on first use."
PLACES = ("cache", "block", "bit")


def frame_of(s: Snapshot, index: int) -> int:
    """The frame that a block of the first preserved file names; 0 if it names none."""
    kept = handover.files(s)
    return load_block(s, kept[0].inode, index) // s.page_size if kept else 0


def knows(run: Played, t: int, index: int) -> set[str]:
    """Which places know of a page of the first file at a step: the page cache, the block list, the bitmap."""
    s = run.history.seek(t)
    frame = frame_of(s, index)
    found = {"cache": s.slots[index] >= 0, "block": bool(frame), "bit": bool(frame and s.bits[frame])}
    return {place for place, there in found.items() if there}


@ask(chapter=0, objective=2)
def what_crosses(seed: Seed) -> Case:
    """Where a page is known after a kexec."""
    text = seed.among(*TEXTS)
    last = seed.among("", "m.os.fstat(fd)\n", "m.os.pread(fd, 1, 0)\n", 'm.os.pwrite(fd, b"H", 0)\n')
    used = last.startswith(("m.os.pr", "m.os.pw"))
    return Case(
        asks="Three places could know of page 0: a slot of the page cache, a block of the block list, a PFN bit."
        " **Which of them do at the end?**",
        program=f"""
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
m.os.pwrite(fd, b"{text}", 0)
m = m.kexec()
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
{last}""",
        read=lambda run: knows(run, run.history.steps, 0),
        options=PLACES,
        rule="Block list and bits lie in preserved frames. A page cache is a kernel's own memory."
        + (f" {FIRST_USE}" if used else ""),
        look="Play it, and press End. Which of the three is drawn?",
        mistakes=("back-means-gone",) if used else ("opened-whole",),
        misread={"a new kernel knows nothing of the old one's files": lambda _: set()},
    )


@ask(chapter=0, objective=3)
def who_brings_it_back(seed: Seed) -> Case:
    """Which call puts a held page into the page cache."""
    text = seed.among(*TEXTS)
    read = f"m.os.pread(fd, {len(text)}, 0)"
    lines = seed.among(
        (read,), ('m.os.pwrite(fd, b"H", 0)', read), ("m.os.fstat(fd)", read), (read, 'm.os.pwrite(fd, b"H", 0)'),
        (f"m.os.pread(fd, 4, {PAGE})", 'm.os.pwrite(fd, b"H", 3)'),
    )  # fmt: skip
    used = "\n".join(lines)
    return Case(
        asks="After the kexec the page is in no page cache. At the end it is in one. **Which call puts it there?**",
        program=f"""
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
m.os.pwrite(fd, b"{text}", 0)
m = m.kexec()
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
{used}
""",
        read=lambda run: run.history.why("cache", index=0).call.partition("(")[0],
        options=("kexec", "memfd_create", "pread", "pwrite"),
        rule=FIRST_USE + (" What lies past the end of a file is not used." if str(PAGE) in used else ""),
        look="Play it. After the kexec, watch the slot below the page cache: in which call is it filled?",
        mistakes=("opened-whole",),
        misread={"a kernel begins with the page cache of the one before": lambda _: "kexec"},
    )


@ask(chapter=0, objective=2)
def refused_memory(seed: Seed) -> Case:
    """What is read after a page was refused its frame."""
    text = seed.among(*TEXTS)
    letters = seed.among("AB", "XY", "CD", "PQ")
    writes, got, which = seed.among(
        (f'm.os.pwrite(fd, b"{text}", 0)', f"m.os.pread(fd, {len(text)}, 0)", 1),
        *((f'm.os.pwrite(fd, b"{letters[0]}" * {PAGE}, 0)\nm.os.pwrite(fd, b"{letters[1]}" * {PAGE}, {PAGE})',
           f"m.os.pread(fd, 4, {PAGE - 2})", call) for call in (1, 2)),
    )  # fmt: skip
    return Case(
        asks=f"Page {which - 1} is refused its frame when it is written: this `pwrite` fails, and the program goes on."
        " **What does `pread` return at the end?**",
        program=f"""
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
{writes}
m = m.kexec()
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
got = {got}
""",
        read=lambda run: refused(run, which),
        rule="Where no page was written, none is held. The file ends after its last page, and holes read as zeroes.",
        look=f'Play it, and `fork` it with `"cpu0=-{ENOMEM}"` at the first moment of that `pwrite` with alternatives.',
        misread={"memory that is refused is asked for again": lambda run: run.names["got"]},
        empty=True,
    )


def refused(run: Played, which: int) -> bytes:
    """What the last call returns if the frame for a call's page is refused."""
    trace = run.history
    call = trace.calls[which]
    luck = next(t for t in range(call.first, call.last) if trace.alternatives(t))
    got: bytes = trace.fork(luck, f"cpu0=-{ENOMEM}").calls[-1].result[0]
    return got
