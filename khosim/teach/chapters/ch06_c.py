"""Chapter 06: how the block list hears that a page is gone. The exercises."""

from __future__ import annotations

from collections.abc import Iterator

from khosim.kernel.shmem import EEXIST
from khosim.kernel.shmem_file import EFAULT
from khosim.kernel.shmem_kho import shmem_invalidate_folio
from khosim.run.history import History
from khosim.state.invariants import INVARIANTS
from khosim.teach.beside import before, ending, frame_of, last_line, lost
from khosim.teach.case import PAGE, Case, Played
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


COPIES = {"view.uffd_copy(0, bytes(range(64)))": (0, bytes(range(64))), "view.uffd_copy(1, b'N' * 64)": (1, b"N" * 64)}
"""The page and the bytes of each line that copies."""
ALL = 128
"""Bytes of the file, when it is longest."""


@write_path(
    chapter=6,
    objective=5,
    hints=(
        "When the posted path returns 0, the slot has the frame. `shmem_alloc_kho_folio()` shows how a block is set.",
        "A block that names a page already is no hole. What does `UFFDIO_COPY` answer to a page that is there?",
    ),
    paths=("shmem_mfill_atomic_pte",),
    lines=(*COPIES, "m.os.ftruncate(fd, 64)", f"m.os.ftruncate(fd, {ALL})", AGAIN),
    most=3,
    start=f"{OPEN}\n{MAP}",
)
def a_page_with_a_block(run: Played) -> Iterator[str]:
    """`UFFDIO_COPY` puts a page into the file, and nobody tells the block list.

    Write `shmem_mfill_atomic_pte(m, vma, page, data)` so that it is told. Page 0 of the file is a hole, page 1 is
    written. Every program of up to three lines is tried. A line copies to page 0 or 1, cuts the file to one page, makes
    it two pages again, or is a kexec. After each program:

    - the kernel has not warned of an empty block;
    - each page in the cache is in the frame that its block names;
    - every block's frame has its bit and no other owner, no bit is left over, and no frame is lost;
    - a page takes a copy while it is a hole of the file, and from then on reads as what was copied;
    - a page that is there keeps its bytes, and a copy fails; on a held page as on one in the cache;
    - a copy past the end of the file fails as before, and no copy changes another page.

    You may call the posted path: it is in `PATHS`, by its name.
    """
    m = run.names["m"]
    for name in HOLD:
        yield from (f"{name}: {words}." for words in INVARIANTS[name](m))
    yield from lost(m)
    if any("shmem_kho_free_block" in words for words in m.complaints):
        yield "The kernel met an empty block, and warned."
    yield from answered(run)
    if last_line(run) in (*COPIES, AGAIN):
        page, data = COPIES.get(last_line(run), (0, b""))
        yield from unchanged(run, {page: data} if data and not run.error else {})


def answered(run: Played) -> Iterator[str]:
    """Whether the last line failed where it should, and only there."""
    m, (page, data) = before(run).names["m"], COPIES.get(last_line(run), (0, b""))
    there, past = frame_of(m, 0, page) >= 0, PAGE * page >= m.inode.i_size[0]
    may = [EEXIST] * there + [EFAULT] * past or [0]
    if not data and run.error:
        yield f"The program {ending(run)}."
    elif data and getattr(run.error, "errno", 0) not in may:
        was = "is there" if there else "is past the end" if past else "is a hole"
        yield f"Page {page} {was}, and a copy to it {ending(run)}."


def unchanged(run: Played, but: dict[int, bytes]) -> Iterator[str]:
    """Whether each page reads as before the last line, `but` those that it changed."""
    then, now = (one.names["m"].os.pread(one.names["fd"], ALL, 0) for one in (before(run), run))
    for page, data in but.items():
        then = then[: PAGE * page] + data + then[PAGE * (page + 1) :]
    for at, (one, other) in enumerate(zip(now, then, strict=False)):
        if one != other:
            yield f"Byte {at % PAGE} of page {at // PAGE} reads {one:#04x}. It should be {other:#04x}."


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
