"""Chapter 05, "First touch": what the reader predicts, and what he checks at the end."""

from __future__ import annotations

from itertools import permutations

from khosim.kernel.shmem_kho import SGP_CACHE, SGP_READ, SGP_WRITE, shmem_kho_free_block
from khosim.state.blocks import load_block
from khosim.state.mem_map import PG_dirty
from khosim.state.pte import NONE, load_pte
from khosim.teach.case import OPEN, Case, Played
from khosim.teach.question import ask
from khosim.teach.seed import Seed

__all__: list[str] = []

FREED = "a block is freed"
SGP = {SGP_READ: "SGP_READ", SGP_CACHE: "SGP_CACHE", SGP_WRITE: "SGP_WRITE"}


def pages(count: int) -> tuple[str, ...]:
    """The pages of a file, as words to choose from."""
    return tuple(f"page {index}" for index in range(count))


def four_touches(read: int, written: int, loaded: int, stored: int) -> str:
    """Five held pages, and one touch of each kind."""
    return f"""
{OPEN}
m.os.pwrite(fd, bytes(5 * 64), 0)
m = m.kexec()
{OPEN}
view = m.mmap(fd, 5 * 64)
m.os.pread(fd, 1, {64 * read})
m.os.pwrite(fd, b"!", {64 * written})
view[{64 * loaded}]
view[{64 * stored}] = 33
"""


def arrived(run: Played) -> dict[str, str]:
    """The sgp with which each page was asked for in the last kernel."""
    last = run.names["m"].boots
    asked = [moment.step for moment in run.history if moment.kernel == last and moment.step is not None]
    found = {step.args["index"]: SGP[step.args["sgp"]] for step in asked if step.name == "kho_alloc"}
    return {f"page {index}": found[index] for index in sorted(found)}


@ask(chapter=5, objective=1)
def which_sgp_arrives(seed: Seed) -> Case:
    """P15: the sgp goes all the way down."""
    touched = seed.among((0, 1, 2, 3), *permutations(range(5), 4))
    _, _, loaded, stored = (f"page {index}" for index in touched)
    return Case(
        asks="Five pages are held after a kexec. Four are touched: by a read, a write, and through a mapping by a load"
        " and a store. **With which sgp is each page asked for in `shmem_alloc_kho_folio()`?**",
        program=four_touches(*touched),
        read=arrived,
        options=tuple(SGP.values()),
        rule="The sgp is named by the function that asks. A fault has one function for loads and stores.",
        look="Play it, and stop where `shmem_alloc_kho_folio()` begins. The functions above it name the sgp.",
        misread={
            "a store through a mapping is a write": lambda run: arrived(run) | {stored: "SGP_WRITE"},
            "a load through a mapping is a read": lambda run: arrived(run) | {loaded: "SGP_READ"},
            "loads are reads, and stores are writes": lambda run: (
                arrived(run) | {loaded: "SGP_READ", stored: "SGP_WRITE"}
            ),
        },
    )


def dirty_pages(run: Played) -> set[str]:
    """The pages in the page cache whose frame is dirty."""
    m = run.names["m"]
    frames = {index: m.slots[index] for index in range(5)}
    return {f"page {index}" for index, pfn in frames.items() if pfn >= 0 and m.page.flags[pfn] & PG_dirty}


@ask(chapter=5, objective=2)
def who_is_dirty(seed: Seed) -> Case:
    """P38: what a page looks like that was taken back."""
    touched = seed.among((0, 1, 2, 3), *permutations(range(5), 4))
    _, written, _, stored = (f"page {index}" for index in touched)
    return Case(
        asks="The same five pages, and four touches. **Which pages are in the page cache and dirty at the end?**",
        program=four_touches(*touched),
        read=dirty_pages,
        options=pages(5),
        rule="Dirty means that there is no other copy, not that somebody has written.",
        look="Play it, and look at the two steps after the one that takes a frame back.",
        mistakes=("clean-until-written", "brings-the-file"),
        misread={"a store is noted in the page table alone": lambda _: {written},
                 "a write to a part leaves the page clean": lambda _: {stored}},
    )  # fmt: skip


def failing(run: Played, words: tuple[str, ...]) -> set[str]:
    """The calls of the last kernel that fail, in the question's words, and whether one of them frees a block."""
    calls = run.history.calls[-4:]
    results = [call.result[-1] if isinstance(call.result, tuple) else call.result for call in calls]
    found = {word for word, result in zip(words, results, strict=True) if isinstance(result, int) and result < 0}
    stacks = [run.history[t].stack for call in calls for t in range(call.first, call.last + 1)]
    freed = any(frame.function == shmem_kho_free_block.__name__ for stack in stacks for frame in stack)
    return found | {FREED} if freed else found


