"""Chapter 04, its exercises of four grades."""

from __future__ import annotations

from collections.abc import Iterator

from khosim.kernel.shmem_kho import EFBIG
from khosim.run.history import History
from khosim.teach.case import OPEN, PAGE, Case, Played
from khosim.teach.chapters.ch04 import CALLS, MODES_RULE, ways
from khosim.teach.seed import Seed
from khosim.teach.task import by_hand, change, discuss, write_path

__all__: list[str] = []

SGPS = ("SGP_READ", "SGP_NOALLOC", "SGP_CACHE", "SGP_WRITE", "SGP_FALLOC")


@by_hand(chapter=4, objective=2, hints=(
    "For each page ask in this order: a frame in the slot? A place in swap? A block? If not, may the caller allocate?",
    '`exercise("eight-lookups").play()`. A page whose slot is filled already gets no frame: that is `nothing` here.',
))  # fmt: skip
def eight_lookups(seed: Seed) -> Case:
    """Eight pages of four kinds, each asked for once."""
    places = seed.among((0, 1, 2, 3, 4, 5, 6, 7), (7, 3, 5, 0, 6, 1, 4, 2), (2, 6, 1, 7, 0, 4, 3, 5),
                        (5, 0, 7, 4, 2, 6, 1, 3), (3, 4, 0, 6, 7, 2, 5, 1), (6, 7, 3, 2, 1, 5, 0, 4))  # fmt: skip
    acts = ("reads", "continues", "loads", "reads", "continues", "continues", "writes", "promises")
    cached, swapped = places[7], places[5]
    data = "\n".join(f'm.os.pwrite(fd, b"A", {PAGE * page})' for page in sorted((*places[3:7], cached)))
    lines = "\n".join(f"with suppress(OSError, khosim.BusError): {CALLS[act].format(page)}"
                      for page, act in sorted(zip(places, acts, strict=True)))  # fmt: skip
    return Case(
        asks="Eight pages: holes, held pages, one in swap, one in the page cache. On paper, make a table of the pages"
        " and what each is after `swap_out`. Then follow the last eight lines. **How does each page come into the page"
        " cache within them: `restored`, `new`, `swapped in`?** If its slot stays as it is, say `nothing`.",
        program=f"""
from contextlib import suppress
{OPEN}
{data}
m = m.kexec()
{OPEN}
m.os.ftruncate(fd, {8 * PAGE})
m.os.pread(fd, 1, {PAGE * swapped}), m.os.pread(fd, 1, {PAGE * cached})
m.swapon(), m.swap_out(fd, {swapped})
view, watched = m.mmap(fd, {8 * PAGE}), m.mmap(fd, {8 * PAGE})
watched.uffd_register("minor")
{lines}
""",
        read=lambda run: ways(run, 8) | {f"page {cached}": "nothing"},
        rule=MODES_RULE + " From swap a page comes back for everybody.",
        look='`trace.why("cache", index=...)` finds the step that filled a slot.',
        options=("restored", "new", "swapped in", "nothing"),
        mistakes=("reader-fills", "monitor-fills", "fault-is-refused", "swapped-is-a-hole"),
    )


@change(chapter=4, objective=2, hints=(
    "Which five calls bring the five modes? The loop on the table names them.",
    "Each mode needs a held page of its own: after its first use a page is no longer held.",
))  # fmt: skip
def five_modes_one_way(trace: History) -> Iterator[tuple[int, str]]:
    """Record a run in which a held page comes back in each of the five modes.

    Five pages come back, one for SGP_READ, one for SGP_NOALLOC, one for SGP_CACHE, one for SGP_WRITE and one for
    SGP_FALLOC. After the kexec no page of the file may be made new, and no call may fail. Record the kexec too.
    """
    if not trace.kexecs:
        yield trace.steps, "There is no kexec in this recording."
        return
    asked: int | None = None
    came: list[int] = []
    for moment in trace.moments[trace.kexecs[-1] :]:
        name = moment.step.name if moment.step else ""
        asked = moment.step.args["sgp"] if moment.step and name == "kho_alloc" else asked
        if name == "restore" and asked is not None:
            came.append(asked)
        if name in ("new_folio", "kho_alloc_err"):
            yield moment.t, "A page that was asked for here has no block."
    for sgp, word in enumerate(SGPS):
        if came.count(sgp) != 1:
            yield trace.steps, f"{word} brought back {came.count(sgp)} pages, and should bring back one."
    for call in trace.calls:
        if isinstance(call.result, int) and call.result < 0:
            yield call.last, f"{call.text} fails: {call.result}."


@write_path(
    chapter=4,
    objective=2,
    hints=(
        "The bound is tested before anybody asks who asks. Which two modes could be told of a hole there?",
        'The kernel\'s own is `khosim.steps.PATHS["shmem_alloc_kho_folio"]`, and `m.config.nblocks` is the bound.',
    ),
    paths=("shmem_alloc_kho_folio",),
    start=OPEN,
    lines=(
        f'm.os.pwrite(fd, b"A", {2 * PAGE})',
        f"m.os.ftruncate(fd, {20 * PAGE})",
        f"m.os.ftruncate(fd, {17 * PAGE})",
        f"m = m.kexec(); {OPEN}",
    ),
    most=3,
)
def a_hole_past_the_list(run: Played) -> Iterator[str]:
    """In the table a whole row is EFBIG, for readers too. Change two of its cells (B21).

    A hole past the block list shall read as zeroes, as it does in an ordinary file. Whoever must not allocate shall
    be told that there is no page. Whoever wants a page there shall get EFBIG, as before. Write
    `shmem_alloc_kho_folio(m, ino, index, sgp)`, a generator that may call the kernel's own.
    """
    m, fd = run.names["m"], run.names["fd"]
    if run.error is not None:
        yield f"A call fails: {run.error}."
    last = m.config.nblocks * PAGE
    m.os.ftruncate(fd, last + 2 * PAGE)
    try:
        if m.os.pread(fd, PAGE, last) != bytes(PAGE):
            yield f"A read of page {m.config.nblocks}, past the list, does not give zeroes."
    except OSError as error:
        yield f"A read of page {m.config.nblocks}, past the list, fails: {error.strerror}."
    try:
        m.os.pwrite(fd, b"w", last)
        yield f"A write to page {m.config.nblocks} succeeds, and no block can name its page."
    except OSError as error:
        if error.errno != EFBIG:
            yield f"A write to page {m.config.nblocks} fails with: {error.strerror}."
    held = m.os.pread(fd, 1, 2 * PAGE)
    m.os.pwrite(fd, b"w", 3 * PAGE)
    if held not in (b"A", b"\0") or m.os.pread(fd, 1, 3 * PAGE) != b"w":
        yield "Pages within the list are no longer what they were."


@discuss(
    chapter=4,
    objective=1,
    hints=(
        "A slot can hold something that is no folio. Swap does it, and all who walk the page cache know of that.",
        "Which walks does chapter 00 name? What would each do with such a slot, and who would have to fill the slots?",
    ),
)
def tell_the_page_cache() -> None:
    """The patch asks the block list after a miss. Everybody else asks the page cache alone, and sees a hole.

    Suppose that the new kernel put a mark into the slot of each held page, as swap does. Who would then see that the
    page exists? What would that cost, and when? Which code would have to learn about the mark?
    """
