"""Chapter 05, "First touch": exercises of four grades."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from khosim.run.history import History
from khosim.teach.beside import differences, ends_otherwise
from khosim.teach.case import OPEN, Case, Played
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


BOTH = f'{OPEN}; two = m.os.memfd_create("two", khosim.MFD_KHO); got = {{}}'
READS = {f"got[{place}] = m.os.pread(fd, {count}, {place})": f"m.os.pread(fd, 1, {after})"
         for place, count, after in ((0, 64, 64), (70, 10, 128), (200, 100, 320), (330, 200, 384))}  # fmt: skip
READS["got['two'] = m.os.pread(two, 64, 0)"] = "m.os.pread(two, 1, 64)"
"""Each line that reads, and a read of the page after its last one."""


def looked_ahead(program: str) -> str:
    """The program, with a read of the page that each read should bring back besides."""
    return "\n".join(f"{line}; {READS[line]}" if line in READS else line for line in program.split("\n"))


@write_path(
    chapter=5,
    objective=4,
    hints=("`shmem_get_folio(m, ino, index, SGP_READ)` gives (folio, error): a folio locked and referenced, or None.",
           "Call `PATHS['shmem_file_read_iter']` first. Then look one page up, `folio_unlock()` and `folio_put()` it."),
    paths=("shmem_file_read_iter",),
    lines=(
        f"m = m.kexec(); {BOTH}",
        *READS,
        "m.os.pwrite(fd, b'!', 150)",
        "m.os.ftruncate(fd, 1088); m.os.pread(fd, 1, 1024)",
    ),
    most=3,
    start=f"{BOTH}\nm.os.pwrite(fd, b'A' * 128, 0); m.os.pwrite(fd, b'D' * 192, 192); m.os.pwrite(two, b'T' * 128, 0)",
)  # fmt: skip
def read_ahead(run: Played) -> Iterator[str]:
    """The patch brings back what is touched and no more. Write a read that looks one page ahead.

    Give `shmem_file_read_iter()` a body that reads as before. Then, if the page after the last one it read is held, it
    brings that page back too, and no other. A hole stays a hole, and no lock or reference is left. There are
    two files with held pages, and one of them has a hole at page 2. Every short program is tried that reads from them,
    writes a byte into the hole, or goes through a kexec. A read of page 16, past the block list, fails as before.
    """
    ahead = looked_ahead(run.program)
    yield from ends_otherwise(run, ahead)
    yield from differences(run, ahead)


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
