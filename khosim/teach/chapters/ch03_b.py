"""Chapter 03, second half: the size that crosses, and a kexec between two steps."""

from __future__ import annotations

from khosim.teach.case import OPEN, Case, Played
from khosim.teach.chapters.ch03 import FOUR, found_by_next, next_kernel, when
from khosim.teach.question import ask
from khosim.teach.seed import Seed

__all__: list[str] = []


@ask(chapter=3, objective=4)
def size_that_crosses(seed: Seed) -> Case:
    """A write, a longer file, and a write inside it."""
    head = seed.among(b"head", b"h", b"a longer head")
    size, pos = seed.among(192, 256), seed.among(64, 128)
    return Case(
        asks="Two writes, and between them the file is made longer. Then a kexec. **How many bytes has the file that"
        " the second kernel opens?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, {head!r}, 0)
m.os.ftruncate(fd, {size})
m.os.pwrite(fd, b"data", {pos})
m = m.kexec()
{OPEN}
size = m.os.fstat(fd).st_size
""",
        read=lambda run: run.names["size"],
        rule="Only a write that goes past `i_size` stores the size in the KHO inode.",
        look="Both sizes are drawn with the file. Which of these calls moves which?",
        mistakes=("every-write-tells",),
        misread={"the end of the last write": lambda _: pos + 4, "no size crosses at all": lambda _: 0},
        shape=FOUR,
    )


@ask(chapter=3, objective=4, check=True)
def size_after_the_others(seed: Seed) -> Case:
    """The size a file comes back with after calls that are no write past the end."""
    size = seed.among(100, 80, 120)
    line = seed.among(
        "m.os.posix_fallocate(fd, 0, 200)", "m.os.ftruncate(fd, 50)", "m.os.ftruncate(fd, 256)",
        "m.os.ftruncate(fd, 192)\nm.os.pwrite(fd, b'inside', 130)",
    )  # fmt: skip

    def own_size(run: Played) -> int:
        return run.history.seek(run.history.kexecs[0] - 1).inode.i_size[0]

    return Case(
        asks="**How many bytes has the file that the second kernel opens?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, bytes({size}), 0)
{line}
m = m.kexec()
{OPEN}
size = m.os.fstat(fd).st_size
""",
        read=lambda run: run.names["size"],
        rule="Only a write that goes past `i_size` stores the size in the KHO inode.",
        look="Stop before the kexec, and compare the two sizes of the file.",
        misread={"the first kernel's own size crosses": own_size},
        shape=FOUR,
    )


STOPS = {
    "block_set": "when the block has been stored and nothing after it",
    "bit_set": "when the PFN bit has been stored and nothing after it",
    "copy_in": "when the two bytes have been copied into the page and nothing more",
}
READS = ("zeroes", "the new bytes", "what the frame's last owner left", "nothing")


@ask(chapter=3, objective=5)
def a_block_too_early(seed: Seed) -> Case:
    """A kexec in the middle of a write."""
    page, stop = seed.among(0, 1, 3), seed.among(*STOPS)
    data, wrong = seed.among(b"hi", b"ok"), "new-page-is-zeroed"
    filled = page <= 2 and stop == "copy_in"
    if page > 2:
        wrong = "size-before-bytes"
    elif stop == "bit_set":
        wrong = "block-then-bit"

    def read(run: Played) -> str:
        found = found_by_next(run.history.seek(when(run.history, stop)), 2, 64 * page)
        return dict(zip((bytes(2), data, b"\xa5\xa5", b""), READS, strict=True))[found]

    return Case(
        asks=f"Another CPU calls kexec in the middle of the second `pwrite`: {STOPS[stop]}. The next kernel opens the"
        f" file and reads two bytes at {64 * page}. **What does it get?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, b"end", 128)
m.os.pwrite(fd, {data!r}, {64 * page})
""",
        read=read,
        options=READS,
        rule="The next kernel believes a block. It cannot know whether the page was filled, only how long the file is.",
        look="Stop at that step. Which size is in the KHO inode, which frame does the block name, what is in it?",
        mistakes=() if filled else (wrong,),
        misread={"a page is handed over when its write has returned": lambda _: READS[0]} if filled else {},
        shape=FOUR,
    )


@ask(chapter=3, objective=5, check=True)
def four_moments(seed: Seed) -> Case:
    """The size that the next kernel finds, at four moments of a write past the end."""
    first, pos = seed.among(b"one", b"A", b"A longer one"), seed.among(128, 64, 200)
    names = ("bit_set", "block_set", "copy_in", "kho_i_size")

    def read(run: Played) -> list[int]:
        found = []
        for name in names:
            m = next_kernel(run.history.seek(when(run.history, name)))
            found.append(m.os.fstat(m.os.memfd_create("guest", 0x80)).st_size)
        return found

    return Case(
        asks="The second `pwrite` is cut off by a kexec: after it has stored the bit; after the block; after it has"
        " copied the bytes; after the KHO inode's size. **Which size does the next kernel find, in each case?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, {first!r}, 0)
m.os.pwrite(fd, b"more", {pos})
""",
        read=read,
        rule="The next kernel has the size that was in the KHO inode at that moment, and no other.",
        look="Stop at each of the four steps of the second `pwrite`, and read the KHO inode's size.",
        mistakes=("size-before-bytes",),
        misread={"the size comes with the block": lambda _: [len(first), pos + 4, pos + 4, pos + 4]},
        shape=FOUR,
    )
