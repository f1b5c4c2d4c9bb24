"""Chapter 07: the exercises."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import khosim
from khosim.run.history import History
from khosim.state import handover, page_cache
from khosim.state.blocks import load_block
from khosim.state.machine import MachineState
from khosim.teach.beside import differences
from khosim.teach.case import OPEN, Case, Played, play
from khosim.teach.recorded import is_read, open_file, wrong_bit
from khosim.teach.seed import Seed
from khosim.teach.task import by_hand, change, discuss, write_path
from khosim.user.machine import Machine

FLIP = "m.words[m.bitmap_phys >> 3] ^= 1 << {}\nm = m.kexec()"


@by_hand(
    chapter=7,
    objective=3,
    hints=(
        "Ask of each frame: does it have a bit? If not, who wrote to it last during the boot?",
        "K is 0x4b, poison 0xaa, and an FDT begins with 0xd0. A frame that nobody wrote to reads as before.",
    ),
)
def what_a_frame_reads(seed: Seed) -> Case:
    """What is in a frame after a kexec."""
    letter, kexecs = seed.among("k", "s", "t"), seed.among(1, 2)
    lost, kept = 0x18 - 3, 0x1B
    where = {"0x1": 1, "0x5": 5, "0x9": 9, "0xc": 12, f"{lost:#x}": lost, f"{kept:#x}": kept}
    return Case(
        asks=f"`guest` has its page in frame {kept:#x}, and `scrap` in frame {lost:#x}. The first kernel booted in"
        " frames 0 to 3, and scratch is 4 to 0xb. **What is the first byte of each of these frames at the end?** Write"
        " an A as 0x41.",
        program=f"""
