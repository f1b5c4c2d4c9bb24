"""Chapter 03, the exercises: paper, a lost page, a path of the kernel, a thought."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from khosim.errors import Endless, KernelFailure
from khosim.kernel.shmem_kho import ENOMEM
from khosim.run.history import History
from khosim.run.scheduler import Choice
from khosim.scenarios.scenario import Phase
from khosim.state.handover import metadata
from khosim.teach.beside import before, last_line
from khosim.teach.case import OPEN, Case, Played, play
from khosim.teach.chapters.ch03 import FOUR, found_by_next, kho_words, words_of
from khosim.teach.recorded import is_write, name_of_fd, open_file
from khosim.teach.seed import Seed
from khosim.teach.task import by_hand, change, discuss, write_path
from khosim.user.machine import session

__all__: list[str] = []


def written_down(run: Played) -> dict[str, int]:
    """The KHO inode at the end, and what the bitmap's first word gained since the file was made."""
    s, before = run.history.seek(run.history.steps), run.history.seek(run.history.calls[0].last)
    size, *blocks = kho_words(s)
    bitmap = s.bitmap_phys // 8
    return (
        {"size": size}
        | {f"block {n}": start for n, start in enumerate(blocks)}
        | {"bits": s.words[bitmap] - before.words[bitmap]}
    )


