"""Chapter 05, "First touch": the closing questions."""

from __future__ import annotations

from itertools import permutations

from khosim.state.lists import list_walk, lru_head
from khosim.teach.case import OPEN, Case, Played
from khosim.teach.question import ask
from khosim.teach.seed import Seed

__all__: list[str] = []


def by_first(times: tuple[int, ...], used: tuple[int, ...]) -> list[int]:
    """The pages by when each is used first."""
    return [used[n] for n in dict.fromkeys(times)]


def tells_apart(times: tuple[int, ...], used: tuple[int, ...]) -> bool:
    """Whether the orders of first use, of first use backwards, of last use and of the file are four."""
    first, last = by_first(times, used), by_first(times[::-1], used)[::-1]
    return len({*map(tuple, (first, first[::-1], last, range(4)))}) == 4


TWICE = ((0, 1, 0, 2, 3, 1), (0, 1, 2, 0, 3, 2), (0, 1, 2, 1, 0, 3), (0, 0, 1, 2, 3, 1), (0, 1, 2, 3, 1, 0))
ORDERS = ((2, 0, 3, 1), *permutations(range(4)))
USES = [(times, used) for times in TWICE for used in ORDERS if tells_apart(times, used)]
"""How four pages are used, two of them twice: which of them at each time, and which page each is."""


@ask(chapter=5, objective=4, check=True)
def by_age(seed: Seed) -> Case:
    """P36: the order of first touch is the order of the LRU."""
    times, used = seed.among(*USES)
    read, load, store = "m.os.pread(fd, 1, {} * 64)", "view[{} * 64]", "view[{} * 64] = 33"
    first, again = seed.among((read, load), (load, read), (read, store))  # Linux moves a page that two calls use
    lines = [again if n in times[:at] else first for at, n in enumerate(times)]
    program = "\n".join(line.format(used[n]) for line, n in zip(lines, times, strict=True))
    return Case(
        asks="Four pages were written in the order of the file, and are held. Then they are used, some of them twice. "
        "**In which order are they on the LRU, the oldest first?** Write the pages' numbers.",
        program=f"""
{OPEN}
m.os.pwrite(fd, bytes(4 * 64), 0)
m = m.kexec()
{OPEN}
view = m.mmap(fd, 4 * 64)
{program}
""",
        read=lambda run: [list(run.names["m"].slots[:4]).index(pfn) for pfn in lru_oldest_first(run)],
        rule="No list crosses a kexec. A page joins the LRU of its new kernel on first use; a mapping moves none.",
        look="Play it, and look for the steps of `folio_add_lru()`.",
        misread={
            "the pages keep their age through the kexec": lambda _: [0, 1, 2, 3],
            "the page touched last counts as the oldest": lambda _: by_first(times, used)[::-1],
            "a page that is used again becomes the youngest": lambda _: by_first(times[::-1], used)[::-1],
        },
    )


def lru_oldest_first(run: Played) -> list[int]:
    """The frames on the last kernel's LRU."""
    m = run.names["m"]
    return [*reversed([*list_walk(m, lru_head(m))])]