@ask(chapter=5, objective=3)
def no_frame_is_free(seed: Seed) -> Case:
    """P16: the helper's error is the answer."""
    held, other, hole = seed.among((0, 1, 2), *permutations(range(4), 3))
    at, tail = 64 * hole + seed.among(0, 7, 50), 64 * (hole + 1)
    last, to = seed.among(("write the hole", at), ("write past the end", 4 * 64))
    words = ("read a held page", "write a held page", "read the hole", last)
    return Case(
        asks="Another file has taken every free frame. Three pages of ours are held, one is a hole. "
        "**Which of the last four calls fail? And is a block freed in one of them?**",
        program=f"""
from contextlib import suppress
{OPEN}
m.os.pwrite(fd, bytes(4 * 64), 0)
m.os.fallocate(fd, khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE, {64 * hole}, {tail - 64 * hole})
m = m.kexec()
{OPEN}
m.os.pwrite(m.os.memfd_create("other"), bytes(64 * m.nr_free), 0)
with suppress(OSError): m.os.pread(fd, 1, {64 * held})
with suppress(OSError): m.os.pwrite(fd, b"!", {64 * other})
with suppress(OSError): m.os.pread(fd, 1, {at})
with suppress(OSError): m.os.pwrite(fd, b"!", {to})
""",
        read=lambda run: failing(run, words),
        options=(*words, FREED),
        rule={FREED: "What the helper has not stored, nobody has to undo."}
        | dict.fromkeys(words, "Who takes a frame back asks no allocator. Who reads a hole gets no frame at all."),
        look="Play it, and count the calls in which `alloc_pages()` is on the stack.",
        mistakes=("write-elsewhere", "copy-home", "fill-every-hole", "undo-what-was-not-done"),
        misread={"without a free frame nothing can be brought in": lambda _: {*words}},
        shape={"frames": 32},
    )  # fmt: skip


def mapped(run: Played) -> set[str]:
    """The pages that the mapping has an entry for."""
    m = run.names["m"]
    return {f"page {index}" for index in range(8) if load_pte(m, 0, index) is not NONE}


@ask(chapter=5, objective=4)
def who_is_mapped(seed: Seed) -> Case:
    """P36: one fault brings back one page."""
    window = seed.among(0, 4)
    read, loaded = (window + page for page in seed.among((0, 1), *permutations(range(4), 2)))
    far = 4 - window + seed.among(0, 3)
    return Case(
        asks="Pages 0 to 3 are a window of this machine, and pages 4 to 7 are another. A load that faults maps its"
        " page, and those of the same window that are at hand. **Which pages does the mapping have at the end?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, bytes(8 * 64), 0)
m = m.kexec()
{OPEN}
m.os.pread(fd, 1, {64 * read})
m.os.pread(fd, 1, {64 * far})
view = m.mmap(fd, 8 * 64)
view[{64 * loaded}]
""",
        read=mapped,
        options=pages(8),
        rule="At hand means in the page cache. A block list is not asked.",
        look="Play it, and stop at the steps of `do_fault_around()` and `do_fault()`.",
        mistakes=("around-brings-back",),
        misread={
            "a fault maps the page that was asked for": lambda _: {f"page {loaded}"},
            "a fault maps all that is in the page cache": lambda _: {f"page {n}" for n in (read, loaded, far)},
        },
        shape={"fault_around": 4},
    )


def bits_set_by(run: Played) -> dict[str, int]:
    """For each page the kernel that set its frame's bit, 0 if the bit is not set in the end."""
    trace, m = run.history, run.names["m"]
    before = trace.seek(trace.kexecs[-1] - 1)
    found = {}
    for index in range(4):
        pfn = load_block(before, before.inode.kho[0], index) // 64
        cause = trace.why("bit", pfn=pfn)
        found[f"page {index}"] = trace[cause.t].kernel if m.snapshot().bits[pfn] else 0
    return found


@ask(chapter=5, objective=5)
def whose_bits(seed: Seed) -> Case:
    """P36: two kexecs of a file that is touched in part."""
    hole, touched, late = seed.among((2, 1, 3), *permutations(range(4), 3))
    kept = [64 * index for index in range(4) if index != hole]
    return Case(
        asks="Two kexecs. The second kernel writes to a held page and to a hole, the third reads a page. "
        "**Which kernel, 1, 2 or 3, has set the PFN bit of each page's frame?**",
        program=f"""
{OPEN}
for place in {kept}: m.os.pwrite(fd, bytes(64), place)
m = m.kexec()
{OPEN}
m.os.pwrite(fd, b"!", {64 * touched})
m.os.pwrite(fd, b"!", {64 * hole})
m = m.kexec()
{OPEN}
m.os.pread(fd, 1, {64 * late})
""",
        read=bits_set_by,
        rule="A bit is set when a frame becomes a page of the file, and never again.",
        look="`.play().why('bit', pfn=...)` names the step, and the step its kernel.",
        mistakes=("spend-the-bit",),
        misread={
            "a touch sets the bit anew": lambda run: bits_set_by(run) | {f"page {touched}": 2} | {f"page {late}": 3},
            "bits are set at the kexec, by the kernel that ends": lambda _: dict.fromkeys(pages(4), 2),
        },
    )
