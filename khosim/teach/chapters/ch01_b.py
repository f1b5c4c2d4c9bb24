"""Chapter 01, its closing questions and the exercise by hand."""

from __future__ import annotations

from khosim.state import handover
from khosim.state.blocks import load_block
from khosim.state.machine import MachineState
from khosim.state.phys import FRESH
from khosim.teach.case import PAGE, Case, Played
from khosim.teach.chapters.ch01 import SAME_PATH, references, text_of
from khosim.teach.question import ask
from khosim.teach.seed import Seed
from khosim.teach.task import by_hand

__all__: list[str] = []

FIRST = 0x15
"""The first free frame of a machine that has just booted, behind the handover's own."""
SCRATCH = 8
"""Frames that a small machine sets aside for the next kernel."""


@ask(chapter=1, objective=1, check=True)
def who_has_a_reference(seed: Seed) -> Case:
    """References at the end of a program."""
    maps = seed.number_from(1, 3)
    touched = seed.among(1, 0)
    text = text_of(seed)
    touch = f"views = [m.mmap(fd, {PAGE}) for n in range({maps})]\n" + "views[0][0]\n" * touched
    return Case(
        asks="**How many references has the frame of page 0 at the end?**",
        program=f"""
fd = m.os.memfd_create("mapped")
m.os.pwrite(fd, b"{text}", 0)
{touch}""",
        read=lambda run: references(run, -1)[-1],
        rule="The page cache has one. A mapping takes one when it is touched, not when it is made.",
        look="Play it, click the frame, and press End.",
        misread={"each mapping has one": lambda _: 2 + maps},
    )


@ask(chapter=1, objective=2, check=True)
def the_next_frame(seed: Seed) -> Case:
    """Which of some freed frames is given out."""
    one, two = seed.number_from(2, 4), seed.number_from(2, 4)
    first = seed.among("one", "two")
    second = "two" if first == "one" else "one"
    return Case(
        asks="The frames 0x15 to 0x17, then 0x18 on, are free at first. Two files are written, both are closed."
        " **Which frame does the next page get, and which byte fills that frame until then?**",
        program=f"""
one = m.os.memfd_create("one")
two = m.os.memfd_create("two")
m.os.pwrite(one, bytes({PAGE * one}), 0)
m.os.pwrite(two, bytes({PAGE * two}), 0)
m.os.close({first})
m.os.close({second})
m.os.pwrite(m.os.memfd_create("next"), b"x", 0)
""",
        read=given_out,
        rule={"frame": "The frame that was freed last is given out first.", "byte": "A freed frame is poisoned."},
        look="Play it: which frame is the last to be freed? Click it there.",
        mistakes=("oldest-first", "freed-is-zeroed"),
        misread={"a new frame's byte is there before": lambda run: {**given_out(run), "byte": FRESH}},
    )


def given_out(run: Played) -> dict[str, int]:
    """The frame that the last page gets, and what it is full of before the last line."""
    trace = run.history
    frame = next(int(pfn) for pfn in run.names["m"].slots if pfn >= 0)
    closed = max(call.last for call in trace.calls if call.text.startswith("close"))
    return {"frame": frame, "byte": int(trace.seek(closed).arrays["phys"][frame][0])}


@ask(chapter=1, objective=3, check=True)
def bits_and_blocks(seed: Seed) -> Case:
    """Bits and blocks, between a bit and its block."""
    pages, grows = seed.number_from(1, 4), seed.among(True, False)
    last = f'm.os.pwrite(fd, b"x", {PAGE * pages})' if grows else f"m.os.ftruncate(fd, {PAGE * (pages - 1)})"
    return Case(
        asks="In the last line one frame's bit changes, and one block. Stop between the two. **How many frames have a"
        " PFN bit there, and how many blocks name a frame?**",
        program=f"""
fd = m.os.memfd_create("kept", khosim.MFD_KHO)
m.os.pwrite(fd, bytes({PAGE * pages}), 0)
m.os.pwrite(m.os.memfd_create("lost"), bytes({PAGE * 3}), 0)
{last}
""",
        read=between,
        rule="The bit goes first, up and down. The handover has nine bits of its own here, a KHO inode three.",
        look="Play the last call. Stop where a corner has changed and the block list has not.",
        mistakes=("a-bit-for-every-file", "names-before-marks" if grows else "block-before-its-bit"),
        misread={"only pages have bits": lambda run: {**between(run), "bits": between(run)["bits"] - 12}},
    )


def between(run: Played) -> dict[str, int]:
    """How many bits are set and how many blocks name a frame, where the last call has changed the first of the two."""
    trace = run.history
    span = trace.calls[-1]
    seen = [counted(trace.seek(t)) for t in range(span.first - 1, span.last + 1)]
    return next(found for found in seen if found != seen[0])


