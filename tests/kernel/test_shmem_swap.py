"""Accounting, swap-out and swap-in. The block list hears of neither."""

from errno import ENOSPC

import pytest

import khosim
from khosim.state import page_cache
from tests.kernel.rig import PAGE, bit, block, crossed, fails, flags, page, slot, started

PUNCH = khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE


def two_pages(**shape):
    m, fd = started(**shape)
    m.swapon()
    m.os.pwrite(fd, page("A") + page("B"), 0)
    return m, fd


def swapped(*indexes, **shape):
    m, fd = two_pages(**shape)
    for index in indexes:
        assert m.swap_out(fd, index)
    return m, fd


def counts(m):
    """alloced, swapped, nrpages, and the pages charged to files."""
    return m.inode.alloced[0], m.inode.swapped[0], m.inode.nrpages[0], m.used_pages


def test_the_counts_add_up_in_and_out_of_swap():
    m, fd = two_pages()
    assert counts(m) == (2, 0, 2, 2)
    m.swap_out(fd, 0)
    assert counts(m) == (2, 1, 1, 2)
    m.os.pread(fd, 1, 0)
    assert counts(m) == (2, 0, 2, 2)
    m.swap_out(fd, 0)
    m.os.ftruncate(fd, 0)
    assert counts(m) == (0, 0, 0, 0)


def test_a_swapped_page_frees_its_frame_and_reads_as_before():
    m, fd = two_pages()
    frame, free = slot(m, fd, 0), m.nr_free
    m.swap_out(fd, 0)
    assert page_cache.is_swap(slot(m, fd, 0))
    assert (m.nr_free, flags(m, frame)) == (free + 1, {"free"})
    assert m.os.pread(fd, 2 * PAGE, 0) == page("A") + page("B")


def test_a_page_from_swap_is_uptodate_and_dirty():
    m, fd = swapped(0)
    m.os.pread(fd, 1, 0)
    assert {"uptodate", "dirty", "swapbacked", "lru"} <= flags(m, slot(m, fd, 0))
    assert m.page.refcount[slot(m, fd, 0)] == 1


def test_without_swap_a_dirty_page_stays():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    frame = slot(m, fd, 0)
    assert not m.swap_out(fd, 0)
    assert (slot(m, fd, 0), m.page.refcount[frame]) == (frame, 1)
    assert "locked" not in flags(m, frame)


def test_when_swap_is_full_the_page_stays():
    m, fd = two_pages(swap_slots=1)
    assert m.swap_out(fd, 0)
    assert not m.swap_out(fd, 1)
    assert m.os.pread(fd, 2 * PAGE, 0) == page("A") + page("B")


def test_swapoff_brings_everything_back():
    m, fd = swapped(0, 1)
    m.swapoff()
    assert all(slot(m, fd, index) >= 0 for index in range(2))
    assert m.os.pread(fd, 2 * PAGE, 0) == page("A") + page("B")
    assert not m.swap_out(fd, 0)


def test_a_fallocated_page_is_zeroed_on_its_way_out():
    m, fd = started()
    m.swapon()
    m.os.posix_fallocate(fd, 0, PAGE)
    m.swap_out(fd, 0)
    assert m.os.pread(fd, PAGE, 0) == bytes(PAGE)


def test_a_partly_cut_page_comes_back_to_be_zeroed():
    m, fd = swapped(1)
    m.os.ftruncate(fd, PAGE + 10)
    m.os.ftruncate(fd, 2 * PAGE)
    assert m.os.pread(fd, PAGE, PAGE) == b"B" * 10 + bytes(PAGE - 10)


def test_strict_overcommit_charges_pages_and_gives_them_back():
    m, fd = started()
    m.overcommit(2, limit=2)
    assert m.os.pwrite(fd, page("A") * 3, 0) == 2 * PAGE
    with fails(ENOSPC):
        m.os.pwrite(fd, b"x", 2 * PAGE)
    m.os.ftruncate(fd, PAGE)
    assert m.os.pwrite(fd, b"x", 2 * PAGE) == 1


def test_b10_block_and_bit_stay_on_the_freed_frame():
    m, fd = two_pages()
    frame = slot(m, fd, 0)
    m.swap_out(fd, 0)
    assert (block(m, fd, 0), bit(m, frame), flags(m, frame)) == (frame, True, {"free"})


def test_b10_the_next_kernel_shows_the_old_frame_and_the_page_is_lost():
    m, fd = crossed(swapped(0)[0])
    assert m.os.pread(fd, 2 * PAGE, 0) == b"\xaa" * PAGE + page("B")


def punched_in_swap():
    m, fd = swapped(1)
    m.os.fallocate(fd, PUNCH, PAGE, PAGE)
    return m, fd, block(m, fd, 1)


def test_b10_punching_a_page_in_swap_leaves_its_block():
    m, fd, frame = punched_in_swap()
    assert slot(m, fd, 1) == page_cache.EMPTY
    assert frame
    assert bit(m, frame)


def test_b10_reading_the_hole_reads_freed_memory_then_never_returns():
    m, fd, frame = punched_in_swap()
    assert m.os.pread(fd, 100, PAGE) == b"\xaa" * PAGE
    assert m.complaints == (f"BUG: Bad page state: non-NULL mapping  pfn:{frame:05x}",)
    with pytest.raises(khosim.Livelock, match="refcount 0"):
        m.os.pread(fd, 100, PAGE)


def test_b10_writing_to_the_hole_corrupts_the_list_of_free_frames():
    """The frame is on the free list and on the LRU; taking it off the second time meets LIST_POISON."""
    m, fd, _ = punched_in_swap()
    m.os.pwrite(fd, b"x", PAGE)
    with pytest.raises(khosim.KernelPanic, match="Kernel mode fault at addr 0x108"):
        m.os.pwrite(fd, page("C"), 2 * PAGE)


def test_b10_evicting_the_file_leaks_bit_and_block():
    m, fd = swapped(0, 1)
    frames = [block(m, fd, index) for index in range(2)]
    m.os.close(fd)
    assert [bit(m, frame) for frame in frames] == [True, True]


def test_b11_the_page_comes_back_in_a_frame_the_block_does_not_know():
    m, fd = swapped(0, 1)
    old = [block(m, fd, index) for index in range(2)]
    m.os.pread(fd, 2 * PAGE, 0)
    assert [block(m, fd, index) for index in range(2)] == old
    assert [slot(m, fd, index) for index in range(2)] == old[::-1]


def test_b11_two_pages_of_one_file_come_back_exchanged():
    m, fd = swapped(0, 1)
    m.os.pread(fd, 2 * PAGE, 0)
    m, fd = crossed(m)
    assert m.os.pread(fd, 2 * PAGE, 0) == page("B") + page("A")


def test_b11_one_frame_for_two_indexes_is_the_death_of_the_next_kernel():
    m, fd = started(trust_blocks=True)
    m.swapon()
    m.os.pwrite(fd, page("A"), 0)
    m.swap_out(fd, 0)
    m.os.pwrite(fd, page("B"), PAGE)
    assert block(m, fd, 0) == block(m, fd, 1)
    m, fd = crossed(m)
    with pytest.raises(khosim.KernelPanic, match="BUG!"):
        m.os.pread(fd, 2 * PAGE, 0)
