"""Chapter 01, frames, bits and a buddy: the questions of its loops."""

from __future__ import annotations

from itertools import groupby

from khosim.state.lists import free_area, list_walk
from khosim.teach.case import PAGE, Case, Played
from khosim.teach.question import ask
from khosim.teach.seed import Seed

__all__ = ["SAME_PATH", "references", "text_of"]

SAME_PATH = "A page taken back walks the path of a fresh one: lock, add, charge, queue."
PLACES = ("refcount", "mapping", "dirty", "lru", "bit", "block", "byte")


def text_of(seed: Seed) -> str:
    """What the kept file holds."""
    return seed.among("keep me", "stay", "this page", "mine")


def references(run: Played, call: int) -> list[int]:
    """How the refcount of the frame of page 0 goes in a call, from its first reference there on."""
    trace = run.history
    span = trace.calls[call]
    frame = trace.why("cache", index=0, t=span.last).new
    counts = [int(trace.seek(t).page.refcount[frame]) for t in range(span.first, span.last + 1)]
    return [count for count, _ in groupby(counts) if count]


@ask(chapter=1, objective=1)
def most_references(seed: Seed) -> Case:
    """How many references a frame has while one call runs."""
    text = text_of(seed)
    write, touch = f'm.os.pwrite(fd, b"{text}", 0)\n', f"m.mmap(fd, {PAGE})[0]\n"
    before = seed.among("", write, write + touch, write + 2 * touch)
    flag = seed.among(", khosim.MFD_KHO", "")
    return Case(
        asks="**How many references does the frame of page 0 have at most while the last line runs?**",
        program=f"""
fd = m.os.memfd_create("kept"{flag})
{before}m.os.pwrite(fd, b"more", 0)
""",
        read=lambda run: max(references(run, -1)),
        rule="Whoever needs the frame takes a reference: the page cache, the queue for the LRU, a mapping, a call.",
        look="Play it, click the frame, and watch `refs` in the last call.",
        misread={"only the page cache has references": lambda _: 1},
    )


@ask(chapter=1, objective=2)
def whole_again(seed: Seed) -> Case:
    """Whether a halved block is whole after its frames are freed."""
    pages = seed.among(12, 4, 11, 14, 8, 16, 13, 2)
    halved = pages > 11
    return Case(
        asks=f"The block of 32 frames is all memory from 0x20 on. A file grows to {pages} pages. Then it is closed,"
        " which frees them all. **Is the block of 32 on the allocator's list at the end?**",
        program=f"""
fd = m.os.memfd_create("pages")
for page in range({pages}):
    m.os.pwrite(fd, b"x", {PAGE} * page)
m.os.close(fd)
""",
        read=lambda run: 0x20 in list_walk(run.names["m"], free_area(run.names["m"], 0, 5)),
        rule="Freed frames go to the per-CPU list first, and the buddy allocator does not see them there.",
        look="How many frames are free below 0x20? Which page is the first to need the block of 32?",
        mistakes=("no-per-cpu-list",) if halved else (),
        misread={} if halved else {"a file's pages are taken out of the largest block": lambda _: False},
    )


@ask(chapter=1, objective=3)
def where_the_bit_is(seed: Seed) -> Case:
    """The word and the bit of a frame."""
    pages, frames, last = seed.among((1, 64, 0x1B), (50, 256, 0x73), (60, 256, 0x7D), (3, 256, 0x4D), (20, 256, 0x55),
                                     (2, 64, 0x15))  # fmt: skip
    return Case(
        asks=f"In a machine of {frames} frames, the last store to the PFN bitmap sets the bit of frame {last:#x}. **In"
        " which word, at which bit, and of how many frames does this store write the bit?**",
        program=f"""
fd = m.os.memfd_create("kept", khosim.MFD_KHO)
m.os.pwrite(fd, b"k" * {PAGE * pages}, 0)
""",
        read=last_bit,
        rule="The bit of frame `pfn` is bit `pfn % 64` of word `pfn // 64`, and memory has no single bits.",
        look="Play it to the last bit that is set. What does the step before the store read?",
        misread={"one bit is written alone": lambda run: {**last_bit(run), "written": 1}},
        shape={"frames": frames, "nblocks": 64} if frames > PAGE else {},
    )


