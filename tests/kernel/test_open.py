"""Descriptors, sizes and space: the checks in front, in the kernel's order."""

from errno import EBADF, EFBIG, EINVAL, EOPNOTSUPP

import pytest

import khosim
from tests.kernel.rig import PAGE, bit, block, crossed, fails, page, started

KEEP, PUNCH = khosim.FALLOC_FL_KEEP_SIZE, khosim.FALLOC_FL_PUNCH_HOLE
ZERO_RANGE, COLLAPSE_RANGE, UNKNOWN = 0x10, 0x08, 0x100
NOT_OPEN = 9
MOST = 64 * PAGE


@pytest.mark.parametrize(
    ("length", "fd", "code"), [(-1, NOT_OPEN, EINVAL), (0, NOT_OPEN, EBADF), (MOST + 1, 3, EFBIG)]
)  # fmt: skip
def test_ftruncate_refuses(length, fd, code):
    m, _ = started()
    with fails(code):
        m.os.ftruncate(fd, length)


def test_ftruncate_reaches_the_largest_file():
    m, fd = started()
    m.os.ftruncate(fd, MOST)
    assert m.os.fstat(fd).st_size == MOST
    assert m.os.pread(fd, 5, 0) == bytes(5)


@pytest.mark.parametrize(
    ("mode", "offset", "length", "code"),
    [
        (0, -1, 1, EINVAL),
        (0, 0, 0, EINVAL),
        (UNKNOWN, 0, 0, EINVAL),
        (UNKNOWN, 0, 1, EOPNOTSUPP),
        (PUNCH, 0, 1, EOPNOTSUPP),
        (PUNCH, 0, MOST + 1, EOPNOTSUPP),
        (ZERO_RANGE, 0, MOST + 1, EFBIG),
        (ZERO_RANGE, 0, 1, EOPNOTSUPP),
        (COLLAPSE_RANGE, 0, 1, EOPNOTSUPP),
        (0, MOST, 1, EFBIG),
    ],
)
def test_fallocate_refuses(mode, offset, length, code):
    m, fd = started()
    with fails(code):
        m.os.fallocate(fd, mode, offset, length)
    assert m.os.fstat(fd).st_size == 0


@pytest.mark.parametrize("call", ["fstat", "close"])
def test_what_is_not_open_is_a_bad_descriptor(call):
    m, _ = started()
    with fails(EBADF):
        getattr(m.os, call)(NOT_OPEN)
    with fails(EBADF):
        m.os.fallocate(NOT_OPEN, 0, -1, 0)


def test_fallocate_extends_the_file_unless_told_not_to():
    m, fd = started()
    m.os.fallocate(fd, KEEP, 0, 3 * PAGE)
    assert m.os.fstat(fd)[:2] == (0, 3 * PAGE // 512)
    m.os.fallocate(fd, 0, 5, PAGE)
    assert m.os.fstat(fd).st_size == PAGE + 5


def test_closing_the_last_descriptor_frees_the_pages_and_their_blocks():
    m, fd = started()
    m.os.pwrite(fd, page("A") * 4, 0)
    frames, kho, free = [block(m, fd, index) for index in range(4)], m.inode.kho[0], m.nr_free
    m.os.close(fd)
    assert m.nr_free == free + 4
    assert not any(bit(m, frame) for frame in frames)
    assert not any(m.words[(kho >> 3) + 1 + index] for index in range(16))


def test_a_closed_descriptor_is_used_again():
    m, fd = started()
    m.os.close(fd)
    assert m.os.memfd_create("other") == fd


def test_blocks_count_the_pages():
    m = khosim.boot(page_size=4096)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, b"x", 0)
    m.os.pwrite(fd, b"x", 3 * 4096)
    assert m.os.fstat(fd)[:3] == (3 * 4096 + 1, 2 * 8, 4096)


def test_b18_after_a_kexec_st_blocks_starts_at_0_and_grows_with_use():
    m = khosim.boot(page_size=4096)
    m.os.pwrite(m.os.memfd_create("guest", khosim.MFD_KHO), b"x" * 3 * 4096, 0)
    m, fd = crossed(m)
    counts = [m.os.fstat(fd).st_blocks]
    for index in range(3):
        m.os.pread(fd, 1, index * 4096)
        counts.append(m.os.fstat(fd).st_blocks)
    assert counts == [0, 8, 16, 24]
