"""Space is promised or given back; what was promised and not written is not zeroed either."""

from errno import EFBIG, ENOMEM

import pytest

import khosim
from khosim.state import page_cache
from khosim.state.phys import load
from tests.kernel.rig import PAGE, bit, block, crossed, fails, flags, page, slot, started, steps, unlucky

KEEP = khosim.FALLOC_FL_KEEP_SIZE
PUNCH = khosim.FALLOC_FL_PUNCH_HOLE | KEEP


def fallocated(pages=2):
    m, fd = started()
    m.os.posix_fallocate(fd, 0, pages * PAGE)
    return m, fd


def test_a_fallocated_page_is_dirty_and_not_uptodate():
    m, fd = fallocated()
    assert flags(m, slot(m, fd, 1)) >= {"dirty", "swapbacked", "lru"}
    assert "uptodate" not in flags(m, slot(m, fd, 1))
    assert load(m, slot(m, fd, 1), 0, PAGE) == b"\xa5" * PAGE
    assert (block(m, fd, 1), bit(m, slot(m, fd, 1))) == (slot(m, fd, 1), True)


def test_a_second_fallocate_zeroes_what_the_first_left():
    m, fd = fallocated()
    m.os.posix_fallocate(fd, 0, PAGE)
    assert "uptodate" in flags(m, slot(m, fd, 0))
    assert m.os.pread(fd, PAGE, 0) == bytes(PAGE)


def test_a_write_zeroes_around_its_bytes():
    m, fd = fallocated()
    m.os.pwrite(fd, b"xy", 10)
    assert m.os.pread(fd, PAGE, 0) == bytes(10) + b"xy" + bytes(PAGE - 12)


def test_data_that_is_there_stays():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    m.os.posix_fallocate(fd, 0, 2 * PAGE)
    assert m.os.pread(fd, PAGE, 0) == page("A")


def test_keep_size_reserves_past_the_end():
    m, fd = started()
    m.os.fallocate(fd, KEEP, PAGE, PAGE)
    assert m.os.fstat(fd).st_size == 0
    assert slot(m, fd, 1) != page_cache.EMPTY


@pytest.mark.parametrize("question", ["alloc", "add"])
def test_a_failed_fallocate_removes_what_it_added_and_its_blocks(question):
    m, fd = started()
    unlucky(m, question, ENOMEM, nth=3)
    before = m.snapshot()
    with fails(ENOMEM):
        m.os.posix_fallocate(fd, 0, 5 * PAGE)
    assert [(slot(m, fd, index), block(m, fd, index)) for index in range(5)] == [(page_cache.EMPTY, 0)] * 5
    assert (m.nr_free, m.used_pages, m.inode.fallocend[0]) == (before.nr_free, 0, 0)
    assert (m.snapshot().bits == before.bits).all()


def test_a_failed_fallocate_keeps_the_pages_it_restored():
    m, fd = started()
    m.os.pwrite(fd, page("A") * 2, 14 * PAGE)
    m, fd = crossed(m)
    with fails(EFBIG):
        m.os.posix_fallocate(fd, 13 * PAGE, 5 * PAGE)
    assert slot(m, fd, 13) == page_cache.EMPTY
    assert m.os.pread(fd, 2 * PAGE, 14 * PAGE) == page("A") * 2
    assert [block(m, fd, index) != 0 for index in (13, 14, 15)] == [False, True, True]


def test_a_hole_is_punched_through_whole_pages_and_the_edges_are_zeroed():
    m, fd = started()
    m.os.pwrite(fd, page("A") * 4, 0)
    m.os.fallocate(fd, PUNCH, 10, 2 * PAGE)
    assert m.os.pread(fd, 4 * PAGE, 0) == b"A" * 10 + bytes(2 * PAGE) + b"A" * (2 * PAGE - 10)
    assert [slot(m, fd, index) == page_cache.EMPTY for index in range(4)] == [False, True, False, False]


def test_a_punched_page_takes_block_and_bit_along():
    m, fd = started()
    m.os.pwrite(fd, page("A") * 3, 0)
    frame = slot(m, fd, 1)
    m.os.fallocate(fd, PUNCH, PAGE, PAGE)
    assert (block(m, fd, 1), bit(m, frame), flags(m, frame)) == (0, False, {"free"})
    m, fd = crossed(m)
    assert m.os.pread(fd, 3 * PAGE, 0) == page("A") + bytes(PAGE) + page("A")


def test_a_hole_past_the_end_frees_what_was_reserved():
    m, fd = started()
    m.os.fallocate(fd, KEEP, 0, 2 * PAGE)
    m.os.fallocate(fd, PUNCH, 0, 2 * PAGE)
    assert (m.inode.nrpages[0], m.os.fstat(fd).st_size) == (0, 0)


def test_the_window_is_open_while_it_works_and_closed_after():
    m, fd = started()
    with m.record() as trace:
        m.os.posix_fallocate(fd, PAGE, 2 * PAGE)
    assert {moment.snapshot.inode.falloc[0] for moment in trace} == {0, 1}
    assert (m.inode.falloc[0], m.inode.fallocend[0]) == (0, 3)


def test_reclaim_pushing_back_stops_it():
    """Pages that reclaim wanted and could not have outnumber those that were added."""
    m, fd = started()
    m.swapon()
    tasks = {"cpu0": [("fallocate", (fd, 0, 0, 4 * PAGE))], "cpu1": [("swap_out", (fd, 0))] * 3}
    with steps(m) as seen:
        run = m._session.start(tasks)
        while not seen or seen[-1][0] != "falloced":
            run.take(run.choices()[0])
        run.take(run.choices()[0])  # it lets go of the page it has added
        while not run.tasks["cpu1"].done:
            run.take(next(choice for choice in run.choices() if choice.task == "cpu1"))
        assert m.inode.nr_unswapped[0] == 3
        assert run.finish()["cpu0"] == [-ENOMEM]
    assert m.inode.nrpages[0] == 0


def through_kexec():
    m, fd = started()
    m.os.pwrite(fd, page("A") * 3, 0)
    m.os.fallocate(fd, PUNCH, PAGE, PAGE)
    m.os.posix_fallocate(fd, PAGE, PAGE)
    return crossed(m)


def test_b26_a_fallocated_page_comes_back_with_old_memory_in_it():
    m, fd = through_kexec()
    assert m.os.pread(fd, 3 * PAGE, 0) == page("A") + b"\xa5" * PAGE + page("A")


def test_b26_a_fault_shows_it_too():
    m, fd = through_kexec()
    assert m.mmap(fd, 3 * PAGE)[PAGE : PAGE + 4] == b"\xa5" * 4


def test_b26_a_partial_write_and_a_second_fallocate_leave_it_standing():
    m, fd = through_kexec()
    m.os.posix_fallocate(fd, PAGE, PAGE)
    m.os.pwrite(fd, b"xy", PAGE + 10)
    assert m.os.pread(fd, PAGE, PAGE) == b"\xa5" * 10 + b"xy" + b"\xa5" * (PAGE - 12)


def test_a_fallocated_page_written_in_time_is_safe():
    m, fd = started()
    m.os.pwrite(fd, page("A"), PAGE)
    m.os.posix_fallocate(fd, 0, PAGE)
    m.os.pwrite(fd, b"xy", 10)
    m, fd = crossed(m)
    assert m.os.pread(fd, PAGE, 0) == bytes(10) + b"xy" + bytes(PAGE - 12)
