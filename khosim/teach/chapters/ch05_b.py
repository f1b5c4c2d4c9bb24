"""Chapter 05, "First touch": the closing questions, and exercises of four grades."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from khosim.run.history import History
from khosim.state.mem_map import PG_locked
from khosim.teach.case import OPEN, Case, Played
from khosim.teach.chapters.ch05 import pages
from khosim.teach.question import ask
from khosim.teach.seed import Seed
from khosim.teach.task import by_hand, change, discuss, write_path

__all__: list[str] = []


@ask(chapter=5, objective=2, check=True)
def around_two_bytes(seed: Seed) -> Case:
    """P38: the rest of a page."""
    letter, written = seed.among(b"A", b"k", b"Z"), seed.among(b"xy", b"12", b"??")
    place = 64 * seed.among(1, 0, 2) + seed.among(20, 7, 33, 50)
    return Case(
        asks="Three pages are held. Two bytes are written into one of them. **What are the two bytes, with two before"
        " and two behind?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, {letter!r} * 192, 0)
m = m.kexec()
{OPEN}
m.os.pwrite(fd, {written!r}, {place})
got = m.os.pread(fd, 6, {place - 2})
""",
        read=lambda run: run.names["got"],
        rule="A page taken back is uptodate before the write begins.",
        look="Play it, and compare the steps of `shmem_write_end()` with those of a write to a hole.",
        mistakes=("zero-the-rest",),
        misread={
            "the page comes back, and the write is lost": lambda _: letter * 6,
            "the write gets a fresh frame, and nobody fills the rest": lambda _: b"\xa5\xa5" + written + b"\xa5\xa5",
        },
    )


@ask(chapter=5, objective=3, check=True)
def pages_at_once(seed: Seed) -> Case:
    """P16: pages = 1."""
    read = seed.among((0, 5), (1, 6), (3, 7), (2, 4, 6), (0, 1, 7), (3, 4, 5))
    reads = "\n".join(f"m.os.pread(fd, 1, {64 * page})" for page in read)
    return Case(
        asks="This machine makes huge pages of eight pages wherever it may. One byte of an ordinary file is written."
        f" A KHO file has twelve held pages, and {len(read)} of its first eight are read."
        " **How many pages of each are in the page cache?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, bytes(12 * 64), 0)
m = m.kexec()
m.huge(True)
{OPEN}
plain = m.os.memfd_create("plain")
{reads}
m.os.pwrite(plain, b"!", {64 * seed.among(0, 3, 7)})
""",
        read=lambda run: {"KHO": run.names["m"].inode.nrpages[0], "ordinary": run.names["m"].inode.nrpages[1]},
        rule="The choice of an order is on the other branch. The helper has one folio of one page to give.",
        look="Play it, and stop where `shmem_alloc_and_add_folio()` calls the next function.",
        mistakes=("brings-the-file",),
        misread={
            "both files get huge pages": lambda _: {"KHO": 8, "ordinary": 8},
            "no file gets a huge page": lambda _: {"KHO": len(read), "ordinary": 1},
        },
    )


@ask(chapter=5, objective=3, check=True)
def frames_taken(seed: Seed) -> Case:
    """P16: who asks the allocator."""
    held = seed.number_from(2, 3)
    touches = [f"m.os.pread(fd, {held * 64}, 0)", "m.os.pread(fd, 1, 4 * 64)"]
    touches += seed.among(["m.os.pwrite(fd, b'!', 5 * 64)"], ["view[5 * 64] = 33"], ["view[5 * 64]"])
    touches += seed.among(["view[6 * 64]"], [], ["m.os.pwrite(fd, b'!', 6 * 64)"])
    program = "\n".join(seed.among(touches, touches[::-1]))
    return Case(
        asks=f"{'Two' if held == 2 else 'Three'} pages are held, and behind them the file is a hole."
        " **How many frames leave the allocator between `before` and the end?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, bytes({held} * 64), 0)
m = m.kexec()
{OPEN}
m.os.ftruncate(fd, 8 * 64)
view = m.mmap(fd, 8 * 64)
before = m.nr_free
{program}
""",
        read=lambda run: run.names["before"] - run.names["m"].nr_free,
        rule="A held page has its frame. A hole that is read by a call stays a hole, by a fault it is filled.",
        look="Play it, and count the steps of `alloc_pages()` behind the last `mmap`.",
        mistakes=("fill-every-hole",),
        misread={"a page that comes back takes a frame": lambda _: held + len(touches) - 2},
    )


@ask(chapter=5, objective=4, check=True)
def what_the_file_counts(seed: Seed) -> Case:
    """P36: a file counts what was touched."""
    touched = seed.some([3, 0, 1, 4], seed.number_from(2, 3))
    reads = "\n".join(f"m.os.pread(fd, 1, {512 * page})" for page in [*touched, seed.among(5, 6, 7)])
    return Case(
        asks="A page has 512 bytes on this machine, as many as a block of `st_blocks`. Five pages are held, then comes"
        " a hole. **What is `st_blocks` at the end?**",
        program=f"""
{OPEN}
m.os.ftruncate(fd, 8 * 512)
m.os.pwrite(fd, bytes(5 * 512), 0)
m = m.kexec()
{OPEN}
m.os.ftruncate(fd, 8 * 512)
{reads}
blocks = m.os.fstat(fd).st_blocks
""",
        read=lambda run: run.names["blocks"],
        rule="A page is counted when it is brought in, and a hole that is read brings none in.",
        look="Play it, and look for the steps of `shmem_inode_acct_blocks()`.",
        mistakes=("brings-the-file", "fill-every-hole"),
        misread={"nothing is allocated, so nothing is counted": lambda _: 0,
                 "the file has eight pages": lambda _: 8},
        shape={"page_size": 512},
    )  # fmt: skip


