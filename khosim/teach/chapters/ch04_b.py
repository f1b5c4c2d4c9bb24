"""Chapter 04, its closing questions."""

from __future__ import annotations

from errno import errorcode

from khosim.run.history import History
from khosim.teach.case import OPEN, PAGE, Case
from khosim.teach.chapters.ch04 import attempts, four_kinds
from khosim.teach.question import ask
from khosim.teach.seed import Seed

__all__: list[str] = []


@ask(chapter=4, objective=3, check=True)
def what_a_block_says(seed: Seed) -> Case:
    """P08, P09, P10: a written page and a promised one cross."""
    letter = seed.among(b"A", b"k", b"Z", b"7")
    written, promised = seed.some((0, 1, 2), 2)
    return Case(
        asks=f"Page {written} is written, page {promised} is promised and never filled. After a kexec a byte of each is"
        " read. **What are the two bytes, and how many of the two pages are dirty?**"
        f" `{letter.decode()}` is {letter[0]}, A5 is 165, AA is 170. Page 3 makes the file long enough.",
        program=f"""
from khosim.state.mem_map import PG_dirty
{OPEN}
m.os.posix_fallocate(fd, {PAGE * promised}, {PAGE})
m.os.pwrite(fd, {letter!r}, {PAGE * written})
m.os.pwrite(fd, {letter!r}, {PAGE * 3})
m = m.kexec()
{OPEN}
one = m.os.pread(fd, 1, {PAGE * written})[0]
two = m.os.pread(fd, 1, {PAGE * promised})[0]
dirty = [bool(m.page.flags[m.slots[page]] & PG_dirty) for page in ({written}, {promised})]
""",
        read=lambda run: {
            "written": run.names["one"], "promised": run.names["two"], "dirty": sum(run.names["dirty"])},
        rule="A block is an address, and has no flags. Whatever it names comes back uptodate and dirty.",
        look="Play it: which two flags does `shmem_alloc_kho_folio()` set, and what does it ask before?",
        mistakes=("promise-is-remembered", "restored-is-clean"),
    )  # fmt: skip


@ask(chapter=4, objective=2, check=True)
def continue_on_each(seed: Seed) -> Case:
    """P28: a monitor continues on pages of four kinds."""
    cached, swapped, held, hole = seed.some((3, 1, 0, 2), 4)
    return Case(
        asks=f"After a kexec page {cached} is in the page cache, {swapped} in swap, {held} held, {hole} a hole. Now"
        " a monitor asks for each with `uffd_continue`, which brings SGP_NOALLOC. **Which errno does it get?"
        " 0 is none, 14 is EFAULT.**",
        program=f"""{four_kinds(cached, swapped, held)}errors = {{}}
for page in range(4):
    try:
        errors[page] = view.uffd_continue(page) or 0
    except OSError as error:
        errors[page] = error.errno
""",
        read=lambda run: {f"page {page}": errno for page, errno in run.names["errors"].items()},
        rule="SGP_NOALLOC gets what there is, in the page cache, in swap or in a block. At a hole it fails: EFAULT.",
        look="Play it: which of the four calls ends at *a hole*?",
        mistakes=("monitor-fills", "swapped-is-a-hole"),
        misread={"a held page is a hole to a monitor": lambda run: {
            f"page {page}": 14 if page in (held, hole) else 0 for page in run.names["errors"]}},
    )  # fmt: skip


@ask(chapter=4, objective=1, check=True)
def letters_and_frames(seed: Seed) -> Case:
    """P26, P27, P37: what a read brings, and what it costs."""
    kinds = seed.among("h hh", "hh h", " h  ", "h   ", " hhh", "  h ")
    written = "\n".join(f'm.os.pwrite(fd, b"A" * {PAGE}, {PAGE * n})' for n in range(4) if kinds[n] == "h")
    return Case(
        asks="A file of four pages crosses a kexec. Then all of it is read. **How many letters does the read bring, and"
        " how many free frames does it take?**",
        program=f"""
{OPEN}
{written}
m = m.kexec()
{OPEN}
m.os.ftruncate(fd, {4 * PAGE})
before = m.nr_free
letters = m.os.pread(fd, {4 * PAGE}, 0).count(b"A")
frames = before - m.nr_free
""",
        read=lambda run: {word: int(run.names[word]) for word in ("letters", "frames")},
        rule="A held page brings its own frame. A hole gives the reader success and no folio, and zeroes are copied.",
        look="Play it, and watch the slots and the free frames in the last call.",
        mistakes=("miss-is-a-hole", "reader-fills"),
        misread={"a page that comes back takes a free frame": lambda run: {
            "letters": run.names["letters"], "frames": kinds.count("h")}},
    )  # fmt: skip