def counted(m: MachineState) -> dict[str, int]:
    """How many bits are set, and how many blocks name a frame."""
    blocks = [load_block(m, file.inode, n) for file in handover.files(m) for n in range(m.config.nblocks)]
    return {"bits": len(handover.preserved(m)), "blocks": sum(map(bool, blocks))}


@ask(chapter=1, objective=4, check=True)
def does_it_survive(seed: Seed) -> Case:
    """A page that may lie in scratch."""
    left = seed.among(8, 9, 12, 6, 4, 10, 2)
    return Case(
        asks=f"Eight frames of this machine are scratch. Another file fills all but {left} frames. **How many bytes has"
        " the file `kept` after the kexec?**",
        program=f"""
fd = m.os.memfd_create("kept", khosim.MFD_KHO)
m.os.pwrite(m.os.memfd_create("other"), bytes((m.nr_free - {left}) * {PAGE}), 0)
m.os.pwrite(fd, b"keep me", 0)
m = m.kexec()
size = m.os.fstat(m.os.memfd_create("kept", khosim.MFD_KHO)).st_size
""",
        read=lambda run: run.names["size"],
        rule="A page goes to scratch when all else is full. A handover with a page there is refused (B35).",
        look="Play it: which frame does the page of `kept` get?",
        misread={"a page crosses wherever it lies": lambda _: 7}
        if left <= SCRATCH
        else {"where memory is short, a page goes to scratch": lambda _: 0},
    )


HAPPENS = {"alloc": "alloc", "bit": "bit_set", "block": "block_set", "back": "restore", "cache": "cache_add"}


@ask(chapter=1, objective=5, check=True)
def fresh_or_back(seed: Seed) -> Case:
    """Which steps the last call has."""
    text = text_of(seed)
    last = seed.among("m.os.pread(fd, 1, 0)", f'm.os.pwrite(fd, b"new", {PAGE})', 'm.os.pwrite(fd, b"new", 0)',
                      f"m.os.posix_fallocate(fd, {PAGE}, {PAGE})")  # fmt: skip
    return Case(
        asks="**Which of these happen in the last line: a frame is allocated, a bit set, a block set, a page taken"
        " back, a page added to the page cache?**",
        program=f"""
fd = m.os.memfd_create("kept", khosim.MFD_KHO)
m.os.pwrite(fd, b"{text}", 0)
m = m.kexec()
fd = m.os.memfd_create("kept", khosim.MFD_KHO)
{last}
""",
        read=happened,
        options=tuple(HAPPENS),
        rule=SAME_PATH + " What differs comes before: a fresh frame gets bit and block.",
        look="Play it, and stop in the last call, in `shmem_alloc_kho_folio()`.",
        misread={"it is the same path, step for step": lambda _: set(HAPPENS)},
    )


def happened(run: Played) -> set[str]:
    """Which steps the last call has."""
    trace = run.history
    span = trace.calls[-1]
    names = {getattr(trace[t].step, "name", "") for t in range(span.first, span.last + 1)}
    return {word for word, name in HAPPENS.items() if name in names}


@by_hand(chapter=1, objective=2, hints=(
    "The smallest block that is large enough is taken. The lower half is given out.",
    "The buddy of a block of `size` frames at `pfn` is at `pfn ^ size`.",
))  # fmt: skip
def three_blocks(seed: Seed) -> Case:
    """Take three blocks, give one back, take another."""
    a, b, c = seed.among((2, 1, 2), (1, 2, 2), (2, 2, 1), (3, 2, 1), (1, 3, 2), (2, 3, 1), (1, 1, 2))
    again = seed.among("first", "second")
    return Case(
        asks="Free blocks: 1 at 0x15, 2 at 0x16, 8 at 0x18, 32 at 0x20. On paper, take three blocks of"
        f" {1 << a}, {1 << b} and {1 << c} frames. Give the {again} back, and take one of 2 frames."
        " **At which frame does each of the four begin?** `take_block(m, 2, ...)` takes 4 frames, 2 to the power of 2,"
        " none of them from scratch.",
        program=f"""
from khosim.state.buddy import free_block, take_block
first = take_block(m, {a}, cma=False)
second = take_block(m, {b}, cma=False)
third = take_block(m, {c}, cma=False)
free_block(m, {again}, {a if again == "first" else b})
fourth = take_block(m, 1, cma=False)
""",
        read=lambda run: {word: int(run.names[word]) for word in ("first", "second", "third", "fourth")},
        rule="The smallest block that is large enough is halved, and its lower half given out. Free buddies join.",
        look="Write the free lists after each line.",
        misread={"blocks lie side by side, from the first free frame on": lambda _: side_by_side(a, b, again)},
    )


def side_by_side(a: int, b: int, again: str) -> dict[str, int]:
    """Where the four would begin if an allocator had no buddies."""
    found = {"first": FIRST, "second": FIRST + (1 << a), "third": FIRST + (1 << a) + (1 << b)}
    return found | {"fourth": found[again]}
