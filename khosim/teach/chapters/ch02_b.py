"""Chapter 02, its closing questions and the exercise by hand."""

from __future__ import annotations

from khosim.teach.case import PAGE, Case
from khosim.teach.chapters.ch02 import EVERYBODY, KINDS, kinds, pages_after
from khosim.teach.question import ask
from khosim.teach.seed import Seed
from khosim.teach.task import by_hand

__all__: list[str] = []


@ask(chapter=2, objective=4, check=True)
def who_gets_no_folio(seed: Seed) -> Case:
    """A monitor asks for three pages of different kinds."""
    order = seed.some(KINDS, 3)
    at = {kind: order.index(kind) for kind in KINDS}
    lines = "\n".join(f"ask({page})" for page in range(3))
    return Case(
        asks="A monitor asks for three pages with UFFDIO_CONTINUE, which calls the lookup with SGP_NOALLOC."
        " **Which errno does it get for each? 0 is none, 14 is EFAULT.**",
        program=f"""
fd = m.os.memfd_create("notes")
m.os.ftruncate(fd, {3 * PAGE})
m.os.pwrite(fd, b"data", {at["page"] * PAGE})
m.os.posix_fallocate(fd, {at["promised"] * PAGE}, {PAGE})
view = m.mmap(fd, {3 * PAGE})
view.uffd_register("minor")
errors = {{}}
def ask(page):
    try:
        errors[page] = view.uffd_continue(page) or 0
    except OSError as error:
        errors[page] = error.errno
{lines}
""",
        read=lambda run: {f"page {page}": errno for page, errno in run.names["errors"].items()},
        rule="SGP_NOALLOC takes what is in the page cache, zeroed if it was promised only. Of a hole it gets ENOENT.",
        look="Play it: which of the three calls comes to the step with *No folio*?",
        mistakes=("everybody-gets-a-page",),
        misread={"a promised page counts as a hole": lambda run: {
            f"page {page}": 0 if page == at["page"] else 14 for page in run.names["errors"]}},
    )  # fmt: skip


@ask(chapter=2, objective=3, check=True)
def past_the_end(seed: Seed) -> Case:
    """A mapping is longer than its file."""
    size = seed.among(70, 100, 64, 127, 65, 90)
    places = (size - 1, size + 30 - size % 2, 200)
    return Case(
        asks=f"A file of {size} bytes is mapped with room for four pages. **Does a load of byte"
        f" {', '.join(map(str, places[:-1]))} or {places[-1]} end in SIGBUS?** True is SIGBUS.",
        program=f"""
fd = m.os.memfd_create("notes")
m.os.pwrite(fd, b"A" * {size}, 0)
view = m.mmap(fd, {4 * PAGE})
refused = {{}}
for place in {places}:
    try:
        view[place]
    except khosim.BusError:
        refused[place] = True
""",
        read=lambda run: {place: place in run.names["refused"] for place in places},
        rule="SIGBUS is for pages that begin at or past the end. The rest of the last page can be loaded.",
        look="Compare the byte's page with the page of the last byte of the file.",
        mistakes=("touch-makes-longer",),
        misread={"every byte past the end is refused": lambda _: {place: place >= size for place in places}}
        if size + 30 - size % 2 < 2 * PAGE and size > PAGE else {},
    )  # fmt: skip


@ask(chapter=2, objective=2, check=True)
def next_hole(seed: Seed) -> Case:
    """Data, a promise, a load and a hole in a row."""
    first = seed.among(2, 1, 3, 4, 5, 6, 7)
    return Case(
        asks="Some pages are written, the next one is loaded through a mapping, the one after it is promised."
        " **Where does `SEEK_HOLE` find the first hole, counted in pages?**",
        program=f"""
fd = m.os.memfd_create("notes")
m.os.ftruncate(fd, {10 * PAGE})
m.os.pwrite(fd, b"A" * {first * PAGE}, 0)
view = m.mmap(fd, {10 * PAGE})
view[{first * PAGE}]
m.os.posix_fallocate(fd, {(first + 1) * PAGE}, {PAGE})
m.os.pread(fd, {10 * PAGE}, 0)
hole = m.os.lseek(fd, 0, m.os.SEEK_HOLE) // {PAGE}
""",
        read=lambda run: int(run.names["hole"]),
        rule="Data is what is in the page cache and uptodate, whoever brought it there, and whatever it holds.",
        look="Play it, and look for the first slot that is empty or not uptodate.",
        mistakes=("load-leaves-a-hole", "promise-is-zeroes", "read-fills-a-hole"),
    )