@ask(chapter=5, objective=2, check=True)
def around_two_bytes(seed: Seed) -> Case:
    """P38: the rest of a page."""
    letter, written = seed.among(b"A", b"k", b"Z"), seed.among(b"xy", b"12", b"??")
    place = 64 * seed.among(1, 0, 2) + seed.among(20, 7, 33, 50)
    return Case(
        asks="Three pages are held. Two bytes are written into one of them. **What are the two bytes, with two before"
        " and two after?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, {letter!r} * 192, 0)
m = m.kexec()
{OPEN}
m.os.pwrite(fd, {written!r}, {place})
got = m.os.pread(fd, 6, {place - 2})
""",
        read=lambda run: run.names["got"],
        rule="A page taken back is uptodate before the write begins.",
        look="Play it, and compare the steps of `shmem_write_end()` with those of a write to a hole.",
        mistakes=("zero-the-rest",),
        misread={
            "the page comes back, and the write is lost": lambda _: letter * 6,
            "the write gets a fresh frame, and nobody fills the rest": lambda _: b"\xa5\xa5" + written + b"\xa5\xa5",
        },
    )


@ask(chapter=5, objective=3, check=True)
def pages_at_once(seed: Seed) -> Case:
    """P16: pages = 1."""
    read = seed.among((0, 5), (1, 6), (3, 7), (2, 4, 6), (0, 1, 7), (3, 4, 5))
    reads = "\n".join(f"m.os.pread(fd, 1, {64 * page})" for page in read)
    return Case(
        asks="This machine makes huge pages of eight pages wherever it may. One byte of an ordinary file is written."
        f" A KHO file has twelve held pages, and {len(read)} of its first eight are read."
        " **How many pages of each are in the page cache?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, bytes(12 * 64), 0)
m = m.kexec()
m.huge(True)
{OPEN}
plain = m.os.memfd_create("plain")
{reads}
m.os.pwrite(plain, b"!", {64 * seed.among(0, 3, 7)})
""",
        read=lambda run: {"KHO": run.names["m"].inode.nrpages[0], "ordinary": run.names["m"].inode.nrpages[1]},
        rule="The choice of an order is on the other branch. The helper has one folio of one page to give.",
        look="Play it, and stop where `shmem_alloc_and_add_folio()` calls the next function.",
        mistakes=("brings-the-file",),
        misread={
            "both files get huge pages": lambda _: {"KHO": 8, "ordinary": 8},
            "no file gets a huge page": lambda _: {"KHO": len(read), "ordinary": 1},
        },
    )


@ask(chapter=5, objective=3, check=True)
def frames_taken(seed: Seed) -> Case:
    """P16: who asks the allocator."""
    held = seed.number_from(2, 3)
    touches = [f"m.os.pread(fd, {held * 64}, 0)", "m.os.pread(fd, 1, 4 * 64)"]
    touches += seed.among(["m.os.pwrite(fd, b'!', 5 * 64)"], ["view[5 * 64] = 33"], ["view[5 * 64]"])
    touches += seed.among(["view[6 * 64]"], [], ["m.os.pwrite(fd, b'!', 6 * 64)"], ["m.os.pread(fd, 8, 4 * 64)"])
    program = "\n".join(seed.among(touches, touches[::-1]))
    return Case(
        asks=f"{'Two' if held == 2 else 'Three'} pages are held, and after them the file is a hole."
        " **How many frames leave the allocator between `before` and the end?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, bytes({held} * 64), 0)
m = m.kexec()
{OPEN}
m.os.ftruncate(fd, 8 * 64)
view = m.mmap(fd, 8 * 64)
before = m.nr_free
{program}
""",
        read=taken,
        rule="A held page has its frame. A hole that is read by a call stays a hole, by a fault it is filled.",
        look="Play it, and count the steps of `alloc_pages()` after `mmap`.",
        mistakes=("fill-every-hole",),
        misread={"a page that comes back takes a frame": lambda run: held + taken(run)},
    )


def taken(run: Played) -> int:
    """How many frames have left the allocator."""
    return int(run.names["before"] - run.names["m"].nr_free)


@ask(chapter=5, objective=4, check=True)
def what_the_file_counts(seed: Seed) -> Case:
    """P36: a file counts what was touched."""
    touched = seed.some([3, 0, 1, 4], seed.number_from(2, 3))
    reads = "\n".join(f"m.os.pread(fd, 1, {512 * page})" for page in [*touched, seed.among(5, 6, 7)])
    return Case(
        asks="A page has 512 bytes on this machine, as many as a block of `st_blocks`. Five pages are held, then comes"
        " a hole. **What is `st_blocks` at the end?**",
        program=f"""
{OPEN}
m.os.ftruncate(fd, 8 * 512)
m.os.pwrite(fd, bytes(5 * 512), 0)
m = m.kexec()
{OPEN}
m.os.ftruncate(fd, 8 * 512)
{reads}
blocks = m.os.fstat(fd).st_blocks
""",
        read=lambda run: run.names["blocks"],
        rule="A page is counted when it is brought in, and a hole that is read brings none in.",
        look="Play it, and look for the steps of `shmem_inode_acct_blocks()`.",
        mistakes=("brings-the-file", "fill-every-hole"),
        misread={"nothing is allocated, so nothing is counted": lambda _: 0,
                 "the file has eight pages": lambda _: 8},
        shape={"page_size": 512},
    )  # fmt: skip
