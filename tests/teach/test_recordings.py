"""Recordings that are given for an exercise of grade 2: wrong ones that look right, right ones that look unusual."""

from contextlib import suppress

import pytest

import khosim
from khosim.teach.task import TASKS

KHO, KEEP = khosim.MFD_KHO, khosim.FALLOC_FL_KEEP_SIZE


def verdict(name, program, m=None):
    m = m or khosim.boot()
    with m.record(name) as trace, suppress(OSError, khosim.KernelFailure):
        program(m)
    return TASKS[name].judge(trace)


def written(m, name="guest", pages=(0,), flags=KHO):
    """Open a file and write to pages of it; its descriptor."""
    fd = m.os.memfd_create(name, flags)
    for page in pages:
        m.os.pwrite(fd, b"x" * m.page_size, page * m.page_size)
    return fd


def read_both(m, fd):
    m.os.pread(fd, 2 * m.page_size, 0)


def store_in_both(m, fd):
    view = m.mmap(fd, 2 * m.page_size)
    view[0] = view[m.page_size] = 1


# ---- back without a read


def back(m, name="guest", flags=KHO, second=lambda _: None, third=lambda _: None, use="pwrite"):
    """Page 0 crosses two kexecs and is used in the third kernel."""
    written(m, name, flags=flags)
    m = m.kexec()
    second(m)
    m = m.kexec()
    third(m)
    fd = m.os.memfd_create(name, flags)
    {"pwrite": lambda: m.os.pwrite(fd, b"!", 5), "read": lambda: m.os.read(fd, 1), "none": lambda: None,
     "splice": lambda: m.os.splice(fd, 1, 0), "first byte": lambda: m.os.pwrite(fd, b"!", 0)}[use]()  # fmt: skip


def touched(m):
    """The page comes back, in a file that is not the first of its kernel."""
    m.os.memfd_create("before")
    m.mmap(m.os.memfd_create("guest", KHO), m.page_size)[0]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"name": "gast"}, "never opens `guest`"),
        ({"name": "gast", "third": lambda m: m.os.memfd_create("guest", KHO)}, "not brought the page back"),
        ({"flags": 0}, "never opens `guest` with the flag"),
        ({"second": touched}, "second kernel has the page"),
        ({"use": "none"}, "not brought the page back"),
        ({"use": "read"}, "This call is a `read`"),
        ({"use": "splice"}, "This call is a `splice`"),
        ({"use": "first byte"}, "the first byte is changed"),
    ],
)
def test_another_file_an_early_touch_and_any_read_are_told(how, said):
    found = verdict("back-without-a-read", lambda m: back(m, **how))
    assert not found.right
    assert said in found.words


@pytest.mark.parametrize("how", [{}, {"third": lambda m: written(m, "x")}, {"second": lambda m: written(m, "x")}])
@pytest.mark.parametrize("earlier", [0, 1])
def test_other_files_and_earlier_kernels_change_nothing(how, earlier):
    m = khosim.boot()
    for _ in range(earlier):
        m = m.kexec()
    assert verdict("back-without-a-read", lambda m: back(m, **how), m).right


@pytest.mark.parametrize("name", ["back-without-a-read", "three-that-stay", "bits-of-two-kernels"])
def test_a_recording_that_begins_after_the_write_is_told_so(name):
    m = khosim.boot()
    for file in ("guest", "kept"):
        written(m, file, (0, 1))

    def late(m):
        m = m.kexec()
        m = m.kexec() if name != "three-that-stay" else m
        for file in ("guest", "kept"):
            view = m.mmap(m.os.memfd_create(file, KHO), 2 * m.page_size)
            view[0], view[m.page_size]

    assert "No step of your run sets the bit of page 0." in verdict(name, late, m).words


# ---- three that stay


def three(m, name="kept", flags=KHO, maps=2):
    written(m, name, flags=flags)
    m = m.kexec()
    m.os.memfd_create("before")
    fd = m.os.memfd_create(name, flags)
    if not flags:
        m.os.pwrite(fd, b"x", 0)
    for view in [m.mmap(fd, m.page_size) for _ in range(maps)]:
        view[0]


