"""Chapter 06: how the block list hears that a page is gone. What its loops ask."""

from __future__ import annotations

from khosim.run.history import History
from khosim.state.bitmap import test_bit
from khosim.state.blocks import load_block
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, PG_locked, test_flag
from khosim.state.page_cache import load
from khosim.steps import Step
from khosim.teach.case import Case, Played
from khosim.teach.question import ask
from khosim.teach.seed import Seed

GONE, PART, WHOLE = "gone", "zeroed in part", "as before"
PUNCH = "khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE"
OPENED = 'fd = m.os.memfd_create("kept", khosim.MFD_KHO)\n'


def written(pages: int) -> str:
    """Give the lines that make a KHO file of so many pages, each with a letter of its own."""
    letters = " + ".join(f'b"{letter}" * 64' for letter in "ABCDE"[:pages])
    return f"{OPENED}m.os.pwrite(fd, {letters}, 0)\n"


def blocks(m: MachineState) -> set[str]:
    """Which blocks of the first file are not empty."""
    return {f"block {index}" for index in range(m.config.nblocks) if load_block(m, m.inode.kho[0], index)}


def steps(trace: History, first: int = 1, last: int = -1) -> list[tuple[int, Step]]:
    """The steps of a stretch of a recording, with their times."""
    return [(moment.t, moment.step) for moment in trace[first : last + 1 or None] if moment.step]


def said(run: Played, name: str) -> int:
    """Count the complaints of one kind."""
    return sum(step.name == name for _, step in steps(run.history))


@ask(chapter=6, objective=1)
def block_is_empty(seed: Seed) -> Case:
    """What is true of a frame while its bit and its block go."""
    cell, page = seed.among(*((cell, page) for cell in ("block", "bit") for page in (2, 1, 0)))
    what = "empties block" if cell == "block" else "clears the bit of page"
    cut = seed.among("m.os.ftruncate(fd, {})", f"m.os.fallocate(fd, {PUNCH}, {{}}, 64)",
                     "m.mmap(fd, 192).madvise(khosim.MADV_REMOVE, {}, 64)")  # fmt: skip
    return Case(
        asks=f"Page {page} is cut out of a file. One step {what} {page}. **What is true of the page's frame right "
        "after it?** Is it in the page cache, named by the block, dirty, locked? Are its bit and its bytes as before?",
        program=f"{written(3)}{cut.format(64 * page)}\n",
        read=lambda run: frame_at(run, cell, page),
        options=("cached", "named", "bit set", "bytes kept", "dirty", "locked"),
        rule="The callback drops the bit, then the block. All else is its caller's to drop, and goes later.",
        look=f"Play it. Stop where block {page} becomes empty, and click the frame that it named.",
        mistakes=("block-before-bit", "cache-before-list"),
    )


def frame_at(run: Played, cell: str, page: int) -> set[str]:
    """What holds of the frame of a page at the step that cleared its block or its bit."""
    pfn = run.history.why("block", index=page).old
    t = run.history.why("block", index=page).t if cell == "block" else run.history.why("bit", pfn=pfn).t
    m = run.history.seek(t)
    holds = {
        "cached": load(m, 0, page) == pfn,
        "named": load_block(m, m.inode.kho[0], page) == pfn * m.page_size,
        "bit set": test_bit(m, pfn),
        "bytes kept": bytes(m.arrays["phys"][pfn]) == b"ABC"[page : page + 1] * 64,
        "dirty": test_flag(m, pfn, PG_dirty),
        "locked": test_flag(m, pfn, PG_locked),
    }
    return {name for name, found in holds.items() if found}


@ask(chapter=6, objective=2)
def part_of_a_page(seed: Seed) -> Case:
    """What a hole does to the pages that it covers, and to those it only touches."""
    offset, length = seed.among((32, 64), (16, 128), (80, 100), (100, 60), (64, 90), (140, 20), (1, 254), (63, 130))
    return Case(
        asks=f"A file has four pages of 64 bytes. A hole of {length} bytes is punched at {offset}. "
        "**What becomes of each page?**",
        program=f"{written(4)}m.os.fallocate(fd, {PUNCH}, {offset}, {length})\n",
        read=lambda run: {f"page {page}": fate(run, page) for page in range(4)},
        options=(GONE, PART, WHOLE),
        rule="A whole page goes, with its block. Of a part the bytes are zeroed, and page and block stay.",
        look="Play it, and stop wherever the callback is called. It is told from which byte to which.",
        mistakes=("part-frees-block", "part-keeps-its-bytes"),
    )


