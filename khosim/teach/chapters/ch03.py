"""Chapter 03, Two lists to remember: what is written down of a page, in which step, and what a kexec makes of it."""

from __future__ import annotations

from collections.abc import Iterable

from khosim.run.history import History
from khosim.state.blocks import kho_i_size, load_block
from khosim.state.cells import find_kho
from khosim.state.handover import metadata
from khosim.state.snapshot import Snapshot
from khosim.teach.case import OPEN, Case, Played
from khosim.teach.question import ask
from khosim.teach.seed import Seed
from khosim.user.machine import Machine, session

__all__ = ["next_kernel", "when"]

FOUR = {"nblocks": 4}
"""A file of four blocks, so that its KHO inode is five words."""


def kho_words(s: Snapshot, file: str | None = None) -> list[int]:
    """The KHO inode of a file, or of the first one, at a moment: the size, then each block."""
    kho = find_kho(s, file)
    return [kho_i_size(s, kho), *(load_block(s, kho, index) for index in range(s.config.nblocks))]


def words_of(s: Snapshot, frames: Iterable[int]) -> list[int]:
    """The words of these frames."""
    size = s.page_size // 8
    return [s.words[size * pfn + n] for pfn in frames for n in range(size)]


def when(trace: History, name: str) -> int:
    """The last moment whose step has this name."""
    return next(moment.t for moment in reversed(trace) if moment.step and moment.step.name == name)


def next_kernel(s: Snapshot) -> Machine:
    """The kernel after this one, if a kexec comes at this moment."""
    stage = session(s.config, s.variants)
    stage.machine.load_buffer(s.buffer)
    stage.call("kexec")
    return stage.machine  # type: ignore[return-value]  # made by `session`


def found_by_next(s: Snapshot, count: int, pos: int) -> bytes:
    """What the next kernel reads of the file, if a kexec comes at this moment."""
    m = next_kernel(s)
    return m.os.pread(m.os.memfd_create("guest", 0x80), count, pos)


def changed_words(run: Played, *, pages: bool = False) -> list[int]:
    """How many words of the handover each pwrite changes; with `pages`, of all memory."""

    def words(t: int) -> list[int]:
        s = run.history.seek(t)
        return words_of(s, range(s.frames) if pages else metadata(s))

    calls = [call for call in run.history.calls if call.name == "pwrite"]
    pairs = [(words(call.first - 1), words(call.last)) for call in calls]
    return [sum(a != b for a, b in zip(old, new, strict=True)) for old, new in pairs]


@ask(chapter=3, objective=1)
def words_that_change(seed: Seed) -> Case:
    """Three writes, and what each costs in words."""
    one, two = seed.some((2, 0, 1, 3), 2)
    again = seed.among(two, one) * 64 + seed.among(0, 16)
    return Case(
        asks="The handover's own memory is the FDT, the PFN bitmap and the KHO inodes, all words of 64 bits. **How many"
        " of these words does each of the three `pwrite` change?** The pages themselves do not count.",
        program=f"""
{OPEN}
m.os.pwrite(fd, b"third", {64 * one})
m.os.pwrite(fd, b"first", {64 * two})
m.os.pwrite(fd, b"again", {again})
""",
        read=changed_words,
        rule="A fresh page costs a word of the bitmap and a block. A write past the end costs the size.",
        look="Walk through a `pwrite` and stop wherever bits, blocks or the KHO inode's size change.",
        mistakes=("lists-at-kexec",),
        misread={"the words of the pages count too": lambda run: changed_words(run, pages=True)},
        shape=FOUR,
    )


