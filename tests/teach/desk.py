"""A small chapter for the tests: questions and exercises whose answers a few lines of Python can check."""

from khosim.state.invariants import violations
from khosim.steps import PATHS, Step
from khosim.teach.case import Case
from khosim.teach.task import TASKS

OPEN = "fd = m.os.memfd_create('guest', khosim.MFD_KHO)"


def without_block(m, ino, index, sgp):
    """A kernel that forgets the block of a fresh page."""
    folio = yield from PATHS["shmem_alloc_kho_folio"](m, ino, index, sgp)
    if folio >= 0:
        m.words[(m.inode.kho[ino] >> 3) + 1 + index] = 0
        yield Step("forget", "Block {index} is forgotten.", index=index)
    return folio


def first_byte(seed):
    """What a read finds after a kexec."""
    page, letter = seed.among(1, 0, 2), seed.among(b"x", b"y", b"z")
    return Case(
        asks=f"One byte is written. **What is byte {64 * page}** after a kexec?",
        program=f"""
{OPEN}
m.os.pwrite(fd, {letter!r}, {64 * page})
m = m.kexec()
{OPEN}
got = m.os.pread(fd, 1, {64 * page})
""",
        read=lambda run: run.names["got"],
        rule="A block outlives the page cache.",
        look="Play it, and stop at `pread`.",
        mistakes=("forget-the-block",),
        misread={"the page cache crosses empty": lambda _: b"?"},
    )


def cached_pages(seed):
    """Which pages are cached."""
    count = seed.number_from(2, 4)
    return Case(
        asks=f"{count} pages are written, the last one is read after a kexec. **Which slot holds which frame?**",
        program=f"""
{OPEN}
m.os.pwrite(fd, bytes({64 * count}), 0)
m = m.kexec()
{OPEN}
m.os.pread(fd, 1, {64 * (count - 1)})
""",
        read=lambda run: {f"page {at}": run.names["m"].slots[at] >= 0 for at in range(count)},
        rule=lambda entry: f"{entry} is put back when it is used.",
        look="Press End.",
    )


def size_by_hand(seed):
    """The size after a write."""
    length = seed.number_from(1, 9)
    return Case(
        asks="How many bytes has the file?",
        program=f"{OPEN}\nm.os.pwrite(fd, bytes({length}), 0)",
        read=lambda run: run.history.why("i_size").new,
        rule="A write behind the end extends the file.",
        look="The last steps.",
    )


def only_one(_seed):
    """The same for every seed."""
    return Case(asks="**Is it?**", program=OPEN, read=lambda _: True, rule="It is.", look="Anywhere.")


def two_kexecs(trace):
    """Record a run with two kexecs."""
    if len(trace.kexecs) != 2:
        yield trace.steps, f"There are {len(trace.kexecs)} kexecs in it."


def mirror_the_size(run):
    """Keep the size in the KHO inode too."""
    yield from (line for line in violations(run.names["m"]) if line.startswith("Size mirrored"))


def who_pays():
    """Who pays for the first touch?"""


def judged(name, path):
    """The verdict; a wrong answer is shown."""
    verdict = TASKS[name].judge(path)
    assert verdict.right or verdict.trace.steps
    return verdict


def refused(name, path):
    """What is said of a wrong answer."""
    verdict = judged(name, path)
    assert not verdict.right
    return verdict.words


def nothing_more(_m, _ino):
    pass