m.os.pwrite(m.os.memfd_create("guest", khosim.MFD_KHO), b"{letter * 4}", 0)
m.os.pwrite(m.os.memfd_create("scrap"), b"{letter * 4}", 0)
"""
        + "m = m.kexec()\n" * kexecs,
        read=lambda run: {name: run.names["m"].ram[64 * pfn] for name, pfn in where.items()},
        rule=lambda name: f"Frame {name} is the kernel's, or preserved, or free; a free one is filled with poison.",
        look="Click the frame in the last step.",
        misread={"a kexec clears memory": lambda _: dict.fromkeys(where, 0)},
    )


@change(
    chapter=7,
    objective=4,
    hints=(
        "The second kernel has to write a page that the first one never had.",
        "`cause = trace.why('bit', pfn=...)` finds the step that set a bit. `trace[cause.t].kernel` counts all boots.",
    ),
)
def bits_of_two_kernels(trace: History) -> Iterator[tuple[int, str]]:
    """Record a run of three kernels with a file `guest` of two pages.

    The third kernel brings both pages back by reading them, and has them at the end. The bit of page 0 was set by the
    first kernel of the recording, that of page 1 by the second. `exercise("bits-of-two-kernels", trace)` judges it.
    """
    end = trace.seek(trace.steps)
    if len(trace.kexecs) != 2:
        yield trace.steps, f"It has {len(trace.kexecs)} kexecs, not two."
        return
    guest = open_file(end, "guest")
    if guest is None:
        yield trace.steps, "At the end the third kernel has no file `guest` open with the flag."
        return
    pages = -(-end.inode.i_size[guest] // end.page_size)
    if pages != 2:
        yield trace.steps, f"At the end `guest` has {pages} page{'s' * (pages != 1)}."
    for page in (0, 1):
        frame = page_cache.load(end, guest, page)
        if frame < 0:
            yield trace.steps, f"Page {page} of `guest` is not in the third kernel's page cache."
            return
        came = trace[trace.why("cache", ino=guest, index=page).t]
        if came.call is None or not is_read(trace.calls[came.call]):
            yield came.t, f"The third kernel brings page {page} back here, and not by reading it."
        yield from wrong_bit(trace, frame, page, page)


@write_path(
    chapter=7,
    objective=4,
    hints=(
        "In a new machine `m.fdt_phys` and `m.bitmap_phys` are 0. Set them, and `khosim.state.handover` helps.",
        "Clear the bitmap's words. Then set the bit of each frame that something names, and let the posted path go on.",
    ),
    paths=("kho_populate",),
    lines=(
        "m = m.kexec()",
        FLIP.format("0x1b  # page 0"),
        FLIP.format("0x14  # the bitmap's own frame"),
        FLIP.format("0x30  # nobody's"),
        "m.words[m.bitmap_phys >> 3] ^= 2**64 - 1  # every bit\nm = m.kexec()",
        f"m = m.kexec(); {OPEN}; m.os.pwrite(fd, b'more', 64)\nm = m.kexec()",
    ),
    most=3,
    start=f"{OPEN}; m.os.pwrite(fd, b'keep', 0); m.os.pwrite(fd, b'this', 192)\n{OPEN.replace('guest', 'two')};"
    " m.os.pwrite(fd, b'too', 64)",
)
def bits_from_the_lists(run: Played) -> Iterator[str]:
    """Everything that has a bit is named somewhere: in the FDT, or in a block.

    So the bitmap can be made anew. Write a `kho_populate()` that trusts the lists, and makes the bits itself.
    Programs of one to six kexecs are tried, some with a bit of the bitmap flipped before, some with every bit. Some
    write a page on the way. In the end each page of both files must read as it was written. The bits must be those of
    what is named: no bit more, no bit less. And as many frames must be free as if no bit had been flipped.
    """
    m = run.names["m"]
    if m.boots == 1:
        return
    unhurt = "\n".join(line for line in run.program.split("\n") if not line.startswith("m.words"))
    try:
        if run.error:
            yield f"The program fails: {run.error}."
        if not handover.find(m, "guest"):
            yield "No file `guest` is known: " + " ".join(m.complaints)
        yield from bits(m)
        yield from differences(run, unhurt)
        found, written = read(m), read_unhurt(unhurt)
        yield from (f"`{n}` does not read as it was written." for n in written if found.get(n) != written[n])
    except (handover.HandoverError, OSError) as error:
        yield f"The files cannot be read: {error}."


def bits(m: MachineState) -> Iterator[str]:
    """Where the bits are not those of what the FDT and the blocks name."""
    starts = [load_block(m, file.inode, index) for file in handover.files(m) for index in range(m.config.nblocks)]
    named = {*handover.metadata(m), *(start // m.page_size for start in starts if start)}
    if more := {*handover.preserved(m)} - named:
        yield f"Frame {min(more):#x} has a bit, and nothing names it."
    if less := named - {*handover.preserved(m)}:
        yield f"Frame {min(less):#x} has no bit."


def read(m: Machine) -> dict[str, bytes]:
    """What each preserved file reads."""
    opened = {file.name: m.os.memfd_create(file.name, khosim.MFD_KHO) for file in handover.files(m)}
    return {name: m.os.pread(fd, 256, 0) for name, fd in opened.items()}


@lru_cache
def read_unhurt(program: str) -> dict[str, bytes]:
    """What the files of a program read on the kernel as posted."""
    return read(play(program).names["m"])


@discuss(
    chapter=7,
    objective=5,
    hints=(
        "A stray write while the first kernel runs, or damage in the gap itself: which would your checksum see?",
        "P39: nothing is left to do at a kexec. What would there be to do now, and how long does it take for 1 TiB?",
    ),
)
def where_to_put_a_checksum() -> None:
    """The handover has no checksum, and neither has the patch's own data. Give it one, on paper.

    What does it cover, who computes it, and when? What does it cost at each write, and at the kexec? Which damage of
    *One flipped bit* would it find, and which would it seal? `exercise("where-to-put-a-checksum", "...")` takes your
    text.
    """
