"""Chapter 06: how the block list hears that a page is gone. Its closing questions."""

from __future__ import annotations

from khosim.state.blocks import load_block
from khosim.teach.case import Case, Played
from khosim.teach.chapters.ch06 import OPENED, PUNCH, blocks, said, steps, written
from khosim.teach.question import ask
from khosim.teach.seed import Seed

NOTHING, OWN, FREE, OTHER = "nothing", "its own frame", "a free frame", "another's frame"


@ask(chapter=6, objective=1, check=True)
def the_last_user(seed: Seed) -> Case:
    """Which call ends a file, and so empties its blocks."""
    ends = {"the descriptor": "m.os.close(fd)", "mapping one": "one.close()", "mapping two": "two.close()"}
    order = seed.among(*((a, b, c) for c in [*ends][1:] for a in ends for b in ends if len({a, b, c}) == 3))
    pages = seed.among(1, 2)
    maps = "".join(f"{name} = m.mmap(fd, {64 * pages})\n" for name in ("one", "two"))
    return Case(
        asks="A file has one descriptor and two mappings. All three are closed. **Which closing empties block 0?**",
        program=f"{written(pages)}{maps}" + "".join(f"{ends[name]}\n" for name in order),
        read=lambda run: order[number_of_call(run, run.history.why("block", index=0).t) - len(run.history.calls)],
        options=tuple(ends),
        rule="A mapping is a user of the file like a descriptor. The last user's going evicts it.",
        look="Play it, and stop where the bit of the page's frame is cleared. Which call is that in?",
        misread={"the file ends with its descriptor": lambda _: "the descriptor"},
    )


def number_of_call(run: Played, t: int) -> int:
    """Number the call that a step belongs to."""
    return next(number for number, call in enumerate(run.history.calls) if call.first <= t <= call.last)


@ask(chapter=6, objective=2, check=True)
def cut_twice(seed: Seed) -> Case:
    """How many lines the kernel logs when a file is cut, and cut to the same size again."""
    sizes = seed.among(
        (80, 80, 64), (100, 100, 100, 128), (150, 64, 10, 10), (128, 70, 70), (190, 190, 190), (64, 30, 30, 0)
    )
    grown = sum(size % 64 > 0 and size != before for before, size in zip((192, *sizes), sizes, strict=False))
    return Case(
        asks="A file of three pages of 64 bytes is given these sizes, one after the other. "
        "**How many lines does the kernel log?**",
        program=written(3) + "".join(f"m.os.ftruncate(fd, {size})\n" for size in sizes),
        read=lambda run: said(run, "printk"),
        rule="A size within a page cuts that page in part, and each part is logged, whether a byte changes or not.",
        look="Play it, and watch the callback. For which calls is it told of less than 64 bytes?",
        mistakes=("part-frees-block",),
        misread={"a file that keeps its size is left alone": lambda _: grown},
    )


@ask(chapter=6, objective=3, check=True)
def cut_unheard(seed: Seed) -> Case:
    """What a block names after its page was cut away and nobody called."""
    pages = seed.among(1, 2, 3)
    page, taken = seed.among(*range(pages)), seed.among(1, 0, 2)
    then = f"Then another file of {taken} pages is written." if taken > 1 else "Then another file of a page is written."
    then = then if taken else "No other file is written."
    takes = f'm.os.pwrite(m.os.memfd_create("other"), bytes({64 * taken}), 0)\n' if taken else ""
    return Case(
        asks=f"The flag of a KHO file is taken away, and the file is cut to nothing. {then} "
        f"**What does block {page} name?** A frame of its own file, of another, a free one, or nothing.",
        program=f"{written(pages)}m.inode.release_always[0] = 0\nm.os.ftruncate(fd, 0)\n{takes}",
        read=lambda run: named(run, page),
        options=(NOTHING, OWN, FREE, OTHER),
        rule="Without the flag nobody calls, so the block stays. The frame goes the way of every frame that is freed.",
        look="Play it. Click the frame that the block names, and see who has it at the end.",
        mistakes=("registered-is-called",),
        misread={"a frame stays with its file while a block names it": lambda _: OWN},
    )


def named(run: Played, page: int) -> str:
    """What the block of a page names at the end."""
    m = run.history.seek(run.history.steps)
    start = load_block(m, m.inode.kho[0], page)
    if not start:
        return NOTHING
    mapping = m.page.mapping[start // m.page_size]
    return (FREE, OWN, OTHER)[mapping]


@ask(chapter=6, objective=4, check=True)
def found_in_the_cache(seed: Seed) -> Case:
    """Which faults go to userfaultfd, of pages that are in memory, in swap, and cut away."""
    order = seed.some((0, 1, 2), 3)
    swapped, cut = order[1], order[2]
    again = seed.among("", f"m.swap_out(fd, {cut})\n")
    touches = "".join(f"with suppress(khosim.BusError): view[{64 * page}]\n" for page in range(3))
    return Case(
        asks=f"Of three pages, page {swapped} is in swap, and page {cut} is punched out. A mapping sends its minor "
        "faults to userfaultfd. Each page is touched. **Which touches go there?**",
        program=f"from contextlib import suppress\n{written(3)}m.swapon()\nm.swap_out(fd, {swapped})\n{again}"
        f"m.os.fallocate(fd, {PUNCH}, {64 * cut}, 64)\n"
        f'view = m.mmap(fd, 192)\nview.uffd_register("minor")\n{touches}',
        read=lambda run: {f"page {step.args['index']}" for _, step in steps(run.history)
                          if step.name == "userfault"},
        options=("page 0", "page 1", "page 2"),
        rule="What is found in the cache is handled as before the patch, a swap entry too. What is cut is not found.",
        look="Play it, and stop where `handle_userfault()` is entered.",
        misread={"a page in swap is not found": lambda _: {f"page {order[0]}"},
                 "every fault is delivered": lambda _: {"page 0", "page 1", "page 2"}},
    )  # fmt: skip


@ask(chapter=6, objective=5, check=True)
def left_behind(seed: Seed) -> Case:
    """Which blocks are left when a file is cut that was used only in part since the kexec."""
    pages = seed.among(3, 4)
    touched = seed.some(tuple(range(pages)), seed.among(1, 2))
    reads = "".join(f"m.os.pread(fd, 1, {64 * page})\n" for page in touched)
    return Case(
        asks=f"A file of {pages} pages crosses a kexec. Some of them are read, then the file is cut to nothing. "
        "**Which blocks are not empty at the end?**",
        program=f"{written(pages)}m = m.kexec()\n{OPENED}{reads}m.os.ftruncate(fd, 0)\n",
        read=lambda run: blocks(run.history.seek(run.history.steps)),
        options=tuple(f"block {index}" for index in range(pages)),
        rule="Truncation asks the page cache what there is to cut. A page that nobody has used is not there.",
        look="Play it, and stop at each batch. How many pages are found?",
        mistakes=("walk-the-list",),
        misread={"a page that crossed stays": lambda _: {f"block {index}" for index in range(pages)}},
    )
