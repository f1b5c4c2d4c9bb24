"""Chapter 07, further kexecs and damage: questions about bits that are inherited, and about what a boot notices."""

from __future__ import annotations

from functools import partial

from khosim.teach.case import OPEN, Case, Played
from khosim.teach.question import ask
from khosim.teach.seed import Seed


def bits_set(run: Played) -> int:
    """How often a bit was set after the first kexec."""
    trace = run.history
    later = (trace[t].step for t in range(trace.kexecs[0], trace.steps + 1))
    return sum(step.name == "bit_set" for step in later if step)


@ask(chapter=7, objective=4)
def bits_after_the_first_kexec(seed: Seed) -> Case:
    """How often taking back sets a bit."""
    count = seed.among(1, 2, 3)
    new = seed.among(1, 0, 2)
    third = seed.among("", "m = m.kexec()\n")
    touch = f"{OPEN}\nm.os.pread(fd, {64 * count}, 0)\n"
    also = f" The second kernel also writes {('a new page', 'two new pages')[new - 1]}." if new else ""
    grow = f'm.os.pwrite(fd, b"+" * {64 * new}, {64 * count})\n' if new else ""
    return Case(
        asks=f"The first kernel writes {('one page', 'two pages', 'three pages')[count - 1]}. Two later kernels read"
        f" the file.{also} **In how many steps is a PFN bit set after the first kexec?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, b"keep" * {16 * count}, 0)
m = m.kexec()
{touch}{grow}m = m.kexec()
{third}{touch}""",
        read=bits_set,
        rule="A bit is set when a frame is new to the file. A page that is taken back has its bit from before.",
        look="Play it, and look for the function `bitmap_set()`.",
        mistakes=("restore-sets-the-bit",),
    )


@ask(chapter=7, objective=4, check=True)
def alive_in_the_third_kernel(seed: Seed) -> Case:
    """Which pages live through two kexecs."""
    count = seed.among(3, 2, 4, 5)
    touched = seed.among(1, 0) if count == 2 else seed.among(1, 0, 2)
    words = tuple(f"page {n}" for n in range(count))
    return Case(
        asks=f"{count} pages are written. The second kernel reads page {touched} and no other. **Which pages does the"
        " third kernel read as they were written?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, b"keep" * {16 * count}, 0)
m = m.kexec()
{OPEN}
m.os.pread(fd, 4, {64 * touched})
m = m.kexec()
{OPEN}
got = [m.os.pread(fd, 4, 64 * n) for n in range({count})]
""",
        read=lambda run: {word for word, got in zip(words, run.names["got"], strict=True) if got == b"keep"},
        rule="A page lives by its bit. Touched or not, the bit is still set, in the bitmap that every kernel inherits.",
        look="Compare the word at the bitmap's address in the three kernels.",
        options=words,
        mistakes=("bits-begin-anew",),
        misread={"only what was used is kept": lambda _: {words[touched]}},
    )


REFUSED, SAME = "refused", "as before"
OTHER, GONE = "reads otherwise", "not found"
CHECKSUM = {"the handover has a checksum": REFUSED}
MEASURED = {"the size is read off the blocks": SAME}
LOSES_ONE = ("damage-costs-one-file", "believes-unseen")
FLIPS: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    "m.words[0x600 >> 3] ^= 4": (" in the size in the KHO inode", (), CHECKSUM | MEASURED),
    "m.words[0x600 >> 3] ^= 1": (" in the size in the KHO inode", (), CHECKSUM | MEASURED),
    "m.words[0x608 >> 3] ^= 64": (" in block 0", LOSES_ONE, {}),
    "m.words[0x610 >> 3] ^= 8": (" in block 1", LOSES_ONE, {}),
    "m.words[0x500 >> 3] ^= 1 << 0x30": (": the PFN bit of a free frame", (), CHECKSUM),
    "m.words[0x500 >> 3] ^= 1 << 0x14": (": the PFN bit of the bitmap's own frame", ("believes-unseen",), {}),
    "m.words[0x500 >> 3] ^= 1 << 0x1b": (": the PFN bit of page 0's frame", LOSES_ONE, {}),
    "m.ram[0x300] ^= 1": (" in the first byte of the FDT", (), {"the first bytes of an FDT say nothing": SAME}),
    "m.ram[0x300 + 0xd4] ^= 1": (" in the file's name in the FDT", (), CHECKSUM | {"a name is in the KHO inode": SAME}),
    "m.ram[0x300 + 0x1f0] ^= 1": (" in a byte behind the end of the FDT", (), CHECKSUM),
    "m.ram[0x6c0] ^= 1": (" in the page itself", (), CHECKSUM | {"the page is there a second time": SAME}),
}
"""A flipped bit as a line of a program, what it is in, and which beliefs answer otherwise: mistakes, then misreadings.

Of the first file that a machine of 64 frames makes.
"""


