"""The simulated memfd and the real one: random calls, and every difference that was ever found."""

import sys

import pytest

from khosim.compare import compare
from khosim.compare.host_map import PAGE_SIZE as PAGE

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compare needs Linux underneath")

LAST = (1 << 63) - 1


@pytest.mark.parametrize("seed", range(3))
def test_random_calls_show_no_difference(seed):
    result = compare(random=4000, seed=seed)
    assert result.ok, str(result)


def advice_is_clipped_to_the_mapping(os, mmap):
    fd = os.memfd_create("file")
    os.pwrite(fd, b"A" * PAGE, 0)
    page = mmap(fd, 1)
    page.madvise(mmap.MADV_DONTNEED, 0, PAGE + 1)
    page.madvise(mmap.MADV_REMOVE, 0, 2 * PAGE)
    os.fstat(fd)


def advice_starts_inside_the_mapping(os, mmap):
    page = mmap(os.memfd_create("file"), PAGE)
    page.madvise(mmap.MADV_REMOVE, PAGE, 1)


def advice_about_nothing_changes_nothing(os, mmap):
    fd = os.memfd_create("file")
    os.pwrite(fd, b"A" * PAGE, 0)
    mmap(fd, PAGE).madvise(mmap.MADV_REMOVE, 0, 0)
    os.pread(fd, PAGE, 0)
    os.fstat(fd)


def a_read_may_not_end_past_64_bits(os, _mmap):
    os.pread(os.memfd_create("file"), 1, LAST)


def a_write_may_not_end_past_64_bits(os, _mmap):
    os.pwrite(os.memfd_create("file"), b"A", LAST)


def a_position_counts_as_an_offset(os, _mmap):
    fd = os.memfd_create("file")
    os.lseek(fd, LAST, os.SEEK_SET)
    os.read(fd, 0)
    os.write(fd, b"")
    os.read(fd, 1)


def a_range_too_far_is_refused_before_a_mode_that_tmpfs_lacks(os, _mmap):
    os.fallocate(os.memfd_create("file"), 8, LAST, LAST)


def a_mode_that_linux_lacks_is_refused_before_a_range_too_far(os, _mmap):
    os.fallocate(os.memfd_create("file"), 0x1000, LAST, LAST)


def a_write_brings_in_one_page(os, mmap):
    fd = os.memfd_create("file")
    page = mmap(fd, PAGE)
    os.pwrite(fd, b"A", PAGE)
    page.mincore()
    os.fstat(fd)


@pytest.mark.parametrize(
    "program",
    [
        a_write_brings_in_one_page,
        advice_is_clipped_to_the_mapping,
        advice_starts_inside_the_mapping,
        advice_about_nothing_changes_nothing,
        a_read_may_not_end_past_64_bits,
        a_write_may_not_end_past_64_bits,
        a_position_counts_as_an_offset,
        a_range_too_far_is_refused_before_a_mode_that_tmpfs_lacks,
        a_mode_that_linux_lacks_is_refused_before_a_range_too_far,
    ],
)
def test_a_difference_once_found_stays_away(program):
    result = compare(program)
    assert result.ok, str(result)
