"""What a judge of a kernel path holds a run against: the same program on the kernel as posted, or one line shorter."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from khosim.errors import BusError
from khosim.state import handover
from khosim.state.blocks import listed_block
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_BUDDY, PG_locked, PG_uptodate, test_flag
from khosim.teach.case import Played, play

__all__ = ["READS", "before", "differences", "ending", "ends_otherwise", "frame_of", "last_line", "lost"]

AS_POSTED = "With the kernel as posted"
READS = "What page "
"""How the entries of `seen` begin that hold contents."""
TOTALS = "PFN bits that are set", "Frames that are free"
"""Its entries that are told last, for a page says more."""
POSTED = 1024
"""How many programs' ends are kept: more than any exercise tries."""


def last_line(run: Played) -> str:
    """The line that a program ends in."""
    return run.program.rpartition("\n")[2]


def before(run: Played) -> Played:
    """The same run without its last line, on the reader's kernel."""
    return play(run.program.rpartition("\n")[0], run.names["m"].variants)


def frame_of(m: MachineState, ino: int, index: int) -> int:
    """The frame that a page of an open file is in, in the page cache or held; -1 for a hole."""
    head = m.slots[ino * m.file_pages + index]
    if head >= 0:
        return head + index - m.page.index[head]
    return _block(m, ino, index) // m.page_size % m.frames or -1


def lost(m: MachineState) -> Iterator[str]:
    """Frames that are not free, and belong to no file, to no handover and to no kernel."""
    kernel = range(m.kernel_start, m.kernel_start + m.config.kernel_size)
    owned = {0, *kernel, *handover.preserved(m)}  # frame 0 is given to nobody
    owned |= {frame_of(m, ino, index) for ino in range(m.config.inodes) for index in range(m.file_pages)}
    for pfn in {*range(m.frames)} - owned:
        if not test_flag(m, pfn, PG_BUDDY):
            yield f"Frame {pfn:#x} has left the free list, and no file has it: it is lost."


def seen(m: MachineState) -> dict[str, Any]:
    """What is to be seen of a machine, whatever frames it used. Holes and zeroes are left out."""
    found: dict[str, Any] = {}
    for ino in (ino for ino, used in enumerate(m.inode.used) if used):
        found[f"Bytes of inode {ino}"] = m.inode.i_size[ino]
        for index in (index for index in range(m.file_pages) if frame_of(m, ino, index) >= 0):
            pfn, page = m.slots[ino * m.file_pages + index], f"page {index} of inode {ino}"
            found[f"P{page[1:]}"] = "in the page cache" if pfn >= 0 else "held"
            found[f"The block of {page}"] = "names a frame" if _block(m, ino, index) else "is empty"
            if pfn >= 0:
                found[f"References to {page}"] = m.page.refcount[pfn]
                found[f"The lock of {page}"] = "held" if m.page.flags[pfn] & PG_locked else "free"
            if data := _bytes_of(m, ino, index):
                found[f"{READS}{index} of inode {ino} reads"] = data
    return found | dict(zip(TOTALS, (len(handover.preserved(m)), m.nr_free), strict=True))


def _told(found: dict[str, Any], what: str) -> Any:
    left_out = "zeroes" if what.startswith(READS) else "a hole" if what.startswith("Page ") else "none"
    return found.get(what, left_out)


def _block(m: MachineState, ino: int, index: int) -> int:
    return listed_block(m, m.inode.kho[ino], index) if m.inode.kho[ino] else 0


def _bytes_of(m: MachineState, ino: int, index: int) -> bytes:
    head, pfn = m.slots[ino * m.file_pages + index], frame_of(m, ino, index)
    if head >= 0 and not test_flag(m, head, PG_uptodate):
        return b""  # promised: it reads as a hole
    return bytes(m.ram[m.page_size * pfn : m.page_size * (pfn + 1)]).rstrip(b"\0")


def ending(run: Played) -> str:
    """How a program ended, as the end of a sentence: with what error, or with what in `got`."""
    if isinstance(run.error, OSError | BusError):
        return f"fails: {run.error}"
    got = run.names.get("got")
    return "succeeds" if got is None else f"gets {got!r}"


@lru_cache(POSTED)
def _posted(program: str) -> tuple[dict[str, Any], str]:
    run = play(program)
    return seen(run.names["m"]), ending(run)


def ends_otherwise(run: Played, program: str = "", who: str = "The program") -> Iterator[str]:
    """Where a program does not end as it does, or as `program` does, on the kernel as posted."""
    end = _posted(program or run.program)[1]
    if ending(run) != end:
        yield f"{who} {ending(run)}. {AS_POSTED} it {end}."


def differences(run: Played, program: str = "", *, only: str = "") -> Iterator[str]:
    """Where a machine is not what the posted kernel makes of its program, or of `program`; only what begins so."""
    theirs, mine = _posted(program or run.program)[0], seen(run.names["m"])
    for what in sorted({**theirs, **mine}, key=TOTALS.__contains__):
        one, other = _told(mine, what), _told(theirs, what)
        if one != other and what.startswith(only):
            yield f"{what}: {one}. It should be: {other}."