@ask(chapter=4, objective=4, check=True)
def one_attempt_or_two(seed: Seed) -> Case:
    """P16, P19, P20, P22, P23: attempts of five lookups, with huge pages asked for."""
    one, other = seed.among((0, 9), (3, 12), (12, 9), (7, 23), (10, 14))
    lines = {
        "page 0 of fd": 'm.os.pwrite(fd, b"a", 0)',
        "page 2 of fd": f"m.os.pread(fd, 1, {2 * PAGE})",
        "page 17 of plain": f"m.os.pread(plain, 1, {17 * PAGE})",
        f"page {one} of plain": f'm.os.pwrite(plain, b"b", {one * PAGE})',
        f"page {other} of plain": f'm.os.pwrite(plain, b"c", {other * PAGE})',
    }
    order = seed.some([*lines], 5)
    program = "\n".join((
        "", OPEN, f"m.os.ftruncate(fd, {4 * PAGE})", 'plain = m.os.memfd_create("plain")',
        f"m.os.ftruncate(plain, {24 * PAGE})", f'm.os.pwrite(plain, b"s", {5 * PAGE})', "m.huge(True)",
        *(lines[line] for line in order), ""))  # fmt: skip
    return Case(
        asks="Huge pages are asked for; a huge page is eight pages. Each of the last five lines reads or writes one"
        " page. **How often does each of them come to `shmem_alloc_and_add_folio()`?**",
        program=program,
        read=lambda run: dict(zip(order, attempts(run.history, 5), strict=True)),
        rule="On a KHO file each miss makes one attempt, a single page. On an ordinary file a reader makes none. A"
        " writer makes one for a huge page, then one for a small page if that fails. What is found needs none.",
        look="Each attempt is a step that begins *Page ... is not in the page cache*.",
        mistakes=("miss-is-a-hole",),
        misread={"a KHO file tries a huge page first": lambda run: {
            line: n + line.endswith("fd") for line, n in zip(order, attempts(run.history, 5), strict=True)}},
    )  # fmt: skip


@ask(chapter=4, objective=4, check=True)
def which_errors(seed: Seed) -> Case:
    """P25, P29: how lookups can end, over all that can happen on the way."""
    page = seed.among(1, 2, 3)
    before = seed.among("m.os.ftruncate(fd, 320)", "m.overcommit(2)")
    told = "" if "ftruncate" in before else " `overcommit(2)` grants no more memory."
    act = seed.among(f'm.os.pwrite(fd, b"w", {PAGE * page})', f'm.os.pwrite(fd, b"w", {PAGE * (16 + page)})',
                     f"m.os.posix_fallocate(fd, {PAGE * page}, {PAGE})")  # fmt: skip
    return Case(
        asks="A KHO file has room for 16 blocks, and all its pages are holes. The program is run many times. Each time"
        " something else goes wrong in the last line: no memory for a page, none for the slot, or a slot that is taken"
        f" once.{told} **With which errors can the lookup end?**",
        program=f"""
{OPEN}
{before}
{act}
""",
        read=lambda run: errors(run.history),
        rule="ENOENT is for SGP_READ and SGP_NOALLOC, and EEXIST is never told. What else fails, the caller hears.",
        look="`trace.alternatives(t)` says what else could have happened after step t. Fork it, and read on.",
        options=("EEXIST", "EFBIG", "EINVAL", "ENOENT", "ENOMEM", "ENOSPC"),
        misread={
            "a taken slot is an error": lambda run: errors(run.history) | {"EEXIST"},
            "the last branch gives EINVAL to a writer": lambda run: errors(run.history) | {"EINVAL"},
            "a hole is ENOENT for everybody": lambda run: errors(run.history) | {"ENOENT"},
        },
    )  # fmt: skip


def errors(trace: History) -> frozenset[str]:
    """The errors with which lookups end, in a run and in all that forks off it."""
    runs = [trace, *(trace.fork(t, choice) for t in range(trace.steps) for choice in trace.alternatives(t))]
    ends = [moment.step for run in runs for moment in run.moments if moment.step]
    return frozenset(errorcode[-step.args["error"]] for step in ends if step.name == "get_folio_unlock")
