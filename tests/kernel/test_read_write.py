"""What stands in front of reading, writing and seeking: positions, limits, and the order of the checks."""

from errno import EBADF, EFBIG, EINVAL, ENXIO

import pytest

from tests.kernel.rig import PAGE, block, fails, page, started

NOT_OPEN = 9
MOST = 64 * PAGE
ARRAY = 16 * PAGE
HUGE = (1 << 63) - 1


@pytest.mark.parametrize("call", ["pread", "pwrite"])
@pytest.mark.parametrize(("fd", "pos", "code"), [(NOT_OPEN, -1, EINVAL), (NOT_OPEN, HUGE, EBADF), (3, HUGE, EINVAL)])
def test_a_position_is_checked_then_the_descriptor_then_the_end(call, fd, pos, code):
    m, _ = started()
    with fails(code):
        getattr(m.os, call)(fd, b"xy" if call == "pwrite" else 2, pos)


def test_splice_looks_at_the_descriptor_first():
    m, fd = started()
    with fails(EBADF):
        m.os.splice(NOT_OPEN, 1, -1)
    with fails(EINVAL):
        m.os.splice(fd, 1, -1)


def test_writing_nothing_changes_nothing_even_past_the_limit():
    m, fd = started()
    before = m.snapshot()
    assert m.os.pwrite(fd, b"", 2 * MOST) == 0
    assert before.diff(m) == []


def test_a_write_past_the_largest_file_is_efbig():
    m, fd = started()
    with fails(EFBIG):
        m.os.pwrite(fd, b"x", MOST)


def test_a_write_across_the_block_array_is_short():
    """P02: the array ends, the write stops there; the next one gets the error."""
    m, fd = started()
    assert m.os.pwrite(fd, b"xy", ARRAY - 1) == 1
    assert m.os.fstat(fd).st_size == ARRAY
    with fails(EFBIG):
        m.os.pwrite(fd, b"y", ARRAY)


def test_an_ordinary_file_is_written_up_to_the_largest_size():
    m, _ = started()
    fd = m.os.memfd_create("plain")
    assert m.os.pwrite(fd, b"xyz", MOST - 2) == 2
    assert m.os.fstat(fd).st_size == MOST


def test_read_and_write_move_the_position_and_pread_does_not():
    m, fd = started()
    assert m.os.write(fd, b"hello") == 5
    assert m.os.write(fd, b", kernel") == 8
    assert m.os.pread(fd, 5, 0) == b"hello"
    assert m.os.lseek(fd, 0, m.os.SEEK_SET) == 0
    assert (m.os.read(fd, 7), m.os.read(fd, 99), m.os.read(fd, 99)) == (b"hello, ", b"kernel", b"")


def test_a_write_past_the_end_leaves_a_hole():
    m, fd = started()
    m.os.lseek(fd, 2 * PAGE, m.os.SEEK_SET)
    m.os.write(fd, b"x")
    assert (block(m, fd, 0), block(m, fd, 1)) == (0, 0)
    assert m.os.pread(fd, 3 * PAGE, 0) == bytes(2 * PAGE) + b"x"


@pytest.mark.parametrize(
    ("offset", "whence", "found"), [(5, 0, 5), (5, 1, 15), (-10, 1, 0), (5, 2, 2 * PAGE + 5), (-5, 2, 2 * PAGE - 5)]
)
def test_lseek_goes_where_it_is_told(offset, whence, found):
    m, fd = started()
    m.os.pwrite(fd, page("A") * 2, 0)
    m.os.lseek(fd, 10, m.os.SEEK_SET)
    assert m.os.lseek(fd, offset, whence) == found


@pytest.mark.parametrize(
    ("fd", "offset", "whence", "code"),
    [(NOT_OPEN, 0, 9, EBADF), (3, -1, 0, EINVAL), (3, -1, 1, EINVAL), (3, 0, 9, EINVAL), (3, -1, 3, ENXIO),
     (3, 0, 3, ENXIO), (3, PAGE, 4, ENXIO)],
)  # fmt: skip
def test_lseek_refuses_and_stays_where_it_is(fd, offset, whence, code):
    m, guest = started()
    with fails(code):
        m.os.lseek(fd, offset, whence)
    assert m.os.lseek(guest, 0, m.os.SEEK_CUR) == 0
