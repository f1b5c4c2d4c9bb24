"""Chapter 00, its closing questions and the exercise by hand."""

from __future__ import annotations

from khosim.run.history import History
from khosim.state import handover
from khosim.state.blocks import load_block
from khosim.teach.case import PAGE, Case, Played
from khosim.teach.chapters.ch00 import FIRST_USE, TEXTS, knows
from khosim.teach.question import ask
from khosim.teach.seed import Seed
from khosim.teach.task import by_hand

__all__: list[str] = []


@ask(chapter=0, objective=1, check=True)
def three_moments(seed: Seed) -> Case:
    """Find three steps in a recording."""
    pages, asked = seed.number_from(2, 5), seed.among(1, 0)
    return Case(
        asks=f"Play it, and find three steps. **When does page {asked} get its block, when does the second kernel"
        f" begin, and when is page {asked} in a page cache again?**",
        program=f"""
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
m.os.pwrite(fd, b"A" * {pages * PAGE}, 0)
m = m.kexec()
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
m.os.pread(fd, 1, {asked * PAGE})
""",
        read=lambda run: {
            "block": run.history.why("block", index=asked).t,
            "second kernel": run.history.kexecs[0],
            "cached again": run.history.why("cache", index=asked).t,
        },
        rule="A step belongs to the moment at which its change can be seen: the place was empty one step before.",
        look='`predict("three-moments").play()`, and Page Down goes from call to call. Or ask `why(...)`.',
        mistakes=("opened-whole", "saved-at-kexec", "back-by-copy"),
    )


@ask(chapter=0, objective=2, check=True)
def marked_and_written(seed: Seed) -> Case:
    """Frames with a bit, and frames with your bytes."""
    pages, plain = seed.number_from(1, 4), seed.number_from(1, 3)
    return Case(
        asks="**After the kexec, how many frames have the PFN bit, and how many of them are pages of a file?** The"
        " figure of *See it* shows how many have the bit beside a single page.",
        program=f"""
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
m.os.pwrite(fd, b"A" * {pages * PAGE}, 0)
m.os.pwrite(m.os.memfd_create("plain"), b"B" * {plain * PAGE}, 0)
m = m.kexec()
""",
        read=marked,
        rule="A bit has each page of a file with the flag, and each frame of the handover and of the block list.",
        look="Play it, press End, and count the marked corners. Which of these frames does a block name?",
        mistakes=("every-file-crosses",),
        misread={"only pages are marked": lambda run: {**marked(run), "bits": marked(run)["pages"]}},
    )


def marked(run: Played) -> dict[str, int]:
    """How many frames have a bit at the end, and how many of those a block of any file names."""
    s = run.history.seek(run.history.steps)
    blocks = [load_block(s, file.inode, index) for file in handover.files(s) for index in range(s.config.nblocks)]
    return {"bits": int(sum(map(bool, s.bits))), "pages": sum(map(bool, blocks))}


@ask(chapter=0, objective=2, check=True)
def when_is_it_held(seed: Seed) -> Case:
    """A page across two kexecs."""
    first, second, asked = seed.among((0, 1, 1), (0, 1, 0), (1, 2, 2), (1, 0, 1), (2, 0, 0), (0, 2, 1), (2, 1, 2))
    return Case(
        asks=f"Three pages, two kexecs. **After which of the lines 3 to 8 is page {asked} held: in no page cache,"
        " but named by a block?**",
        program=f"""
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
m.os.pwrite(fd, b"A" * {3 * PAGE}, 0)
m = m.kexec()
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
m.os.pread(fd, 1, {first * PAGE})
m = m.kexec()
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
m.os.pread(fd, 1, {second * PAGE})
""",
        read=lambda run: {
            f"{n} {call.name}": knows(run, call.last, asked) == {"block", "bit"}
            for n, call in enumerate(run.history.calls[2:], 3)
        },
        rule=FIRST_USE + " Each kexec empties the page cache again.",
        look="Play it, and go from call to call with Page Down.",
        mistakes=("opened-whole", "read-brings-all", *(("back-means-gone",) if first == asked else ())),
    )


