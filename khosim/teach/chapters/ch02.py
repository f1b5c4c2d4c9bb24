"""Chapter 02, a file is a page cache: what write, read, fault, fallocate and a cut do to an ordinary file."""

from __future__ import annotations

from itertools import pairwise

from khosim.state.mem_map import PG_uptodate
from khosim.teach.case import PAGE, Case, Played
from khosim.teach.question import ask
from khosim.teach.seed import Seed

__all__ = ["EVERYBODY", "KINDS", "kinds", "pages_after"]

KINDS = ("hole", "promised", "page")
EVERYBODY = "A write, a fault and fallocate bring a page in. A read, a seek and a change of size do not."


def kinds(run: Played, count: int, ino: int = 0) -> dict[str, str]:
    """What each of the first pages of a file is at the end of a run."""
    m = run.names["m"]
    slots = [m.slots[ino * m.file_pages + index] for index in range(count)]
    words = ["hole" if pfn < 0 else KINDS[1 + bool(m.page.flags[pfn] & PG_uptodate)] for pfn in slots]
    return {f"page {index}": word for index, word in enumerate(words)}


def pages_after(run: Played) -> list[int]:
    """How many pages the page cache of the first file holds after each line that followed the first one."""
    trace = run.history
    return [int(trace.seek(call.last).inode.nrpages[0]) for call in trace.calls[1:]]


@ask(chapter=2, objective=1)
def looking(seed: Seed) -> Case:
    """A hole is looked at in two ways."""
    read, touched, written = seed.some((0, 1, 2, 3), 3)
    acts = (f"m.os.pread(fd, {PAGE}, {read * PAGE})", f"view[{touched * PAGE}]",
            f'm.os.pwrite(fd, b"data", {written * PAGE})')  # fmt: skip
    lines = "\n".join(seed.some(acts, 3))
    return Case(
        asks="A file of four pages, all of them holes. The program reads one, loads a byte of another, and writes a"
        " third. **How many pages does the page cache hold after each of the last five lines?**",
        program=f"""
fd = m.os.memfd_create("notes")
m.os.ftruncate(fd, {4 * PAGE})
view = m.mmap(fd, {4 * PAGE})
{lines}
""",
        read=pages_after,
        rule=EVERYBODY,
        look="Play it. In the row *page cache*, watch which slots are filled, and by which call.",
        mistakes=("read-fills-a-hole", "load-leaves-a-hole"),
        misread={"a page for each page of the size": lambda run: [4] * len(pages_after(run))},
    )


@ask(chapter=2, objective=2)
def who_knows_of_a_promise(seed: Seed) -> Case:
    """What the calls say of a file whose pages are promised, all but one."""
    written = seed.among(3, 1, 2, 4, 5, 6)
    letters = seed.among("A", "B", "C")
    return Case(
        asks="`fallocate` promises a file 16 pages. One byte is written into one of them. **What do these calls say?**"
        " `data` and `hole` are places in the file, counted in bytes. `memory` counts the pages that are in memory, as"
        " `mincore` sees it. `blocks` counts units of 512 bytes, eight pages each. `byte` is one of a promised page.",
        program=f"""
fd = m.os.memfd_create("notes")
m.os.posix_fallocate(fd, 0, {16 * PAGE})
m.os.pwrite(fd, b"{letters}", {written * PAGE})
data = m.os.lseek(fd, 0, m.os.SEEK_DATA)
hole = m.os.lseek(fd, data, m.os.SEEK_HOLE)
memory = sum(m.mmap(fd, {16 * PAGE}).mincore())
blocks = m.os.fstat(fd).st_blocks
byte = m.os.pread(fd, 1, 0)[0]
""",
        read=lambda run: {word: int(run.names[word]) for word in ("data", "hole", "memory", "blocks", "byte")},
        rule="A promised page takes a frame, and `st_blocks` counts it. All who ask for contents see a hole.",
        look="Play it, and stop before `lseek`: which of the 16 frames are uptodate?",
        mistakes=("promise-is-zeroes", "promise-is-a-number", "promise-shows-old-bytes"),
    )