def fate(run: Played, page: int) -> str:
    """What became of a page of a file that was all letters."""
    m = run.history.seek(run.history.steps)
    start = load_block(m, m.inode.kho[0], page)
    if not start:
        return GONE
    return WHOLE if bytes(m.arrays["phys"][start // m.page_size]) == b"ABCDE"[page : page + 1] * 64 else PART


@ask(chapter=6, objective=3)
def who_is_asked(seed: Seed) -> Case:
    """Whose pages the callback does something about."""
    kinds = seed.some(("ordinary", "ordinary, flagged", "KHO", "KHO, not flagged"), 4)
    lines = []
    for name, kind in zip("abcd", kinds, strict=True):
        lines.append(f'{name} = m.os.memfd_create("{name}"{", khosim.MFD_KHO" if "KHO" in kind else ""})')
        lines.append(f'm.os.pwrite({name}, b"{name}" * 64, 0)')
        if "," in kind:
            lines.append(f"m.inode.release_always[m.os.fstat({name}).st_ino] = {int(kind[0] == 'o')}")
    lines += [f"m.os.ftruncate({name}, 0)" for name in "abcd"]
    return Case(
        asks="Four files of one page are cut to nothing. The flag of two of them is changed first. "
        "**For which files does the callback do more than return at once?**",
        program="\n".join([*lines, ""]),
        read=lambda run: {name for name, call in zip("abcd", run.history.calls[-4:], strict=True)
                          if any(step.name in ("invalidate", "block_empty")
                                 for _, step in steps(run.history, call.first, call.last))},
        options=tuple("abcd"),
        rule="It must be called, which takes the flag. Then it must find a KHO inode, or it returns at once.",
        look="Play it, and go through the four cuts. Look for steps in `shmem_invalidate_folio()`.",
        mistakes=("registered-is-called", "every-file-has-blocks"),
        misread={"every file of shmem is reported": lambda _: set("abcd")},
    )  # fmt: skip


@ask(chapter=6, objective=4)
def cut_from_swap(seed: Seed) -> Case:
    """How many blocks are left when a page goes to swap, and when it is cut out of there."""
    pages, page, cut = seed.among((2, 1, 1), (3, 1, 0), (3, 2, 1), (4, 0, 0), (4, 3, 2), (3, 0, 0), (4, 2, 2))
    return Case(
        asks=f"A file has {pages} pages. Page {page} goes to swap, then the file is cut to {64 * cut} bytes. "
        "**How many blocks are not empty after each of the two?**",
        program=f"{written(pages)}m.swapon()\nm.swap_out(fd, {page})\nm.os.ftruncate(fd, {64 * cut})\n",
        read=lambda run: {name: len(blocks(run.history.seek(call.last)))
                          for name, call in zip(("swap_out", "ftruncate"), run.history.calls[-2:], strict=True)},
        rule="Swap is handled as before the patch. Neither on the way there nor on the way out is the list told.",
        look="Play it. Which functions of the patch are in the call stack while the page goes?",
        mistakes=("swap-tells", "swap-out-tells"),
    )  # fmt: skip


@ask(chapter=6, objective=5)
def how_often_it_warns(seed: Seed) -> Case:
    """How often the kernel warns of pages that have no block."""
    kernels = seed.among((2,), (3,), (2, 2), (4,), (3, 1), (2, 3), (5,), (1, 1, 2))
    lines = []
    for number, pages in enumerate(kernels):
        lines += ["m = m.kexec()"] if number else []
        lines += [OPENED.strip(), f"m.os.ftruncate(fd, {64 * pages})", f"view = m.mmap(fd, {64 * pages})"]
        lines += ['view.uffd_register("missing")', *(f'view.uffd_copy({n}, b"M" * 64)' for n in range(pages))]
        lines += ["m.os.ftruncate(fd, 0)"]
    return Case(
        asks="Pages are filled in by `UFFDIO_COPY`, which gives them no block. Then they are cut away. "
        "**How many times does the kernel warn?**",
        program="\n".join([*lines, ""]),
        read=lambda run: said(run, "warn"),
        rule="It warns once. A kernel remembers that it has warned, and the next kernel does not.",
        look="Play it, and watch for the step in `warn_on_once()`.",
        mistakes=("warn-each-time",),
        misread={"an empty block is passed over": lambda _: 0},
    )