def references(run: Played) -> dict[str, int]:
    """The references of the frame of each page."""
    trace = run.history
    frames = [trace.why("block", index=index, t=trace.kexecs[-1] - 1).new for index in range(4)]
    return {f"page {index}": run.names["m"].page.refcount[pfn] for index, pfn in enumerate(frames)}


@by_hand(
    chapter=5,
    objective=2,
    hints=("Who drops a reference later, and when? A call that has returned holds none.",
           "A held frame has one from the boot. The page cache takes one, and each entry of a page table one."),
)  # fmt: skip
def count_the_references(seed: Seed) -> Case:
    """A table of references, filled in by hand."""
    untouched, read, loaded, twice = seed.among((3, 0, 1, 2), *permutations(range(4)))
    return Case(
        asks="Take paper. A row for each page, a column for each call below. Write the references of the page's frame."
        " **How many has each in the end?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, bytes(4 * 64), 0)
m = m.kexec()
{OPEN}
one, two = m.mmap(fd, 4 * 64), m.mmap(fd, 4 * 64)
m.os.pread(fd, 1, {64 * read})
one[{64 * loaded}]
one[{64 * twice}] = 33
two[{64 * twice}]
""",
        read=references,
        rule="One from the page cache or the boot, and one for each mapping that has the page.",
        look="The panel of a frame shows `refs` at each step.",
        misread={
            "a frame that is held has no references": lambda run: references(run) | {f"page {untouched}": 0},
            "a read keeps the reference that it took": lambda run: references(run) | {f"page {read}": 2},
            "a mapping takes no reference": lambda _: dict.fromkeys(pages(4), 1),
        },
    )


@change(
    chapter=5,
    objective=4,
    hints=("Fault-around maps what it finds in the page cache. Who can put a neighbour there?",
           "`khosim.boot(fault_around=4)`; a `pread` behind the kexec; then one load of the page beside it."),
)  # fmt: skip
def one_load_maps_two(trace: History) -> Iterator[tuple[int, str]]:
    """Record a run with a kexec, in whose last kernel one load maps two pages and brings back one of them."""
    if not trace.kexecs:
        yield trace.steps, "There is no kexec in it."
        return
    loads = [call for call in trace.calls if call.text.startswith("map[") and call.first > trace.kexecs[-1]]
    steps = [[trace[t].step for t in range(call.first, call.last + 1)] for call in loads]
    names = [[step.name for step in found if step] for found in steps]
    if not loads:
        yield trace.steps, "The last kernel touches no mapping."
    elif not any(found.count("map") + found.count("map_around") == 2 for found in names):
        yield loads[-1].last, "No load maps two pages: this one maps another number."
    elif not any("map_around" in found and found.count("restore") == 1 for found in names):
        yield loads[-1].last, "No load maps one page from the page cache and brings back the other."


LINES = (
    f"m = m.kexec(); {OPEN}; page = None",
    "page = 0; got = m.os.pread(fd, 64, 0)",
    "page = 1; got = m.os.pread(fd, 10, 70)",
    "page = 3; got = m.os.pread(fd, 64, 192)",
    "page = None; m.os.pwrite(fd, b'!', 150)",
)


@write_path(
    chapter=5,
    objective=4,
    hints=("`shmem_get_folio()` with SGP_READ brings back a held page. What it gives you is locked and referenced.",
           "Call `PATHS['shmem_file_read_iter']` first. Then look one page up, `folio_unlock()` and `folio_put()` it."),
    paths=("shmem_file_read_iter",),
    lines=LINES,
    most=3,
    start=f"{OPEN}; m.os.pwrite(fd, b'A' * 128, 0); m.os.pwrite(fd, b'D' * 192, 192); page = None",
)  # fmt: skip
def read_ahead(run: Played) -> Iterator[str]:
    """The patch brings back what is touched and no more. Write a read that looks one page ahead.

    Give `shmem_file_read_iter()` a body that reads as before. Then, if the page behind the last one it read is held, it
    brings that page back too. A hole stays a hole, and no lock or reference is left behind.
    """
    m, page = run.names["m"], run.names["page"]
    frames = [m.slots[index] for index in range(6)]
    if page is not None and frames[page] < 0:
        yield f"Page {page} was read, and is not in the page cache."
    if page is not None and page + 1 in (1, 4) and frames[page + 1] < 0:
        yield f"Page {page} was read, and page {page + 1} behind it is still held."
    if run.error:
        yield f"The program gets an error it would not get before: {run.error}."
    for index, pfn in enumerate(frames):
        if pfn >= 0 and m.page.flags[pfn] & PG_locked:
            yield f"Page {index} is left locked."
        if pfn >= 0 and m.page.refcount[pfn] != 1:
            yield f"Page {index} has {m.page.refcount[pfn]} references, not the page cache's one."


@discuss(
    chapter=5,
    objective=4,
    hints=("Look at the time axis: what has happened when the first program of the new kernel runs?",
           "Compare the charge, the faults and the errors of a guest that maps all its memory, before and after."),
)  # fmt: skip
def lazy_for_whom() -> None:
    """A host holds 512 GiB of guest memory in KHO files, and its kernel is replaced under running guests.

    Who is better off because pages come back on first touch, and who is worse off? Name a cost that somebody else would
    have paid if every page had come back at boot, and one that nobody would have paid.
    """