@ask(chapter=2, objective=5, check=True)
def frames_for_bytes(seed: Seed) -> Case:
    """Single bytes, written with huge pages asked for."""
    places = seed.among((0, 3, 8), (9, 1, 4), (17, 16, 30), (2, 12, 20), (5, 6, 7))
    small = seed.among(25, 27, 31)
    return Case(
        asks=f"A byte is written into page {small}. Then huge pages are asked for, and one byte is written into each of"
        f" the pages {', '.join(map(str, places))}, and into page 24. **How many frames do these writes take,"
        " from `before` on?**",
        program=f"""
fd = m.os.memfd_create("notes")
m.os.pwrite(fd, b"s", {small * PAGE})
m.huge(True)
before = m.nr_free
for page in {places}:
    m.os.pwrite(fd, b"x", page * {PAGE})
m.os.pwrite(fd, b"y", {24 * PAGE})
""",
        read=lambda run: run.names["before"] - run.names["m"].nr_free,
        rule="Eight frames for each eight pages that are touched and empty; one frame where one of the eight is taken.",
        look="Which of the pages lie in the same eight?",
        mistakes=("huge-or-nothing", "huge-when-filled"),
    )


@ask(chapter=2, objective=3, check=True)
def same_size(seed: Seed) -> Case:
    """Pages are promised past the end of a file, which is then set to the size it has."""
    data, more = seed.number_from(1, 3), seed.number_from(2, 5)
    return Case(
        asks=f"A file has {64 * data} bytes. It is promised {more} pages more, its size kept. Then `ftruncate` sets the"
        " size that it has. **How many pages are left in the page cache?**",
        program=f"""
fd = m.os.memfd_create("notes")
m.os.pwrite(fd, b"A" * {data * PAGE}, 0)
m.os.fallocate(fd, khosim.FALLOC_FL_KEEP_SIZE, {data * PAGE}, {more * PAGE})
m.os.ftruncate(fd, {data * PAGE})
""",
        read=lambda run: pages_after(run)[-1],
        rule="`ftruncate` drops what lies past the size it is given, even if that is the size already.",
        look="Play it: what does `ftruncate` find in the page cache?",
        mistakes=("cut-is-a-number",),
    )


@by_hand(chapter=2, objective=2, hints=(
    "Draw eight boxes. For each line ask first: may this caller allocate? Then: does it fill what it gets?",
    '`exercise("kinds-of-pages").play()`, then Page Down. The frame of a promised page lacks the flag *uptodate*.',
))  # fmt: skip
def kinds_of_pages(seed: Seed) -> Case:
    """Eight pages, and what becomes of them."""
    a, b, c, d, e = seed.some((1, 2, 3, 5, 6), 5)
    return Case(
        asks="A file of eight pages. On paper, draw the eight pages after each line. **What is each page at the"
        " end: a `hole`, `promised`, or a `page` with contents?**",
        program=f"""
fd = m.os.memfd_create("notes")
m.os.ftruncate(fd, {8 * PAGE})
m.os.posix_fallocate(fd, {a * PAGE}, {PAGE})
m.os.posix_fallocate(fd, {b * PAGE}, {PAGE})
m.os.pwrite(fd, b"data", {c * PAGE})
m.os.pread(fd, {8 * PAGE}, 0)
view = m.mmap(fd, {8 * PAGE})
view[{d * PAGE}], view[{b * PAGE}]
m.os.fallocate(fd, khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE, {c * PAGE}, {PAGE})
m.os.pwrite(fd, b"more", {e * PAGE})
""",
        read=lambda run: kinds(run, 8),
        rule=EVERYBODY + " A punch makes a hole.",
        look='`trace.why("cache", index=...)` finds the call that filled or emptied a slot.',
        options=KINDS,
        mistakes=("read-fills-a-hole", "load-leaves-a-hole", "promise-is-zeroes", "promise-is-a-number"),
    )