@ask(chapter=0, objective=3, check=True)
def one_at_a_time(seed: Seed) -> Case:
    """How many pages come back, line by line."""
    a, b, c = seed.some((0, 2, 1, 3), 3)
    return Case(
        asks="Four pages cross a kexec. **How many are in the page cache after each of the lines 3 to 7?**",
        program=f"""
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
m.os.pwrite(fd, b"A" * {4 * PAGE}, 0)
m = m.kexec()
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
m.os.pread(fd, 1, {a * PAGE})
m.os.pread(fd, {seed.among(2, PAGE)}, {seed.among(b, a) * PAGE})
m.os.pwrite(fd, b"B", {c * PAGE})
""",
        read=lambda run: {
            f"{n} {call.name}": int(run.history.seek(call.last).inode.nrpages[0])
            for n, call in enumerate(run.history.calls[2:], 3)
        },
        rule=FIRST_USE,
        look="Play it, and watch the slots below the page cache.",
        mistakes=("opened-whole", "read-brings-all"),
    )


HAPPENS = {"block": "block_set", "taken back": "restore", "cached": "cache_add"}


@ask(chapter=0, objective=3, check=True)
def what_has_happened(seed: Seed) -> Case:
    """Which steps a program has."""
    flag = seed.among(", khosim.MFD_KHO", "")
    text = seed.among(*TEXTS)
    lines = ("m = m.kexec()", f'fd = m.os.memfd_create("guest"{flag})', f"m.os.pread(fd, {len(text)}, 0)")
    played = seed.among(2, 3, 1, 0)
    program = "\n".join(lines[:played])
    return Case(
        asks="**Which of these happen while the program runs: a page's block is set, a held page is taken back,"
        " a page joins a page cache?**",
        program=f"""
fd = m.os.memfd_create("guest"{flag})
m.os.pwrite(fd, b"{text}", 0)
{program}
""",
        read=lambda run: {kind for kind in HAPPENS if HAPPENS[kind] in steps(run.history)},
        options=tuple(HAPPENS),
        rule="A block is set when the page is written, if its file has the flag. It is taken back when it is used.",
        look="Play it. `block_set`, `restore` and `cache_add` are the names of the three steps.",
        mistakes=("every-file-crosses",) if not flag else ("saved-at-kexec",) if not played else (),
        misread={"nothing is done before the kexec": lambda _: set()},
    )


def steps(trace: History) -> set[str]:
    """The names of all steps of a recording."""
    return {trace[t].step.name for t in range(1, len(trace)) if trace[t].step}  # type: ignore[union-attr]


@by_hand(chapter=0, objective=2, hints=(
    "Page Down takes you to the first step of a call. One step before it, the call before has ended.",
    '`exercise("a-table-of-calls").play()` is a recording. `trace.seek(call.last)` is the machine after a call.',
))  # fmt: skip
def a_table_of_calls(seed: Seed) -> Case:
    """What holds of a page after each call."""
    text = seed.among(*TEXTS)
    last = seed.among("m.os.pread(fd, 1, 0)", 'm.os.pwrite(fd, b"H", 0)', "m.os.fstat(fd)",
                      "m.os.pread(fd, 1, 0)\nm.os.ftruncate(fd, 0)")  # fmt: skip
    return Case(
        asks="Take paper. Draw a row for each call, and three columns: slot 0 of the page cache, block 0, the PFN bit"
        " of its frame. **What is there after each call?** A row is a list such as `[1, 0, 0]`, 1 for what is there.",
        program=f"""
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
m.os.pwrite(fd, b"{text}", 0)
m = m.kexec()
fd = m.os.memfd_create("guest", khosim.MFD_KHO)
{last}
""",
        read=lambda run: {
            f"{n} {call.text.partition('(')[0]}": [
                int(place in knows(run, call.last, 0)) for place in ("cache", "block", "bit")
            ]
            for n, call in enumerate(run.history.calls, 1)
        },
        rule="Bits and blocks lie in preserved frames, a page cache is a kernel's own. " + FIRST_USE,
        look="Play it, and compare your table with the figure, call by call.",
        mistakes=("saved-at-kexec",) if "fstat" in last else ("saved-at-kexec", "opened-whole")
        if "truncate" in last else ("saved-at-kexec", "opened-whole", "back-means-gone"),
    )  # fmt: skip
