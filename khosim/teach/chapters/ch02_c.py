"""Chapter 02, its exercises: change the program, write a kernel path, think."""

from __future__ import annotations

from collections.abc import Iterator

from khosim.run.history import History
from khosim.state import page_cache
from khosim.state.snapshot import Snapshot
from khosim.teach.beside import READS, before, differences, lost
from khosim.teach.case import Played
from khosim.teach.recorded import changed_at, open_file
from khosim.teach.task import change, discuss, write_path

__all__: list[str] = []

DATA = {1: b"data", 6: b"more data"}
"""What the first file holds, by page; all else in it is a hole."""
SIZE = 640


@change(
    chapter=2,
    objective=2,
    hints=(
        "Two of the calls of this chapter say where data begins and where it ends. Neither takes memory.",
        "What lies from `SEEK_DATA` to the next `SEEK_HOLE` is to be copied. After the last data comes an `OSError`.",
    ),
)
def a_copy_with_holes(trace: History) -> Iterator[tuple[int, str]]:
    """Make a copy that takes no more memory than what it copies.

    Begin the recording with these lines:

        one = m.os.memfd_create("from")
        m.os.ftruncate(one, 640)
        m.os.pwrite(one, b"data", 64)
        m.os.pwrite(one, b"more data", 384)

    Then make a second file named `to`, and copy the first into it. It must have the same size and read the same. Where
    the first has a hole, it must have one, and the first file must not change. Leave both open. Let calls tell you
    where the data is; this is not judged. A figure draws the first file. After `from khosim import show`,
    `show.stepper(trace, "to")` draws the second.
    """
    end = trace.seek(trace.steps)
    one, two = (open_file(end, name, kept=False) for name in ("from", "to"))
    if trace.kexecs or one is None or two is None:
        yield trace.steps, "There must be two open files, `from` and `to`, both without the flag, and no kexec."
        return
    first, second = contents(end, one), contents(end, two)
    if first != {index: data.ljust(end.page_size, b"\0") for index, data in DATA.items()}:
        yield trace.steps, "The first file is not what it was."
    for index in sorted(set(second) - set(first)):
        t = changed_at(trace, "cache", ino=two, index=index)
        yield t, f"Page {index} is a hole in the first file. In the second it takes memory, or a place in swap."
    if end.inode.i_size[one] != SIZE or end.inode.i_size[two] != SIZE:
        yield trace.steps, f"Both files must have {SIZE} bytes."
    if first != second:
        yield trace.steps, "The two files do not read the same."


def contents(s: Snapshot, ino: int) -> dict[int, bytes]:
    """The bytes of each page of a file that is no hole, wherever they are."""
    slots = {index: page_cache.load(s, ino, index) for index in range(s.file_pages)}
    return {
        index: bytes(s.arrays["phys"][slot] if slot >= 0 else s.arrays["swap_data"][page_cache.swap_slot(slot)])
        for index, slot in slots.items()
        if slot != page_cache.EMPTY
    }


# ---- write a path


@write_path(
    chapter=2,
    objective=5,
    hints=(
        "Your function is given an order, and may hand on a smaller one. The kernel's own is in `khosim.steps.PATHS`.",
        "The eight pages of a huge page end before page `(index | 7) + 1`. `m.inode.i_size[ino]` is the size in bytes.",
    ),
    paths=("shmem_alloc_and_add_folio",),
    start='fd = m.os.memfd_create("notes")\nm.os.ftruncate(fd, 1000)\nm.huge(True)',
    lines=(
        "m.os.pwrite(fd, b'A', 0)",
        "m.os.pwrite(fd, b'B', 832)",
        "m.os.posix_fallocate(fd, 320, 64)",
        "m.os.ftruncate(fd, 448)",
        "m.os.ftruncate(fd, 512)",
        "m.os.ftruncate(fd, 513)",
    ),
    most=3,
)
def huge_within_size(run: Played) -> Iterator[str]:
    """Linux can be told to use huge pages only *within size*: a huge page must not reach past the file's last page.

    Make that the rule. Write `shmem_alloc_and_add_folio(m, ino, index, order, sgp)`, a generator that may call the
    kernel's own. Where a huge page fits into the file, the file must still get one.
    """
    m = run.names["m"]
    pages = -(-m.inode.i_size[0] // m.page_size)
    if run.error is not None:
        yield f"A call fails: {run.error}."
    for index, pfn in enumerate(m.slots[: m.file_pages]):
        if pfn >= 0 and m.page.index[pfn] + (1 << m.page.order[pfn]) > pages:
            yield f"The file has {pages} pages, and the folio of page {index} reaches past them."
    for index in room(run):
        if (pfn := m.slots[index]) >= 0 and m.page.order[pfn] != m.config.huge_order:
            yield f"There was room for a huge page around page {index}. Yet its folio is no huge page."
    yield from lost(m)
    yield from differences(run, only=READS)


def room(run: Played) -> Iterator[int]:
    """The pages of each place that had room for a huge page, and no page in it, before the last line."""
    m = before(run).names["m"]
    count = 1 << m.config.huge_order
    for first in range(0, -(-m.inode.i_size[0] // m.page_size) - count + 1, count):
        if max(m.slots[first : first + count]) < 0:
            yield from range(first, first + count)


# ---- think


@discuss(
    chapter=2,
    objective=1,
    hints=(
        "Private memory that was never written does this: all its unwritten pages are one shared page of zeroes.",
        "Two programs have mapped the same hole, and one of them writes. What must the other one see from then on?",
    ),
)
def who_pays_for_a_look() -> None:
    """A load through a mapping takes a frame for every hole it looks at. A read takes none.

    Could a load map one shared page of zeroes instead? What would be saved, for whom, and what would have to happen
    when somebody writes the page? Say also what `SEEK_DATA` would then answer.
    """