@by_hand(
    chapter=3, objective=2,
    hints=(
        "A block is the frame's number times 64, and stands at the index of its page.",
        "A frame's bit is worth 2 to the power of the frame's number. Two pages, two bits: add them.",
    ),
)  # fmt: skip
def handover_by_hand(seed: Seed) -> Case:
    """The KHO inode and the bits, as numbers."""
    one, two = seed.among((3, 1), (2, 0), (2, 1), (3, 0), (3, 2), (1, 0))
    more = seed.among(10, 30, 64 - 5)

    return Case(
        asks="Take paper, and play these calls. Frame 0x16 is given out first, then 0x17. **Which numbers does the KHO"
        " inode hold at the end, and by how much has the bitmap's word grown since the file was made?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, b"A", {64 * one})
m.os.pwrite(fd, b"B", {64 * two})
m.os.pwrite(fd, b"again", {64 * one + more})
""",
        read=written_down,
        rule=lambda entry: {
            "size": "A write past the end stores where it ended.",
            "bits": "Each frame of a page has one bit, at the frame's number.",
        }.get(entry, "A block is for the page of its index, and holds a physical address or zero."),
        look="Print the five words of the KHO inode, and the word at `m.bitmap_phys // 8`.",
        mistakes=("block-holds-pfn", "blocks-in-order"),
        misread={},
        shape=FOUR,
    )


FOUND_BYTES = b"found"


@change(
    chapter=3, objective=4,
    hints=(
        "Some calls make a file longer without a word to the KHO inode. A write inside such a file makes a page.",
        "Who knows how long the file was can say so again, in the second kernel, with `ftruncate`.",
    ),
)  # fmt: skip
def out_of_reach(trace: History) -> Iterator[tuple[int, str]]:
    """Record a run across one kexec, in which a page of `guest` gets lost and is found again.

    When the second kernel has opened `guest`, one of its blocks names a page that lies past the end of the file.
    From then on nothing is written, by no call and through no mapping. The last call is a `pread` that returns
    `b"found"`, out of that very page.
    """
    if len(trace.kexecs) != 1:
        yield trace.steps, f"It has {len(trace.kexecs)} kexecs."
        return
    second = [call for call in trace.calls if call.first > trace.kexecs[0]]
    opened = next((call.last for call in second if open_file(trace.seek(call.last), "guest") is not None), None)
    if opened is None:
        yield trace.steps, "The second kernel opens no file `guest` with the flag."
        return
    page = trace.seek(opened).page_size
    size, *blocks = kho_words(trace.seek(opened), "guest")
    past = [index for index, start in enumerate(blocks) if start and index * page >= size]
    if not past:
        yield opened, f"The file is opened with {size} bytes, and no block names a page past that."
    if writes := [call for call in second if call.first > opened and is_write(call)]:
        yield writes[0].first, "The second kernel writes."
    last = trace.calls[-1]
    if last.name != "pread" or not last.result or last.result[0] != FOUND_BYTES:
        yield trace.steps, "The last call is no `pread` that returns `b'found'`."
        return
    pages = {place // page for place in range(last.args[2], last.args[2] + len(FOUND_BYTES))}
    if name_of_fd(trace.seek(last.last), last.args[0]) != "guest" or not pages <= {*past}:
        yield last.last, "What was read is not from a page of `guest` that was past the end."


WRITES = {f"m.os.pwrite(fd, {data!r}, {pos})": (data, pos) for data, pos in ((b"A", 130), (b"hi", 64))}
ALL = 256
"""Bytes that are read of the file: more than it has."""


@lru_cache
def read_as_posted(program: str) -> bytes:
    """What the next kernel reads of the file, if nobody has changed a path."""
    return found_by_next(play(program).names["m"].snapshot(), ALL, 0)


def stopped(alone: History, t: int, page: int) -> History:
    """The write of `alone`, a kexec after its step `t`, and what the next kernel reads of a page: to be shown."""
    before, write = alone.seek(0), alone.calls[0]
    stage = session(before.config, before.variants)
    stage.machine.load_buffer(before.buffer)
    trace = stage.record("the write, stopped by a kexec")
    choices = iter([*alone.choices[: alone[t].position], Choice("cpu1"), Choice("cpu1")])
    phases: tuple[Phase, ...] = (
        {"cpu0": [(write.name, write.args)], "cpu1": [("kexec", ())]},
        {"cpu0": [("memfd_create", ("guest", 0x80))]},
        {"cpu0": [("pread", (3, 64, 64 * page))]},
    )
    with suppress(KernelFailure):  # it is in the recording
        for calls in phases:
            stage.together(calls, choices)
    stage.stop()
    trace.start = t
    return trace


def write_and_stop(run: Played) -> Iterator[str | tuple[str, History]]:
    """The last write of a program, stopped by a kexec after each of its steps; and refused its memory."""
    earlier = before(run)
    data, pos = WRITES[last_line(run)]
    m = earlier.names["m"]
    with m.record("the last write") as alone:
        m.os.pwrite(earlier.names["fd"], data, pos)
    may_read = [read_as_posted(program) for program in (earlier.program, run.program)]
    found = b""
    for moment in alone:
        words = f"The last write is stopped by a kexec, after step {moment.t}: {moment.sentence} The next kernel"
        try:
            found = found_by_next(moment.snapshot, ALL, 0)
        except (OSError, KernelFailure) as error:
            shown = alone if isinstance(error, Endless) else stopped(alone, moment.t, pos // 64)
            yield f"{words} cannot read the file: {error}.", shown
        if (page := strange(found, may_read)) is not None:
            here = found[64 * page :][:4].hex(" ").upper()
            yield f"{words} reads {here} in page {page}.", stopped(alone, moment.t, page)
    if found != may_read[1]:
        words = "The last write returns, a kexec comes, and the next kernel does not read what was written."
        yield words, stopped(alone, alone.steps, pos // 64)
    yield from refused(alone, pos // 64)


def strange(found: bytes, may_read: list[bytes]) -> int | None:
    """The first page that is neither as before nor as after, or not together with the others; None if all are."""
    first, last = (read.ljust(ALL, b"\0") for read in may_read)
    if first.startswith(found) or last.startswith(found):
        return None
    neither = (at for at, byte in enumerate(found) if byte not in (first[at], last[at]))
    return next(neither, next(at for at, byte in enumerate(found) if byte != last[at])) // 64


def refused(alone: History, page: int) -> Iterator[tuple[str, History]]:
    """The write of `alone`, refused its memory, if its page has no block yet."""
    before = alone.seek(0)
    for t, choice in [(at, choice) for at in range(alone.steps) for choice in alone.alternatives(at)]:
        if choice.answer == -ENOMEM and not kho_words(before)[1 + page]:
            other = alone.fork(t, choice)
            if words_of(other.seek(other.steps), metadata(before)) != words_of(before, metadata(before)):
                words = f"The last write is refused memory after step {t}."
                yield words + " The handover's words are not what they were before.", other


@write_path(
    chapter=3, objective=5,
    hints=(
        "Which bytes are in the frame when the block is stored? Who could make them harmless before that?",
        "`PATHS['shmem_alloc_folio']` gives a frame, `khosim.state.phys.fill` fills one. Yield a `Step` after that.",
    ),
    paths=("shmem_alloc_folio", "shmem_alloc_kho_folio", "shmem_write_end"),
    start=OPEN, lines=("m.os.ftruncate(fd, 192)", *WRITES, f"m = m.kexec(); {OPEN}"), most=3,
)  # fmt: skip
def no_block_before_its_bytes(run: Played) -> Iterator[str | tuple[str, History]]:
    """A kexec may come between any two steps, and the next kernel must not read a byte that nobody wrote.

    Write `shmem_alloc_folio()` so that this holds. Programs of up to three lines are tried: a line makes the file
    longer, writes to page 1 or 2, or is a kexec. If the last line is a write, a kexec stops it after each of its steps.
    The next kernel may then read the file as it was before the write, or as it is after it, and nothing else: a page
    that is new is a hole, or zeroes, or holds what was written. Where memory for a fresh page is refused, no word of
    the handover may change.

    You may also replace `shmem_alloc_kho_folio()` or `shmem_write_end()`: give a dict.
    """
    if run.error is not None:
        yield f"The program fails: {run.error}."
    elif last_line(run) in WRITES:
        yield from write_and_stop(run)


@discuss(
    chapter=3, objective=5,
    hints=(
        "What must be done at the kexec in each case, and how long does it take if the file has a TiB?",
        "Who can change the file while the lists are being written? And what must every write pay?",
    ),
)  # fmt: skip
def when_to_write_it_down() -> None:
    """The patch keeps its lists up to date on every allocation. One could also write them once, at the end.

    That takes a walk over the page cache, shortly before the kexec. What does each way cost, when, and whom? What must
    be stopped, and for how long? Which would you choose?
    """