def test_three_references_are_those_of_the_file_that_was_asked_for():
    assert verdict("three-that-stay", three).right
    assert verdict("three-that-stay", three, khosim.boot().kexec()).right
    assert "at the end: 2." in verdict("three-that-stay", lambda m: three(m, maps=1)).words
    for how in ({"flags": 0}, {"name": "other"}):
        found = verdict("three-that-stay", lambda m, how=how: three(m, **how))
        assert "Page 0 of `kept`, open with the flag" in found.words


# ---- a copy with holes


def copy(m, to="to", data=(b"data", b"more data"), pages=(1, 6), swapped=(), size=640):
    m.os.memfd_create("before")
    one = m.os.memfd_create("from")
    m.os.ftruncate(one, 640)
    m.os.pwrite(one, data[0], 64)
    m.os.pwrite(one, data[1], 384)
    two = m.os.memfd_create(to)
    m.os.ftruncate(two, size)
    for page in pages:
        m.os.pwrite(two, m.os.pread(one, 64, 64 * page), 64 * page)
    m.swapon()
    for page in swapped:
        m.swap_out(two, page)


def test_a_copy_may_be_in_swap():
    assert verdict("a-copy-with-holes", copy).right
    assert verdict("a-copy-with-holes", lambda m: copy(m, swapped=(1, 6))).right


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"to": "copy"}, "`from` and `to`"),
        ({"pages": range(10)}, "Page 0 is a hole in the first file"),
        ({"pages": range(10), "swapped": (0, 2, 3, 4, 5, 7, 8, 9)}, "Page 0 is a hole in the first file"),
        ({"data": (bytes(4), bytes(9)), "pages": ()}, "The first file is not what it was"),
        ({"pages": (1,)}, "do not read the same"),
        ({"size": 448}, "640 bytes"),
    ],
)
def test_a_copy_has_the_data_and_the_holes(how, said):
    assert said in verdict("a-copy-with-holes", lambda m: copy(m, **how)).words


def test_a_copy_that_was_made_before_the_recording_is_looked_at():
    m = khosim.boot()
    copy(m, pages=range(10))
    assert "Page 0 is a hole" in verdict("a-copy-with-holes", lambda m: m.drain(), m).words


# ---- out of reach


def lost(m, name="guest", between=lambda *_: None, last=lambda m, fd: m.os.pread(fd, 5, 64)):
    """A page past the end of the file that the KHO inode remembers, found again."""
    fd = m.os.memfd_create(name, KHO)
    m.os.ftruncate(fd, 128)
    m.os.pwrite(fd, b"found", 64)
    m.os.pwrite(m.os.memfd_create("other", KHO), b"o" * 64 + b"found", 0)
    m = m.kexec()
    other = m.os.memfd_create("other", KHO)
    m.os.pwrite(other, b"O", 0)
    fd = m.os.memfd_create(name, KHO)
    m.os.ftruncate(fd, 128)
    between(m, fd)
    last(m, fd)


def test_a_load_is_no_write_and_other_files_may_be_there():
    assert verdict("out-of-reach", lost).right
    assert verdict("out-of-reach", lambda m: lost(m, between=lambda m, fd: m.mmap(fd, 64)[0])).right


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"name": "gast"}, "no file `guest`"),
        ({"last": lambda m, _: m.os.pread(m.os.memfd_create("more"), 5, 64)}, "The last call is no `pread`"),
        ({"last": lambda m, _: m.os.pread(3, 5, 64)}, "not from a page of `guest`"),
        ({"between": lambda m, fd: m.os.pwrite(fd, b"found", 64)}, "The second kernel writes"),
        ({"between": lambda m, fd: m.mmap(fd, 128).__setitem__(64, 102)}, "The second kernel writes"),
    ],
)
def test_what_is_found_is_out_of_the_page_that_was_lost(how, said):
    found = verdict("out-of-reach", lambda m: lost(m, **how))
    assert not found.right
    assert said in found.words


