"""Chapter 03, the exercises: paper, a lost page, a path of the kernel, a thought."""

from __future__ import annotations

from collections.abc import Iterator

from khosim.errors import KernelFailure
from khosim.kernel.shmem_kho import ENOMEM
from khosim.run.history import History
from khosim.run.scheduler import Choice
from khosim.scenarios.scenario import Phase
from khosim.state.handover import metadata
from khosim.state.snapshot import Snapshot
from khosim.teach.case import OPEN, Case, Played
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


WRITE = "`pwrite(fd, b'hi', 64)`"
STOPPED: Phase = {"cpu0": [("pwrite", (3, 2, b"hi", 64))], "cpu1": [("kexec", ())]}
FOUND: tuple[Phase, ...] = ({"cpu0": [("memfd_create", ("guest", 0x80))]}, {"cpu0": [("pread", (3, 64, 64))]})


def stopped(before: Snapshot, t: int, alone: History) -> History:
    """The write of `alone`, a kexec after its step `t`, and what the next kernel reads: to be shown."""
    stage = session(before.config, before.variants)
    stage.machine.load_buffer(before.buffer)
    trace = stage.record("the write, stopped by a kexec")
    choices = iter([*alone.choices[: alone[t].position], Choice("cpu1"), Choice("cpu1")])
    for calls in (STOPPED, *FOUND):
        stage.together(calls, choices)
    stage.stop()
    trace.start = t
    return trace


def write_and_stop(run: Played) -> Iterator[str | tuple[str, History]]:
    """One more write of two bytes to page 1, stopped by a kexec after each of its steps; and refused its memory."""
    m = run.names["m"]
    before = m.snapshot()
    with m.record("one more write") as trace:
        m.os.pwrite(run.names["fd"], b"hi", 64)
    for moment in trace:
        found = found_by_next(moment.snapshot, 64, 64)
        if set(found) - set(b"\0hiA"):
            words = f"After the program below, {WRITE} is stopped by a kexec, after step {moment.t}: {moment.sentence}"
            words += f" The next kernel reads {found[:4].hex(' ').upper()} in page 1."
            yield words, stopped(before, moment.t, trace)
    if found and not found.startswith(b"hi"):
        yield f"After the program below, {WRITE} returns, a kexec comes, and the next kernel does not read `hi`.", trace
    fresh = not kho_words(before)[2]  # the block of page 1
    for t, choice in [(at, choice) for at in range(trace.steps) for choice in trace.alternatives(at)]:
        if fresh and choice.answer == -ENOMEM:
            refused = trace.fork(t, choice)
            after = refused.seek(refused.steps)
            if words_of(after, metadata(before)) != words_of(before, metadata(before)):
                words = f"After the program below, {WRITE} is refused memory after step {t}."
                yield words + " The handover's words are not what they were before.", refused


@write_path(
    chapter=3, objective=5,
    hints=(
        "Which bytes are in the frame when the block is stored? Who could make them harmless before that?",
        "`PATHS['shmem_alloc_folio']` gives a frame, `khosim.state.phys.fill` fills one. Yield a `Step` after that.",
    ),
    paths=("shmem_alloc_folio", "shmem_alloc_kho_folio", "shmem_write_end"),
    start=OPEN, lines=("m.os.ftruncate(fd, 192)", "m.os.pwrite(fd, b'A', 128)", "m.os.pwrite(fd, b'AA', 64)",
                       f"m = m.kexec(); {OPEN}"), most=2,
)  # fmt: skip
def no_block_before_its_bytes(run: Played) -> Iterator[str | tuple[str, History]]:
    """A kexec may come between any two steps, and the next kernel must not read a byte that nobody wrote.

    Write `shmem_alloc_folio()` so that this holds. After each program that is tried, two more bytes are written to
    page 1. A kexec stops that write after each of its steps. Page 1 may then be a hole, or zeroes, or hold
    what was written. Where memory for a fresh page is refused, no word of the handover may change.

    You may also replace `shmem_alloc_kho_folio()` or `shmem_write_end()`: give a dict.
    """
    if run.error is not None:
        yield f"The program ends early: {run.error}."
        return
    try:
        yield from write_and_stop(run)
    except (OSError, KernelFailure) as error:
        yield f"After the program below, {WRITE} fails, or a read after a kexec: {error}."


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
