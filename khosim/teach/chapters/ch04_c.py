"""Chapter 04, its exercises of four grades."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EFAULT

from khosim.config import MachineConfig
from khosim.kernel.shmem_kho import EFBIG, SGP_CACHE
from khosim.run.history import History
from khosim.teach.beside import differences, ending, ends_otherwise
from khosim.teach.case import OPEN, PAGE, Case, Played
from khosim.teach.chapters.ch04 import MODES_RULE, each_once, ways
from khosim.teach.recorded import failed
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
    return Case(
        asks="Eight pages: holes, held pages, one in swap, one in the page cache. On paper, make a table of the pages"
        " and what each is after `swap_out`. Then follow the eight calls of the loop. **How does each page come into"
        " the page cache by its call: `restored`, `new`, `swapped in`?** It is `nothing` if the slot stays as it is.",
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
{each_once(zip(places, acts, strict=True))}
""",
        read=lambda run: ways(run, 8) | {f"page {cached}": "nothing"},
        rule=MODES_RULE + " From swap a page comes back for everybody.",
        look='`trace.why("cache", index=...)` finds the step that filled a slot.',
        options=("restored", "new", "swapped in", "nothing"),
        mistakes=("reader-fills", "monitor-fills", "fault-is-refused", "swapped-is-a-hole"),
    )


@change(chapter=4, objective=2, hints=(
    "Which five calls bring the five modes? The question before the table has them all.",
    'Each mode needs a held page of its own. A monitor needs a mapping with `uffd_register("minor")`.',
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
            yield moment.t, "The page that is asked for here has no block, so it is not held."
    for sgp, word in enumerate(SGPS):
        if came.count(sgp) != 1:
            yield trace.steps, f"{word} brought back {came.count(sgp)} pages, and should bring back one."
    for call in trace.calls:
        if failed(call):
            yield call.last, f"`{call.text}` fails."


PAST = MachineConfig().nblocks
"""The first page that the block list has no room for."""
SIZE = (PAST + 2) * PAGE
BEGUN = f"who = got = None; {OPEN}"
ASKS = {
    "a read": "got = m.os.pread(fd, 1, {at})",
    "a monitor": "view = m.mmap(fd, {size}); view.uffd_register('minor'); got = view.uffd_continue({page})",
    "a load": "got = m.mmap(fd, {size})[{at}]",
    "a write": "got = m.os.pwrite(fd, b'w', {at})",
    "a promise": "got = m.os.posix_fallocate(fd, {at}, 64)",
}


def line(who: str, page: int) -> str:
    """The line of a program in which somebody asks for a page."""
    return f"who = {who!r}, {page}; " + ASKS[who].format(at=PAGE * page, page=page, size=SIZE)


@write_path(
    chapter=4,
    objective=2,
    hints=(
        "The bound is tested before anybody asks who asks. Which two modes could be told of a hole there?",
        'The kernel\'s own is `khosim.steps.PATHS["shmem_alloc_kho_folio"]`, and `m.config.nblocks` is the bound.',
    ),
    paths=("shmem_alloc_kho_folio",),
    start=f"{BEGUN}\nm.os.pwrite(fd, b'A', {PAGE * (PAST - 1)})\nm.os.ftruncate(fd, {SIZE})",
    lines=(
        f"m = m.kexec()\n{BEGUN}\nm.os.ftruncate(fd, {SIZE})",
        *(line(who, page) for who in ASKS for page in (PAST - 1, PAST)),
        *(line(who, 3) for who in ("a read", "a monitor", "a load", "a write")),
        *(line(who, PAST + 1) for who in ("a read", "a monitor")),
    ),
    most=2,
)
def a_hole_past_the_list(run: Played) -> Iterator[str]:
    """In the table a whole row is EFBIG, for readers too. Change two of its cells (B21).

    Page 15 has the last block of the list, and page 16 none. A read of page 16 shall give zeroes, as in an ordinary
    file. A monitor shall be told that there is no page: your function answers ENOENT, and its program gets EFAULT. So
    for each page past the list. For the other modes your function answers EFBIG, as before. Up to page 15 nothing
    changes. Write `shmem_alloc_kho_folio(m, ino, index, sgp)`, a generator that may call the kernel's own.
    """
    who, page = run.names["who"] or ("", 0)
    asked = f"{who.capitalize()} asks for page {page}" if who else "The program ends early"
    hole = page >= PAST and who in ("a read", "a monitor")
    if hole and who == "a read" and (run.error or run.names["got"] != b"\0"):
        yield f"{asked} and {ending(run)}."
    if hole and who == "a monitor" and getattr(run.error, "errno", 0) != EFAULT:
        yield f"{asked} and {ending(run)}."
    # A read of such a hole leaves nothing, and the posted kernel's program would end there.
    posted = "\n".join(told for told in run.program.split("\n") if told not in READS_PAST)
    if not hole:
        yield from ends_otherwise(run, posted, f"{asked} and")
    if who == "a load" and page >= PAST and (error := answered(run, page, SGP_CACHE)) != -EFBIG:
        yield f"{asked}, and your function answers {error}, not {-EFBIG}, which is EFBIG."
    yield from differences(run, posted)


READS_PAST = [line("a read", page) for page in (PAST, PAST + 1)]


def answered(run: Played, page: int, sgp: int) -> int:
    """What the reader's function answers, asked once more after a run."""
    m = run.names["m"]
    path = m.variants["shmem_alloc_kho_folio"](m, 0, page, sgp)
    while True:
        try:
            next(path)
        except StopIteration as end:
            return int(end.value)


@discuss(
    chapter=4,
    objective=1,
    hints=(
        "A slot can hold something that is no folio. Swap does it, and all who walk the page cache know of that.",
        "A cut walks the page cache, and so does SEEK_DATA. What would each do with such a slot? Who fills the slots?",
    ),
)
def tell_the_page_cache() -> None:
    """The patch asks the block list after a miss. Everybody else asks the page cache alone, and sees a hole.

    Suppose that the new kernel put a mark into the slot of each held page, as swap does. Who would then see that the
    page exists? What would that cost, and when? Which code would have to learn about the mark?
    """