@ask(chapter=2, objective=3)
def cut_and_grown(seed: Seed) -> Case:
    """A file is cut within a page, and grows again."""
    at = seed.number_from(6, 40)
    size = PAGE + at
    places = (size - 1, size, 2 * PAGE - 1, 2 * PAGE)
    return Case(
        asks="Three pages of the letter A, which is byte 65. The file is cut within page 1, then grows again."
        f" **What is each of the bytes {', '.join(map(str, places))}?**",
        program=f"""
fd = m.os.memfd_create("notes")
m.os.pwrite(fd, b"A" * {3 * PAGE}, 0)
m.os.ftruncate(fd, {size})
m.os.ftruncate(fd, {3 * PAGE})
got = m.os.pread(fd, {3 * PAGE}, 0)
""",
        read=lambda run: {place: run.names["got"][place] for place in places},
        rule="Whole pages past the end leave the page cache. Of the last page, the bytes past the end are zeroed.",
        look="Play it, and stop in the first `ftruncate`: what happens to frame 0x16, what to frame 0x17?",
        mistakes=("cut-leaves-the-tail", "cut-is-a-number"),
    )


@ask(chapter=2, objective=5)
def huge_and_small(seed: Seed) -> Case:
    """Three bytes are written with huge pages asked for, one of them beside a small page."""
    small, beside = seed.among((9, 8), (9, 15), (12, 8), (15, 10), (11, 13))
    alone, again = seed.among((5, 2), (0, 7), (1, 6), (7, 3))
    order = seed.among((alone, beside, again), (beside, alone, again), (alone, again, beside))
    writes = "\n".join(f'm.os.pwrite(fd, b"h", {page * PAGE})' for page in order)
    return Case(
        asks=f"A file has page {small} written. Then huge pages are asked for. A huge page is eight pages here."
        f" One byte each goes into the pages {', '.join(map(str, order))}."
        " **How many pages does each of the last three lines add to the page cache?**",
        program=f"""
fd = m.os.memfd_create("notes")
m.os.pwrite(fd, b"s", {small * PAGE})
m.huge(True)
{writes}
""",
        read=lambda run: added(pages_after(run), 1, 3),
        rule="A huge page covers eight pages whose first index is a multiple of eight, if all eight slots are empty.",
        look="Play it. How often does each `pwrite` come to `shmem_alloc_and_add_folio()`?",
        mistakes=("huge-or-nothing", "huge-when-filled"),
        misread={"huge pages wherever one writes": lambda _: [0 if page == again else 8 for page in order]},
    )


def added(counts: list[int], after: int, lines: int) -> list[int]:
    """By how much each of `lines` counts is above the one before; a line that was not reached adds nothing."""
    found = [new - old for old, new in pairwise(counts[after:])]
    return [*found, *[0] * lines][:lines]


@ask(chapter=2, objective=1)
def one_program(seed: Seed) -> Case:
    """The pages of a file after each call of a program that does all that this chapter is about."""
    first, second, third = pages = seed.some((2, 5, 1, 4, 3), 3)
    cut = seed.among(max(pages), min(pages), sorted(pages)[1])
    return Case(
        asks="Eight pages, and all that you have seen. **How many pages does the page cache hold after each of the last"
        " seven lines?**",
        program=f"""
fd = m.os.memfd_create("notes")
view = m.mmap(fd, {8 * PAGE})
m.os.ftruncate(fd, {8 * PAGE})
m.os.pwrite(fd, b"data", {first * PAGE})
m.os.pread(fd, {8 * PAGE}, 0)
view[{second * PAGE}]
m.os.posix_fallocate(fd, {third * PAGE}, {PAGE})
m.os.ftruncate(fd, {cut * PAGE})
""",
        read=pages_after,
        rule=EVERYBODY + " A cut takes the whole pages past it.",
        look="Play it, and go from call to call with Page Down.",
        mistakes=("read-fills-a-hole", "load-leaves-a-hole", "promise-is-a-number", "cut-is-a-number"),
    )
