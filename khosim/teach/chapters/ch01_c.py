"""Chapter 01, its exercises: change the program, write a kernel path, think."""

from __future__ import annotations

from collections.abc import Iterator

from khosim.run.history import History
from khosim.state.buddy import in_scratch
from khosim.state.lists import list_walk, pcp_head
from khosim.state.mem_map import PG_BUDDY
from khosim.teach.beside import differences, lost
from khosim.teach.case import Played
from khosim.teach.recorded import cached, changed_at, wrong_bit
from khosim.teach.task import change, discuss, write_path

__all__: list[str] = []


@change(
    chapter=1,
    objective=1,
    hints=(
        "Who takes a reference to a page of a file, besides the page cache? One `pwrite` drops all that it took.",
        "A mapping takes a reference when it is touched. Two mappings take two.",
    ),
)
def three_that_stay(trace: History) -> Iterator[tuple[int, str]]:
    """Let the frame of page 0 of `kept`, a file with the flag, end with three references.

    A kexec must lie before the end, and the first kernel must have set the page's bit. The recording must show both.
    """
    end = trace.seek(trace.steps)
    frame = cached(end, "kept", 0)
    if not trace.kexecs:
        yield trace.steps, "Your run has no kexec."
        return
    if frame < 0:
        yield trace.steps, "Page 0 of `kept`, open with the flag, is not in the page cache at the end."
        return
    yield from wrong_bit(trace, frame, 0, 0)
    count = end.page.refcount[frame]
    if count != 3:
        yield changed_at(trace, "refcount", pfn=frame), f"References to the frame at the end: {count}."


@write_path(
    chapter=1,
    objective=4,
    hints=(
        "Only movable pages go to scratch. Who says that a page is movable?",
        '`PATHS["alloc_pages"]` of `khosim.steps` is the kernel\'s own. Call it with `yield from`.',
    ),
    paths=("alloc_pages",),
    start='fd = m.os.memfd_create("kept", khosim.MFD_KHO)',
    lines=(
        'm.os.pwrite(m.os.memfd_create("other"), bytes((m.nr_free - 8) * 64), 0)',
        "m.os.pwrite(fd, b'keep me', 0)",
    ),
    most=3,
)
def never_in_scratch(run: Played) -> Iterator[str]:
    """Let no page of a kept file lie in scratch (B35). A write for which nothing else is free may fail.

    Write `alloc_pages(m, order, movable)`, a generator that may call the kernel's own. It returns the number of the
    first frame, or None if it gives none. A machine with room must still give out frames, and none may be lost.

    What does your repair cost a file that is not to be kept?
    """
    m = run.names["m"]
    if m.slots[0] >= 0 and in_scratch(m, int(m.slots[0])):
        yield f"Page 0 of `kept` is in frame {m.slots[0]:#x}, where the next kernel boots."
    yield from lost(m)
    set_aside = {*list_walk(m, pcp_head(m))}  # by the per-CPU list, for movable pages
    free = [pfn for pfn in range(m.frames) if m.page.flags[pfn] & PG_BUDDY and not in_scratch(m, pfn)]
    if not {*free} - set_aside:
        return  # there was no other frame to give
    if run.error is not None:
        yield f"A call fails: {run.error}. Yet frames are free outside scratch."
    yield from differences(run)


@discuss(
    chapter=1,
    objective=3,
    hints=(
        "In step 7 of the figure of a cut file, the bit is cleared, and the block still names the frame.",
        "A frame without a bit is free for the next kernel. A frame with a bit that nobody names is nobody's.",
    ),
)
def bit_or_block_first() -> None:
    """When a page goes, its bit is cleared first, then its block. Suppose that another CPU starts a kexec in between.

    What do the next kernel's allocator and its block list each say of this frame? Would the other order be better, and
    what would it leave behind instead?
    """
