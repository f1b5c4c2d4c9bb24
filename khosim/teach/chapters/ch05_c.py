"""Chapter 05, "First touch": exercises of four grades."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from khosim.run.history import History
from khosim.state.blocks import load_block
from khosim.state.mem_map import PG_locked
from khosim.state.phys import load
from khosim.teach.case import OPEN, PAGE, Case, Played
from khosim.teach.chapters.ch05 import pages
from khosim.teach.seed import Seed
from khosim.teach.task import by_hand, change, discuss, write_path

__all__: list[str] = []


def references(run: Played) -> dict[str, int]:
    """The references of the frame of each page."""
    trace = run.history
    frames = [trace.why("block", index=index, t=trace.kexecs[-1] - 1).new for index in range(4)]
    return {f"page {index}": run.names["m"].page.refcount[pfn] for index, pfn in enumerate(frames)}


@by_hand(
    chapter=5,
    objective=2,
    hints=("Who drops a reference later, and when? A call that has returned holds none.",
           "A touch takes the boot's over: a call drops it, a fault leaves it to the page table. The cache adds one."),
)  # fmt: skip
def count_the_references(seed: Seed) -> Case:
    """A table of references, filled in by hand."""
    untouched, read, loaded, twice = seed.among((3, 0, 1, 2), *permutations(range(4)))
    return Case(
        asks="Take paper. A row for each page, a column for each call below. Write the references of the page's frame."
        " A fault maps one page here, without its neighbours. **How many has each in the end?**",
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
            "the boot's reference stays beside the page cache's": lambda run: {
                page: count + (page != f"page {untouched}") for page, count in references(run).items()
            },
        },
    )


AROUND = 4


@change(
    chapter=5,
    objective=4,
    hints=("Fault-around maps what it finds in the page cache. Who can put a neighbour there?",
           "`khosim.boot(fault_around=4)`; a `pread` after the kexec; then one load of the page beside it."),
)  # fmt: skip
def one_load_maps_two(trace: History) -> Iterator[tuple[int, str]]:
    """Record a run with a kexec in it, on a machine that was booted with `fault_around=4`.

    In its last kernel one load shall map two pages, and bring back one of them.
    """
    around = trace.seek(0).config.fault_around
    if around != AROUND:
        yield 0, f"This machine was booted with `fault_around={around}`."
    if not trace.kexecs:
        yield trace.steps, "There is no kexec in it."
        return
    touches = [call for call in trace.calls if call.text.startswith("map[") and call.first > trace.kexecs[-1]]
    loads = [call for call in touches if " = " not in call.text]
    steps = [[trace[t].step for t in range(call.first, call.last + 1)] for call in loads]
    names = [[step.name for step in found if step] for found in steps]
    counts = [found.count("map") + found.count("map_around") for found in names]
    if not loads:
        yield trace.steps, f"The last kernel {'only stores' if touches else 'loads nothing'} through a mapping."
    elif 2 not in counts:
        yield loads[-1].last, f"No load maps two pages: this one maps {counts[-1]}."
    elif not any("map_around" in found and found.count("restore") == 1 for found in names):
        yield loads[-1].last, "No load maps one page from the page cache and brings back the other."


READS = {0: 64, 70: 10, 200: 100, 330: 200}
"""How many bytes are read, by the place at which they are read."""
HOLE, MARK = 2, 150
WRITTEN = b"A" * 128 + bytes(64) + b"D" * 192


@write_path(
    chapter=5,
    objective=4,
    hints=("`shmem_get_folio(m, ino, index, SGP_READ)` gives (folio, error): a folio locked and referenced, or None.",
           "Call `PATHS['shmem_file_read_iter']` first. Then look one page up, `folio_unlock()` and `folio_put()` it."),
    paths=("shmem_file_read_iter",),
    lines=(
        f"m = m.kexec(); {OPEN}; got = {{}}",
        *(f"got[{place}] = m.os.pread(fd, {count}, {place})" for place, count in READS.items()),
        f"m.os.pwrite(fd, b'!', {MARK})",
    ),
    most=3,
    start=f"{OPEN}; m.os.pwrite(fd, b'A' * 128, 0); m.os.pwrite(fd, b'D' * 192, 192); got = {{}}",
)  # fmt: skip
def read_ahead(run: Played) -> Iterator[str]:
    """The patch brings back what is touched and no more. Write a read that looks one page ahead.

    Give `shmem_file_read_iter()` a body that reads as before. Then, if the page after the last one it read is held, it
    brings that page back too, and no other. A hole stays a hole, and no lock or reference is left. Every short
    program is tried that reads, writes a byte into the hole at page 2, or goes through a kexec.
    """
    m, got = run.names["m"], run.names["got"]
    if run.error:
        yield f"The program gets an error it would not get before: {run.error}."
    frames = [m.slots[index] for index in range(len(WRITTEN) // PAGE)]
    for index, pfn in enumerate(frames):
        if pfn >= 0 and m.page.flags[pfn] & PG_locked:
            yield f"Page {index} is left locked."
        if pfn >= 0 and m.page.refcount[pfn] != 1:
            yield f"Page {index} has {m.page.refcount[pfn]} references, not the page cache's one."
    if frames[HOLE] >= 0 and load(m, frames[HOLE], MARK - HOLE * PAGE, 1) != b"!":
        yield f"Page {HOLE} is a hole, and has a frame in the page cache."
    touched = {HOLE}
    for place, data in got.items():
        if data.replace(b"!", b"\0") != WRITTEN[place : place + READS[place]]:
            yield f"The read of {READS[place]} bytes at {place} does not give what it gave before."
        first, last = place // PAGE, (place + len(data) - 1) // PAGE
        touched |= {*range(first, last + 2)}
        for index in range(first, min(last + 2, len(frames))):
            if frames[index] < 0 and load_block(m, m.inode.kho[0], index):
                yield f"The read of {READS[place]} bytes at {place} is done, and page {index} is still held."
    for index in {*range(len(frames))} - touched if m.boots > 1 else ():
        if frames[index] >= 0:
            yield f"Page {index} is back, and is not the one after what was read."


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
