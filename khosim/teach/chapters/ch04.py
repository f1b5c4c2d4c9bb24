"""Chapter 04, "Not in the cache is not nowhere": what is predicted in its five loops."""

from __future__ import annotations

from collections.abc import Iterable

from khosim.run.history import History
from khosim.steps import Step
from khosim.teach.case import OPEN, PAGE, Case, Played
from khosim.teach.question import ask
from khosim.teach.seed import Seed

__all__ = ["CALLS", "MODES_RULE", "attempts", "each_once", "four_kinds", "ways"]

MODES_RULE = "A held page comes back for everybody. At a hole, SGP_READ and SGP_NOALLOC get nothing, the others a page."
CALLS = {
    "reads": f"m.os.pread(fd, 1, {PAGE} * {{0}})",
    "continues": "watched.uffd_continue({0})",
    "loads": f"view[{PAGE} * {{0}}]",
    "writes": f'm.os.pwrite(fd, b"w", {PAGE} * {{0}})',
    "promises": f"m.os.posix_fallocate(fd, {PAGE} * {{0}}, {PAGE})",
}
"""The five modes, each as a program has it asked for: what it does to a page -> a line."""


def each_once(acts: Iterable[tuple[int, str]]) -> str:
    """The lines that do to each page what `CALLS` says, in the order of the pages, whatever fails."""
    lines = "\n".join(f"    lambda: {CALLS[act].format(page)}," for page, act in sorted(acts))
    return f"for ask in (\n{lines}\n):\n    with suppress(OSError, khosim.BusError):\n        ask()"


def four_kinds(cached: int, swapped: int, held: int) -> str:
    """The program that makes three of four pages what they are called, and has a monitor register a mapping."""
    written = "\n".join(f'm.os.pwrite(fd, b"A", {PAGE * page})' for page in sorted((cached, swapped, held)))
    return f"""
{OPEN}
{written}
m = m.kexec()
{OPEN}
m.os.ftruncate(fd, {4 * PAGE})
m.os.pread(fd, 1, {PAGE * cached}), m.os.pread(fd, 1, {PAGE * swapped})
m.swapon()
m.swap_out(fd, {swapped})
view = m.mmap(fd, {4 * PAGE})
view.uffd_register("minor")
"""


def steps(trace: History, first: int, last: int, *names: str) -> list[Step]:
    """The steps of these names between two moments of a recording."""
    found = [trace[t].step for t in range(first, last + 1)]
    return [step for step in found if step and step.name in names]


def ways(run: Played, count: int) -> dict[str, str]:
    """How each of the first pages of a file came into the page cache within the last recorded kernel, if it did."""
    trace, m = run.history, run.names["m"]
    start = trace.kexecs[-1] if trace.kexecs else 0
    words = {"restore": "restored", "new_folio": "new", "swap_in": "swapped in"}
    came = {step.args["index"]: words[step.name] for step in steps(trace, start, trace.steps, *words)}
    return {f"page {page}": came.get(page, "nothing") if m.slots[page] >= 0 else "nothing" for page in range(count)}


def attempts(trace: History, lines: int) -> list[int]:
    """How often each of the last calls comes to the function that brings a page in; a call that was not made, never."""
    found = [len(steps(trace, call.first, call.last, "alloc_and_add")) for call in trace.calls[-lines:]]
    return [*found, *[0] * lines][:lines]


@ask(chapter=4, objective=1)
def who_reaches_the_list(seed: Seed) -> Case:
    """P20, P37: a read of cached, held and empty pages."""
    kinds = seed.among("ch h ", "hc  h", "chhh ", "cc h ", "c   h", "cch h", " h cc", "h ccc")
    text = "".join("A" if kind != " " else "\\0" for kind in kinds)
    written = "\n".join(f'm.os.pwrite(fd, b"A", {PAGE * n})' for n in range(5) if text.replace("\\0", " ")[n] == "A")
    cached = "\n".join(f"m.os.pread(fd, 1, {PAGE * n})" for n in range(5) if kinds[n] == "c")
    return Case(
        asks="A file of five pages has crossed a kexec. Some pages are in the page cache, some held, some holes."
        " Then all five are read at once. **How many of them does the last line look up in the block list, and how many"
        " are in the page cache then?**",
        program=f"""
{OPEN}
{written}
m = m.kexec()
{OPEN}
m.os.ftruncate(fd, {5 * PAGE})
{cached}
m.os.pread(fd, {5 * PAGE}, 0)
""",
        read=lambda run: {"looked up": looked_up(run.history), "cached": int(run.names["m"].inode.nrpages[0])},
        rule="Every miss of a KHO file goes to the block list, a hole too. Only a block that names a frame has a page.",
        look="Play it, and stop in the last call wherever `shmem_alloc_kho_folio()` is on the stack.",
        mistakes=("miss-is-a-hole", "reader-fills"),
        misread={"only held pages are looked up": lambda run: {
            "looked up": kinds.count("h"), "cached": int(run.names["m"].inode.nrpages[0])}},
    )  # fmt: skip


def looked_up(trace: History) -> int:
    """How many pages the last call looks up in the block list."""
    last = trace.calls[-1]
    return len(steps(trace, last.first, last.last, "kho_alloc"))