def last_bit(run: Played) -> dict[str, int]:
    """Word, bit, and width of the last store that set a bit."""
    trace = run.history
    t = max(t for t in range(1, len(trace)) if getattr(trace[t].step, "name", "") == "bit_set")
    before, after = (list(trace.seek(at).bits) for at in (t - 1, t))
    pfn = next(pfn for pfn in range(len(after)) if before[pfn] != after[pfn])
    return {"word": pfn // 64, "bit": pfn % 64, "written": 8 * trace.seek(t).words.itemsize}


@ask(chapter=1, objective=4)
def still_as_left(seed: Seed) -> Case:
    """What of a frame the first kernel made."""
    text = text_of(seed)
    opened = 'fd = m.os.memfd_create("kept", khosim.MFD_KHO)\n'
    more = seed.among("", opened, f"{opened}m.os.pread(fd, 1, 0)\n", f'{opened}m.os.pwrite(fd, b"X", 0)\n',
                      f"{opened}m.mmap(fd, {PAGE})[0] = 88\n")  # fmt: skip
    return Case(
        asks="Look at the frame of page 0 at the end, and at its block. `byte` is the frame's first byte. **What was"
        " written by the first kernel, and by none after it?**",
        program=f"""
fd = m.os.memfd_create("kept", khosim.MFD_KHO)
m.os.pwrite(fd, b"{text}", 0)
m = m.kexec()
{more}""",
        read=of_the_first,
        options=PLACES,
        rule="A new kernel makes its struct pages anew. What lies in a preserved frame stays until it is written.",
        look='`trace.why("refcount", pfn=...)` and its like name the step. Which kernel made it?',
        misread={"the reference crosses": lambda run: of_the_first(run) | {"refcount"}},
    )


def of_the_first(run: Played) -> set[str]:
    """Which places of the frame of page 0 were made by the first kernel."""
    trace = run.history
    frame = trace.why("block", index=0).new
    places = {place: trace.why(place, pfn=frame) for place in PLACES if place != "block"}
    places["block"] = trace.why("block", index=0)
    return {place for place, cause in places.items() if trace[cause.t].kernel == 1}


@ask(chapter=1, objective=5)
def the_way_back(seed: Seed) -> Case:
    """How many references a page has that comes back, at most and at the end."""
    text = text_of(seed)
    lines = seed.among("m.os.pread(fd, 4, 0)", "view = m.mmap(fd, 64)\nview[0]", 'm.os.pwrite(fd, b"X", 0)',
                       "m.os.pread(fd, 1, 0)\nm.os.pread(fd, 1, 0)")  # fmt: skip
    return Case(
        asks="In `pwrite` the refcount of a fresh frame goes 1, 2, 3, 2, 1. In the second kernel it begins at 1 again,"
        " in no page cache, on no list. **How high does it get in the last call, and where does it end?**",
        program=f"""
fd = m.os.memfd_create("kept", khosim.MFD_KHO)
m.os.pwrite(fd, b"{text}", 0)
m = m.kexec()
fd = m.os.memfd_create("kept", khosim.MFD_KHO)
{lines}
""",
        read=walked,
        rule=SAME_PATH,
        look="Play it, click the frame, and walk the last call with the right arrow.",
        mistakes=("one-more-reference",),
        misread={"nobody needs it": lambda _: {"most": 1, "end": 1}},
    )


def walked(run: Played) -> dict[str, int]:
    """The most references to the frame of page 0 in the last call, and those that are left."""
    counts = references(run, -1)
    return {"most": max(counts), "end": counts[-1]}