@ask(chapter=3, objective=1, check=True)
def what_a_write_stores(seed: Seed) -> Case:
    """Which of the three a last write stores."""
    pos, end = seed.among((0, 192), (200, 192), (70, 192), (130, 192), (60, 128), (128, 128), (192, 256))
    first = seed.among(b"one", b"A", b"A longer one")
    stored = {"bit": "bit_set", "block": "block_set", "size": "kho_i_size"}

    def read(run: Played) -> set[str]:
        trace = run.history
        names = {moment.step.name for moment in trace[trace.calls[-1].first :] if moment.step}
        return {word for word, name in stored.items() if name in names}

    inside = pos + 3 <= end
    return Case(
        asks="**Which of these does the last `pwrite` store:** a PFN bit, a block, the size in the KHO inode?",
        program=f"""
{OPEN}
m.os.pwrite(fd, {first!r}, 64)
m.os.ftruncate(fd, {end})
m.os.pwrite(fd, b"two", {pos})
""",
        read=read,
        options=tuple(stored),
        rule="Bit and block are stored for a page that had none, the size by a write that goes past `i_size`.",
        look="Is the page in the page cache already? And where does the file end before the write?",
        mistakes=("every-write-tells",) if inside else (),
        misread={} if inside else {"only `ftruncate` sets a size": lambda run: read(run) - {"size"}},
        empty=True,
    )


@ask(chapter=3, objective=2, check=True)
def blocks_as_words(seed: Seed) -> Case:
    """The block list, word by word."""
    one, two = seed.among((2, 0), (3, 1), (1, 0), (3, 0), (2, 1), (3, 2), (1, 3), (1, 2))
    return Case(
        asks="This machine gives out frame 0x16 first, then 0x17. **Which number stands in each of the file's four"
        " blocks?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, b"A", {64 * one})
m.os.pwrite(fd, b"B", {64 * two})
""",
        read=lambda run: kho_words(run.history.seek(run.history.steps))[1:],
        rule="Block `n` is for page `n`, and holds its frame's physical address: its number times 64 here.",
        look="Print `m.words` from the KHO inode on, as the chapter's first cell does.",
        mistakes=("block-holds-pfn", "blocks-in-order", "lists-at-kexec"),
        misread={"the blocks hold the numbers of pages": lambda _: [64 * n * (n in (one, two)) for n in range(4)]},
        shape=FOUR,
    )


def refuse(run: Played, page: int) -> History:
    """The other future of a write: memory is refused for its page number `page`, counted from 0."""
    asked = [moment.t for moment in run.history if moment.step and moment.step.name == "kho_alloc"]
    return run.history.fork(asked[page], "cpu0=-12")


NUMBERS = ("first", "second", "third", "fourth")


@ask(chapter=3, objective=3)
def refused_page(seed: Seed) -> Case:
    """What a write returns that got only some of its frames."""
    count, page = seed.among((2, 1), (3, 1), (3, 2), (4, 1), (4, 2), (4, 3))
    start = seed.among(0, 1, 5)
    return Case(
        asks=f"For the {NUMBERS[page]} page of this write, memory is refused. **What does `pwrite` return?** An error"
        " counts as a negative number, ENOMEM is -12.",
        program=f"""
{OPEN}
m.os.pwrite(fd, b"x" * {64 * count}, {64 * start})
""",
        read=lambda run: refuse(run, page).calls[1].result,
        rule="Each page of a write is finished before the next is begun, and what is finished counts.",
        look="Fork the run at the refused page, and read on after `shmem_alloc_kho_folio()` has returned ENOMEM.",
        mistakes=("short-write-fails",),
        misread={"all that was asked for": lambda _: 64 * count, "a write is whole or not at all": lambda _: 0},
    )


@ask(chapter=3, objective=3, check=True)
def after_a_refusal(seed: Seed) -> Case:
    """What is written down after a write that got only some of its frames."""
    count, page = seed.among((3, 2), (3, 1), (2, 1), (4, 2), (4, 1), (4, 3))
    start = seed.among(1, 0, 4)

    def read(run: Played) -> dict[str, int]:
        trace = refuse(run, page)
        size, *blocks = kho_words(trace.seek(trace.steps))
        return {"blocks": sum(map(bool, blocks)), "size": size}

    return Case(
        asks=f"For the {NUMBERS[page]} page of this write, memory is refused. **How many blocks of the file name a"
        " frame afterwards, and which size does its KHO inode have?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, b"x" * {64 * count}, {64 * start})
""",
        read=read,
        rule={
            "blocks": "Memory comes first, then the bit, then the block. Without memory nothing is stored.",
            "size": "The size is stored page by page, after the page's bytes.",
        },
        look="Fork the run at the refused page, and look at the block list and both sizes at its end.",
        mistakes=("size-before-bytes",),
        misread={"the refused page has a block": lambda _: {"blocks": page + 1, "size": 64 * (start + page)}},
    )