# ---- five modes


def test_a_read_that_fails_is_a_call_that_fails():
    from khosim.teach.solutions.ch04 import five_calls

    def more(m):
        five_calls(m).os.pread(99, 1, 0)

    assert "`pread(99, 1, 0)` fails." in verdict("five-modes-one-way", more).words


# ---- one load maps two


@pytest.mark.parametrize("around", [4, 16])
def test_the_machine_is_booted_as_it_was_said(around):
    m = khosim.boot(fault_around=around)
    written(m, pages=range(4))

    def load(m):
        m = m.kexec()
        fd = m.os.memfd_create("guest", KHO)
        m.os.pread(fd, 1, 0)
        m.mmap(fd, 4 * m.page_size)[m.page_size]

    assert verdict("one-load-maps-two", load, m).right == (around == 4)


# ---- gone though not shorter


def promised(m):
    """Pages past the end, which a cut to the size that the file has takes away."""
    fd = m.os.memfd_create("kept", KHO)
    m.os.fallocate(fd, KEEP, 0, 2 * m.page_size)
    return fd


def livelock(m):
    """A reserved page is taken back once more, its slot is full, and the error empties its block."""
    fd = m.os.memfd_create("kept", KHO)
    m.os.posix_fallocate(fd, 0, m.page_size)
    m.os.pread(fd, 1, 0)


def beyond_the_limit(m):
    fd = promised(m)
    m.overcommit(2)
    with suppress(OSError):
        m.os.pwrite(m.os.memfd_create("other"), b"x", 0)
    m.os.ftruncate(fd, 0)


def test_it_is_the_callback_that_empties_the_block():
    assert verdict("gone-though-not-shorter", lambda m: m.os.ftruncate(promised(m), 0)).right
    assert "A block was emptied, and not by the callback." in verdict("gone-though-not-shorter", livelock).words
    assert "a limit is reached" in verdict("gone-though-not-shorter", beyond_the_limit).words


# ---- bits of two kernels


def bits(m, name="guest", second=(1,), use=read_both):
    """Page 0 is written in the first kernel, others in the second; the third uses them."""
    m.os.memfd_create("guest", KHO) if name != "guest" else None
    written(m, name, (0,))
    m = m.kexec()
    written(m, name, second)
    m = m.kexec()
    m.os.memfd_create("before")
    m.os.memfd_create("guest", KHO) if name != "guest" else None
    use(m, m.os.memfd_create(name, KHO))


def test_pages_are_read_by_a_call_or_a_load():
    assert verdict("bits-of-two-kernels", bits).right
    assert verdict("bits-of-two-kernels", lambda m: bits(m, use=lambda m, fd: m.os.read(fd, 128))).right
    assert verdict("bits-of-two-kernels", lambda m: bits(m, use=lambda m, fd: m.mmap(fd, 128)[:])).right


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"name": "other"}, "`guest` has 0 pages"),
        ({"second": (1, 2, 3)}, "`guest` has 4 pages"),
        ({"use": store_in_both}, "brings page 0 back here, and not by reading it"),
        ({"use": lambda m, fd: m.os.pwrite(fd, b"y" * 128, 0)}, "brings page 0 back here, and not by reading it"),
        ({"use": lambda m, fd: m.os.posix_fallocate(fd, 0, 128)}, "brings page 0 back here, and not by reading it"),
        ({"use": lambda m, fd: m.os.pread(fd, 1, 0)}, "Page 1 of `guest` is not in"),
        ({"use": lambda m, fd: m.os.close(fd)}, "no file `guest` open"),
    ],
)
def test_the_third_kernel_reads_two_pages_of_the_file_that_was_asked_for(how, said):
    found = verdict("bits-of-two-kernels", lambda m: bits(m, **how))
    assert not found.right
    assert said in found.words