def unread(word: str, _: Played) -> str:
    """What a belief answers without a look at the run."""
    return word


def outcome(run: Played) -> str:
    """What a boot made of a flipped bit."""
    m = run.names["m"]
    if any("refused" in words for words in m.complaints):
        return REFUSED
    if "guest" not in run.names["known"]:
        return GONE
    return SAME if run.names["got"] == b"keep" else OTHER


@ask(chapter=7, objective=5)
def one_flipped_bit(seed: Seed) -> Case:
    """What the next boot says to one flipped bit."""
    flip = seed.among(*FLIPS)
    what, mistakes, misread = FLIPS[flip]
    return Case(
        asks=f"One bit flips{what}. **What becomes of the file at the kexec?** It is as before, it reads"
        " otherwise, it is not found by its name, or the handover is refused as a whole.",
        program=f"""
{OPEN}
m.os.pwrite(fd, b"keep", 0)
{flip}
m = m.kexec()
from khosim.state import handover
known = [file.name for file in handover.files(m)]
{OPEN}
got = m.os.pread(fd, 64, 0)
""",
        read=outcome,
        rule="A boot has no checksum. It sees what contradicts something else in the handover, and nothing more.",
        look="Play it, and read what the second kernel says of the handover.",
        options=(REFUSED, SAME, OTHER, GONE),
        mistakes=mistakes,
        misread={belief: partial(unread, word) for belief, word in misread.items()},
    )


DAMAGE = {
    "m.words[(handover.find(m, name) >> 3) + 1] += 8": "block 0 now starts inside a frame",
    "m.words[handover.find(m, name) >> 3] = 1 << 40": "its size is 1 TiB",
    "m.words[(handover.find(m, name) >> 3) + 3] = 0x400": "block 2 now names frame 0x10, the FDT's",
    "m.words[m.bitmap_phys >> 3] ^= 1 << (m.words[(handover.find(m, name) >> 3) + 1] >> 6)": "page 0 has lost its bit",
}
HARMLESS = {
    "m.arrays['phys'][m.words[(handover.find(m, name) >> 3) + 1] // m.page_size][0] ^= 1": "a byte of its page",
    "m.words[handover.find(m, name) >> 3] = 2": "its size is 2 bytes",
    "m.words[(handover.find(m, name) >> 3) + 1] = 0": "block 0 now names no frame",
    "m.words[handover.find(m, name) >> 3] = 200": "its size is 200 bytes",
}


@ask(chapter=7, objective=5, check=True)
def one_damaged_file(seed: Seed) -> Case:
    """How many files cross if one of them is damaged."""
    line, what = seed.among(*DAMAGE.items(), *HARMLESS.items())
    files = seed.among(("guest", "mail"), ("guest", "mail", "log"))
    name = seed.among(*files)
    makes = "\n".join(f'm.os.pwrite(m.os.memfd_create("{file}", khosim.MFD_KHO), b"keep", 0)' for file in files)
    unhurt = {"what was hit is left behind": lambda _: len(files) - 1, "every stray write is seen": lambda _: 0}
    return Case(
        asks=f"{len(files)} files are written. Then a stray write hits what belongs to `{name}`: {what}."
        " **How many files does the second kernel know?**",
        program=f"""
from khosim.state import handover
{makes}
name = "{name}"
{line}
m = m.kexec()
known = [file.name for file in handover.files(m)]
""",
        read=lambda run: len(run.names["known"]),
        rule="The handover is believed as a whole, or not at all.",
        look="Read the second kernel's complaint, and the step after it.",
        mistakes=("damage-costs-one-file", "believes-unseen") if line in DAMAGE else (),
        misread=unhurt if line in HARMLESS else {},
    )
