"""Mappings: made, advised, looked at and unmapped."""

from errno import EBADF, EINVAL, ENOMEM, ENOSPC

import pytest

import khosim
from khosim.state import page_cache
from tests.kernel.rig import PAGE, crossed, fails, page, slot, started


def mapped(pages=4):
    m, fd = started()
    m.os.pwrite(fd, b"".join(map(page, "ABCD"[:pages])), 0)
    return m, fd, m.mmap(fd, pages * PAGE)


def test_a_mapping_shows_the_file_and_the_file_the_mapping():
    m, fd, view = mapped()
    assert view[PAGE - 1 : PAGE + 1] == b"AB"
    view[PAGE - 1 : PAGE + 1] = b"xy"
    assert m.os.pread(fd, 2, PAGE - 1) == b"xy"


def test_a_mapping_may_start_at_any_page():
    m, fd, _ = mapped()
    assert m.mmap(fd, PAGE, offset=2 * PAGE)[0] == ord("C")


@pytest.mark.parametrize(("length", "offset", "code"), [(0, 0, EINVAL), (1, 5, EINVAL), (1, -PAGE, EINVAL),
                                                        (65 * PAGE, 0, ENOMEM)])  # fmt: skip
def test_what_cannot_be_mapped(length, offset, code):
    m, fd, _ = mapped()
    with fails(code):
        m.mmap(fd, length, offset=offset)


def test_a_closed_descriptor_cannot_be_mapped():
    m, _, _ = mapped()
    with fails(EBADF):
        m.mmap(9, PAGE)


def test_there_are_so_many_mappings_and_no_more():
    m, fd, view = mapped()
    others = [m.mmap(fd, PAGE) for _ in range(m.config.vmas - 1)]
    with fails(ENOMEM):
        m.mmap(fd, PAGE)
    view.close()
    m.mmap(fd, PAGE)
    assert len(others) == m.config.vmas - 1


def test_strict_overcommit_refuses_a_private_mapping_and_grants_a_shared_one():
    m, fd, _ = mapped()
    m.overcommit(2)
    m.mmap(fd, PAGE)
    with fails(ENOMEM):
        m.mmap(fd, PAGE, khosim.MAP_PRIVATE)


def test_under_strict_overcommit_a_new_page_is_not_granted():
    m, fd, _ = mapped()
    m.overcommit(2)
    with fails(ENOSPC):
        m.os.pwrite(fd, b"x", 5 * PAGE)


def test_the_file_lives_as_long_as_its_last_mapping():
    m, fd, view = mapped()
    view[0] = ord("z")
    m.os.close(fd)
    assert view[:2] == b"zA"
    view.close()
    assert not m.inode.used[0]


def test_mincore_tells_what_is_in_memory():
    m, fd, view = mapped()
    m.os.fallocate(fd, 3, PAGE, PAGE)
    m.swapon()
    m.swap_out(fd, 2)
    assert view.mincore() == [1, 0, 0, 1]


def test_a_fallocated_page_is_not_in_memory_until_it_is_touched():
    m, fd = started()
    m.os.posix_fallocate(fd, 0, 2 * PAGE)
    view = m.mmap(fd, 2 * PAGE)
    assert view.mincore() == [0, 0]
    assert view[PAGE] == 0
    assert view.mincore() == [0, 1]


def test_b18_after_a_kexec_mincore_shows_nothing_until_it_is_touched():
    m, fd = crossed(mapped()[0])
    view = m.mmap(fd, 4 * PAGE)
    assert view.mincore() == [0, 0, 0, 0]
    m.os.pread(fd, 1, 2 * PAGE)
    assert view.mincore() == [0, 0, 1, 0]


def test_dontneed_unmaps_and_keeps_the_file():
    m, fd, view = mapped()
    view[0] = 7
    frame = slot(m, fd, 0)
    view.madvise(khosim.MADV_DONTNEED)
    assert m.page.mapcount[frame] == 0
    assert view[0] == 7


def test_remove_punches_a_hole():
    m, fd, view = mapped()
    view.madvise(khosim.MADV_REMOVE, PAGE, 2 * PAGE)
    assert m.os.pread(fd, 4 * PAGE, 0) == page("A") + bytes(2 * PAGE) + page("D")
    assert slot(m, fd, 1) == page_cache.EMPTY


def test_remove_does_not_see_what_was_not_restored():
    """B07 by another road."""
    m, fd = crossed(mapped()[0])
    m.os.pread(fd, 1, 0)
    m.mmap(fd, 4 * PAGE).madvise(khosim.MADV_REMOVE, 0, 2 * PAGE)
    assert m.os.pread(fd, 2 * PAGE, 0) == bytes(PAGE) + page("B")


def test_poison_brings_the_page_in_first():
    m, fd = crossed(mapped()[0])
    view = m.mmap(fd, 4 * PAGE)
    with pytest.raises(OSError, match="temporarily"):
        view.madvise(khosim.MADV_HWPOISON, PAGE, PAGE)
    assert slot(m, fd, 1) != page_cache.EMPTY
    with pytest.raises(khosim.BusError):
        view[PAGE]


def test_advice_starts_at_a_page():
    _, _, view = mapped()
    with fails(EINVAL):
        view.madvise(khosim.MADV_DONTNEED, 5, PAGE)
