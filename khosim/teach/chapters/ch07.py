"""Chapter 07, what crosses the gap: questions about a handover's bytes, who reads them, and what damage does."""

from __future__ import annotations

from functools import cache

from khosim.state import fdt, handover
from khosim.teach.case import OPEN, Case, Played, play
from khosim.teach.question import ask
from khosim.teach.seed import Seed

LOOK_AT_BOOT = "Play it, and walk through the steps of a `kexec`."


@ask(chapter=7, objective=1)
def bytes_of_an_address(seed: Seed) -> Case:
    """Where the FDT says the bitmap is."""
    frames = seed.among(64, 128, 192, 256)
    page_size = seed.among(64, 128)
    room = seed.among(512, 1024)
    start = 3 * max(2, frames // 16)
    return Case(
        asks=f"A machine of {frames} frames of {page_size} bytes has booted. Its FDT begins in frame {start:#x}. {room}"
        " bytes are set aside for it, and the PFN bitmap's frame follows. The FDT holds the bitmap's physical address"
        ' in a property of eight bytes. **Which eight?** The byte 0x1f is written `\\x1f`, as in `b"\\x1f\\x00"`.',
        program="root = bytes(m.ram[m.fdt_phys : m.fdt_phys + m.config.fdt_bytes])\nm = m.kexec()",
        read=lambda run: fdt.decode(run.names["root"]).properties["pfn-bitmap"],
        rule="A number in an FDT has its highest byte first, on every machine. Addresses count bytes, not frames.",
        look="Play it, and stop where the next kernel has found the handover. It says an address.",
        mistakes=("fdt-in-native-order",),
        misread={"it is the number of the frame": lambda run: fdt.u64(run.names["m"].bitmap_phys // page_size)},
        shape={"frames": frames, "page_size": page_size, "fdt_bytes": room},
    )


def totalsize(run: Played, machine: str) -> int:
    """What the FDT of a machine says of its own size."""
    return int.from_bytes(run.names[machine], "big")


@ask(chapter=7, objective=1, check=True)
def bytes_for_a_name(seed: Seed) -> Case:
    """How much an FDT grows by one more file."""
    name = seed.among("mail", "db", "log", "guest", "journal", "vm", "disk-image", "a")
    return Case(
        asks=f"The FDT names the file `guest`. Now a file `{name}2` is made. Its node has 8 characters. It has the"
        " same two properties. **By how many bytes does `totalsize` grow?**",
        program=f"""
m.os.memfd_create("guest", khosim.MFD_KHO)
before = bytes(m.ram[m.fdt_phys + 4 : m.fdt_phys + 8])
m.os.memfd_create("{name}2", khosim.MFD_KHO)
after = bytes(m.ram[m.fdt_phys + 4 : m.fdt_phys + 8])
""",
        read=lambda run: totalsize(run, "after") - totalsize(run, "before"),
        rule="Names and values are filled up to a multiple of 4. A property's name stands in the strings block once.",
        look="Count the node's name with its NUL, two properties of 12 bytes and a value each, and the marks around.",
        misread={
            "the names of the properties are written again":
                lambda run: totalsize(run, "after") - totalsize(run, "before") + len("label inode "),
            "nothing is filled up": lambda _: 4 + len(f"file-700 {name}2 ") + 2 * 12 + 8 + 4,
        },
    )  # fmt: skip


@cache
def frame_of(index: int, before: int) -> int:
    """The frame that a page gets when `before` pages of another file were written first."""
    m = play(pages(index, before)).names["m"]
    return int(m.slots[m.file_pages + index])


def pages(index: int, before: int) -> str:
    """A program that writes one page of a file, after some of another."""
    return f"""
m.os.pwrite(m.os.memfd_create("other"), bytes({64 * before}), 0)
{OPEN}
m.os.pwrite(fd, b"keep", {64 * index})
"""


def block_bytes(run: Played, index: int) -> bytes:
    """The bytes of one block of `guest`."""
    m = run.names["m"]
    at = handover.files(m)[0].inode + 8 + 8 * index
    return bytes(m.ram[at : at + 8])


@ask(chapter=7, objective=2)
def bytes_of_a_block(seed: Seed) -> Case:
    """How a block names a frame."""
    index, before = seed.among(2, 0, 5, 9, 15), seed.among(3, 0, 7, 12, 20, 26)
    return Case(
        asks=f"A frame has 64 bytes. Page {index} of `guest` lies in frame {frame_of(index, before):#x}."
        " **Which eight bytes does its KHO inode hold for this page?** The byte 0x1f is written `\\x1f`.",
        program=pages(index, before),
        read=lambda run: block_bytes(run, index),
        rule="A block holds a physical address, as the CPU writes it: the lowest byte first.",
        look="The frame number times 64, in hexadecimal, from the right to the left.",
        mistakes=("frame-in-block",),
        misread={"numbers are written as in the FDT": lambda run: block_bytes(run, index)[::-1]},
    )


@ask(chapter=7, objective=2, check=True)
def byte_of_a_bit(seed: Seed) -> Case:
    """Where in memory a frame's bit is."""
    index, before = seed.among(0, 3), seed.among(5, 0, 1, 2, 6, 9, 14, 20, 26, 30)
    frame = frame_of(index, before)

    def changed(run: Played) -> dict[str, int]:
        before, after = run.names["before"], bytes(run.names["m"].ram[0x500:0x508])
        at = next(n for n in range(8) if before[n] != after[n])
        return {"address": 0x500 + at, "bit": before[at] ^ after[at]}

    lines = pages(index, before).strip().splitlines()
    return Case(
        asks=f"The PFN bitmap begins at 0x500. The page gets frame {frame:#x}. **At which address is the byte that has"
        " the frame's bit, and which number is the bit in this byte?** The lowest bit of a byte is 1, the highest 128.",
        program="\n".join([*lines[:-1], "before = bytes(m.ram[0x500:0x508])", lines[-1]]),
        read=changed,
        rule={"address": "A byte has the bits of eight frames, and the lowest byte comes first.",
              "bit": "Within a byte the frame with the lowest number has the bit 1."},
        look="Divide the frame's number by 8: the byte, and what is left over.",
        misread={
            "the highest byte comes first": lambda run: {**changed(run), "address": 0x507 - frame // 8},
            "the first frame has the highest bit": lambda run: {**changed(run), "bit": 128 >> frame % 8},
        },
    )  # fmt: skip


@ask(chapter=7, objective=3)
def where_kernels_boot(seed: Seed) -> Case:
    """In which frames the kernels of a chain stand."""
    kexecs = seed.among(3, 2, 4)
    frames, kernel = seed.among((64, 4), (64, 3), (96, 6), (128, 8), (256, 16))
    return Case(
        asks=f"A machine of {frames} frames. A kernel boots in {kernel} of them. Scratch has {2 * kernel}. The first"
        f" kernel begins in frame 0, and scratch follows. Then come {kexecs} kexecs. **In which frame does each of the"
        f" {kexecs + 1} kernels begin?**",
        program="first = [m.kernel_start]\n" + "m = m.kexec()\nfirst.append(m.kernel_start)\n" * kexecs,
        read=lambda run: run.names["first"],
        rule="A kernel that ends is over. The next one needs a place that holds nothing preserved, and scratch is one.",
        look="Each `kexec` has a step that says where the next kernel boots.",
        mistakes=("boots-beside",),
        misread={"a kernel always boots where the first one did": lambda _: [0] * (kexecs + 1)},
        shape={"frames": frames, "kernel_frames": kernel},
    )


@ask(chapter=7, objective=3, check=True)
def frames_kept_out(seed: Seed) -> Case:
    """How many frames the second kernel spares."""
    one, two = seed.among(3, 1, 2, 6), seed.among(0, 1, 4)
    return Case(
        asks="FDT and bitmap take 8 and 1 frames, a KHO inode takes 3. **How many frames does the second kernel keep"
        " out of its allocator for the first one's sake?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, bytes({64 * one}), 0)
m.os.pwrite(m.os.memfd_create("mail", khosim.MFD_KHO), bytes({64 * two}), 0)
m.os.pwrite(m.os.memfd_create("scrap"), bytes(128), 0)
m = m.kexec()
""",
        read=lambda run: len(handover.preserved(run.names["m"])),
        rule="Each set bit keeps one frame: the pages of preserved files, and what the handover itself lies in.",
        look=LOOK_AT_BOOT,
        mistakes=("bitmap-without-a-bit",),
        misread={
            "only pages are kept": lambda _: one + two,
            "every file crosses": lambda run: len(handover.preserved(run.names["m"])) + 2,
        },
    )
