"""Chapter 06: how the block list hears that a page is gone. The exercises."""

from __future__ import annotations

from collections.abc import Iterator

from khosim.kernel.shmem_kho import shmem_invalidate_folio
from khosim.run.history import History
from khosim.state.invariants import INVARIANTS
from khosim.teach.case import Case, Played
from khosim.teach.chapters.ch06 import PUNCH, steps, written
from khosim.teach.seed import Seed
from khosim.teach.task import by_hand, change, discuss, write_path

OPEN = 'fd = m.os.memfd_create("kept", khosim.MFD_KHO); m.os.pwrite(fd, b"." * 64, 64)'
MAP = 'view = m.mmap(fd, 128); view.uffd_register("missing")'
AGAIN = f'm = m.kexec(); fd = m.os.memfd_create("kept", khosim.MFD_KHO); {MAP}'
HOLD = ("Bits set", "No leak", "One owner", "No stale block", "Cache agrees")
FULL = "by luck or because none was free"
REFUSED = {"add_fail": FULL, "alloc_fail": FULL, "acct_fail": "because a limit is reached"}
SHORTER = ("kexec", "close", "munmap", "madvise", "swap_out", "migrate", "reclaim")


@by_hand(
    chapter=6,
    objective=2,
    hints=(
        "The callback hears of a page that is found in the cache, and of the part of it that lies in the hole.",
        "For each page take the later start, the page's or the hole's, and the earlier end.",
    ),
)
def what_it_hears(seed: Seed) -> Case:
    """How many bytes of each page the callback is told of."""
    offset, length, absent = seed.among(
        (100, 150, 2), (30, 200, 1), (50, 192, 2), (10, 300, 3), (150, 100, 3), (20, 260, 0), (70, 130, 2)
    )
    return Case(
        asks=f"A file has five pages of 64 bytes. A hole of 64 bytes is punched at {64 * absent}, then one of {length} "
        f"bytes at {offset}. **Of how many bytes of each page is the callback told by the second call?** "
        "Put 0 where it is not called.",
        program=f"{written(5)}m.os.fallocate(fd, {PUNCH}, {64 * absent}, 64)\n"
        f"m.os.fallocate(fd, {PUNCH}, {offset}, {length})\n",
        read=lambda run: {f"page {page}": heard(run).get(page, 0) for page in range(5)},
        rule="It is told of the part of a page that goes, if the page is in the cache.",
        look="Play it, and stop in the last call wherever `shmem_invalidate_folio()` is entered.",
        misread={"only whole pages are reported": lambda run: {f"page {page}": 64 * (heard(run).get(page) == 64)
                                                               for page in range(5)}},
    )  # fmt: skip


def heard(run: Played) -> dict[int, int]:
    """Map each page of which the last call told the callback to the bytes that it told."""
    last = steps(run.history, run.history.calls[-1].first)
    return {step.args["index"]: step.args["length"] for _, step in last if step.name == "invalidate"}


@change(
    chapter=6,
    objective=1,
    hints=(
        "A file can have pages that its size does not cover. Which call promises space, and leaves the size alone?",
        "`fallocate` with `FALLOC_FL_KEEP_SIZE`. Then set the size to what it is.",
    ),
)
def gone_though_not_shorter(trace: History) -> Iterator[tuple[int, str]]:
    """A KHO file never gets shorter, no hole is punched, and nothing is closed. Yet the callback empties a block.

    Record such a run in one kernel. Use neither swap nor reclaim, nor migration, nor `madvise`. No memory is refused,
    by a fork, by a limit or because none is free.
    """
    for call in trace.calls:
        name = call.text.partition("(")[0]
        if name in SHORTER or "PUNCH" in call.text:
            yield call.first, f"`{call.text}` may take pages away by itself. Do without it."
    for t, step in steps(trace):
        if step.name == "i_size" and step.args["size"] < step.args["old"]:
            yield t, "Here the file gets shorter."
        if step.name in REFUSED:
            yield t, f"Here memory was refused, {REFUSED[step.name]}."
    emptied = [trace[t].stack for t, step in steps(trace) if step.name == "free_block"]
    if not any(frame.function == shmem_invalidate_folio.__name__ for stack in emptied for frame in stack):
        yield trace.steps, "A block was emptied, and not by the callback." if emptied else "No block was emptied."


@write_path(
    chapter=6,
    objective=5,
    hints=(
        "When the posted path returns 0, the slot has the frame. `shmem_alloc_kho_folio()` shows how a block is set.",
        "A block that names a page already is no hole. What does `UFFDIO_COPY` answer to a page that is there?",
    ),
    paths=("shmem_mfill_atomic_pte",),
    lines=(
        "page = 0; view.uffd_copy(0, b'M' * 64); copied = True",
        "page = 1; view.uffd_copy(1, b'N' * 64)",
        "m.os.ftruncate(fd, 64)",
        AGAIN,
    ),
    most=3,
    start=f"{OPEN}\n{MAP}",
)
def a_page_with_a_block(run: Played) -> Iterator[str]:
    """`UFFDIO_COPY` puts a page into the file, and nobody tells the block list.

    Write `shmem_mfill_atomic_pte(m, vma, page, data)` so that it is told. Page 0 of the file is a hole, page 1 is
    written. Every program of up to three lines is tried. A line copies to page 0 or 1, cuts the file to one page, or
    is a kexec. After each program:

    - the kernel has not warned of an empty block;
    - each page in the cache is in the frame that its block names;
    - every block's frame has its bit and no other owner, and no bit is left over;
    - page 0 takes a copy while it is a hole, and from then on reads as what was copied.

    You may call the posted path: it is in `PATHS`, by its name.
    """
    m, fd = run.names["m"], run.names["fd"]
    for name in HOLD:
        yield from (f"{name}: {words}." for words in INVARIANTS[name](m))
    if any("shmem_kho_free_block" in words for words in m.complaints):
        yield "The kernel met an empty block, and warned."
    if run.names.get("page") == 0 and "copied" not in run.names:
        yield "Page 0 was a hole, and the copy was refused."
    if "copied" in run.names and m.os.pread(fd, 1, 0) != b"M":
        yield "Page 0 does not read what was copied in."


@discuss(
    chapter=6,
    objective=3,
    hints=(
        "List the ways by which a page leaves the page cache. `filemap_remove_folio()` is on most of them.",
        "Ask of each place: who holds which lock there, and who else would have to pay for the call?",
    ),
)
def who_should_tell() -> None:
    """The patch lets truncation tell the block list. The word could come from elsewhere.

    Choose one other place, in this kernel or in another design. Say which of this chapter's silences it ends, which it
    does not end, and who pays for it.
    """