@ask(chapter=4, objective=2)
def five_callers(seed: Seed) -> Case:
    """P04, P08: the five modes, at blocks and at holes."""
    places = seed.among((0, 1, 2, 3, 4, 5), (3, 5, 0, 1, 2, 4), (5, 2, 4, 0, 3, 1), (1, 4, 3, 5, 0, 2),
                        (4, 0, 5, 2, 1, 3))  # fmt: skip
    acts = ("reads", "continues", "loads", "reads", "writes", "promises")
    held = {places[3], *seed.among((places[4],), (places[5],), (), places[4:])}
    written = "\n".join(f'm.os.pwrite(fd, b"A", {PAGE * page})' for page in sorted(held))
    return Case(
        asks="Six pages, some held, some holes. Each is asked for once: by a read, a monitor's `uffd_continue`, a load,"
        " a write or a promise. **How did each page come into the page cache, if it did?**",
        program=f"""
from contextlib import suppress
{OPEN}
{written}
m = m.kexec()
{OPEN}
m.os.ftruncate(fd, {6 * PAGE})
view, watched = m.mmap(fd, {6 * PAGE}), m.mmap(fd, {6 * PAGE})
watched.uffd_register("minor")
{each_once(zip(places, acts, strict=True))}
""",
        read=lambda run: ways(run, 6),
        rule=MODES_RULE,
        look="Which mode does each caller bring? The step *Page ... is not in the page cache* has it.",
        options=("restored", "new", "nothing"),
        mistakes=("reader-fills", "monitor-fills", "fault-is-refused", "miss-is-a-hole"),
    )


@ask(chapter=4, objective=3)
def asked_for_twice(seed: Seed) -> Case:
    """P03: one page of four is promised, and all are read."""
    promised = seed.among(1, 0, 2, 3)
    others = [page for page in range(4) if page != promised]
    first, second, third = others
    order = seed.among([first, promised, second, third], [promised, *others], [third, first, promised, second])
    written = "\n".join(f'm.os.pwrite(fd, b"A", {PAGE * page})' for page in others)
    reads = "\n".join(f"m.os.pread(fd, 1, {PAGE * page})" for page in order)
    return Case(
        asks=f"Three pages are written, page {promised} is promised. There is no kexec. Then all are read, in the order"
        f" {', '.join(map(str, order))}. **Which of the reads return?**",
        program=f"""
{OPEN}
{written}
m.os.posix_fallocate(fd, {PAGE * promised}, {PAGE})
{reads}
""",
        read=lambda run: {f"page {page}": n < returned(run.history) for n, page in enumerate(order)},
        rule="A reader passes by what is not uptodate, and the block hands out the page that is in the page cache.",
        look="Play it to the end. Which frame does the block name, and where was this frame before?",
        mistakes=("claimed-once",),
        misread={"only the reader of the promised page waits": lambda _: {
            f"page {page}": page != promised for page in order}},
    )  # fmt: skip


def returned(trace: History) -> int:
    """How many of the reads of a recording came back."""
    return sum(call.name == "pread" and call.result is not None for call in trace.calls)


@ask(chapter=4, objective=4)
def the_slot_is_taken(seed: Seed) -> Case:
    """P22, P23, P24: attempts, with one insertion that finds the slot taken."""
    first, second = seed.among((0, 1), (2, 0), (3, 1), (1, 2))
    taken = seed.among(1, 0, 2)
    kho = [f'm.os.pwrite(fd, b"a", {PAGE * first})', f'm.os.pwrite(fd, b"b", {PAGE * second})']
    lines = [*kho, 'm.os.pwrite(plain, b"c", 0)']
    return Case(
        asks="Huge pages are asked for. Two pages of a KHO file are written, with `a` and `b`. A page of an ordinary"
        " file is written with `c`, beside a small page. Suppose that the first insertion of the write of"
        f" `{'abc'[taken]}` finds the slot taken: error EEXIST, once. **How often does each of these three writes come"
        " to `shmem_alloc_and_add_folio()`?**",
        program="\n".join((
            "", OPEN, 'plain = m.os.memfd_create("plain")', f'm.os.pwrite(plain, b"s", {5 * PAGE})', "m.huge(True)",
            *lines, "")),
        read=lambda run: dict(zip("abc", attempts(with_slot_taken(run.history, taken), 3), strict=True)),
        rule="EEXIST begins the lookup again. An ordinary file may try a huge page first, a KHO file never does.",
        look='`trace.alternatives(t)` shows where an insertion can fail; `trace.fork(t, "cpu0=-17")` lets it.',
        mistakes=("taken-is-an-error",),
        misread={"a KHO file tries a huge page first": lambda run: {
            line: n + (line != "c")
            for line, n in zip("abc", attempts(with_slot_taken(run.history, taken), 3), strict=True)}},
    )  # fmt: skip


def with_slot_taken(trace: History, line: int) -> History:
    """The run as it would be if one of the last three calls found the slot taken at its first insertion."""
    call = trace.calls[-3:][line]
    at = next(t for t in range(call.first, call.last) if "cpu0=-17" in map(str, trace.alternatives(t)))
    return trace.fork(at, "cpu0=-17")


@ask(chapter=4, objective=5)
def is_the_monitor_told(seed: Seed) -> Case:
    """P40: a mapping registered for minor faults, and four kinds of pages."""
    cached, swapped, held, hole = seed.some((0, 1, 2, 3), 4)
    return Case(
        asks="A monitor registers a mapping for minor faults."
        f" After a kexec page {cached} is in the page cache, {swapped} in swap, {held} held, {hole} a hole."
        " **Of which loads is the monitor told?**",
        program=f"""{four_kinds(cached, swapped, held)}told = set()
for page in range(4):
    try:
        view[page * {PAGE}]
    except khosim.BusError:
        told.add(page)
""",
        read=lambda run: {f"page {page}": page in run.names["told"] for page in range(4)},
        rule="A minor fault is told if the slot holds a frame or a place in swap. The block list is not asked.",
        look="Play it: which loads reach `handle_userfault()`, and what was in their slots?",
        mistakes=("monitor-hears-of-held",),
        misread={
            "only a frame counts as found": lambda _: {f"page {page}": page == cached for page in range(4)},
            "the monitor is told of every fault": lambda _: {f"page {page}": True for page in range(4)},
        },
    )
