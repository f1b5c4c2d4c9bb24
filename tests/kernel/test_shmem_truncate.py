"""How a file gets shorter. Only the page cache is looked at, and after a kexec it is empty."""

import pytest

import khosim
from khosim.kernel.shmem_truncate import FOREVER, shmem_truncate_range, shmem_undo_range
from khosim.state import page_cache
from tests.kernel.rig import PAGE, bit, block, crossed, drive, flags, ino_of, page, slot, started, steps

LETTERS = "ABCD"
ALL = b"".join(map(page, LETTERS))
PUNCH = khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE


def four_pages():
    m, fd = started()
    m.os.pwrite(fd, ALL, 0)
    return m, fd


def held(*touched):
    """Four preserved pages, of which some have been touched."""
    m, fd = crossed(four_pages()[0])
    for index in touched:
        m.os.pread(fd, 1, index * PAGE)
    return m, fd


def cut_and_grown(m, fd, size):
    m.os.ftruncate(fd, size)
    m.os.ftruncate(fd, 4 * PAGE)
    return m.os.pread(fd, 4 * PAGE, 0)


def test_what_was_cut_off_reads_as_zeroes():
    m, fd = four_pages()
    frames, free = [slot(m, fd, index) for index in range(4)], m.nr_free
    assert cut_and_grown(m, fd, PAGE) == page("A") + bytes(3 * PAGE)
    assert m.nr_free == free + 3
    assert [bit(m, frame) for frame in frames] == [True, False, False, False]
    assert [block(m, fd, index) for index in range(1, 4)] == [0, 0, 0]


def test_the_page_at_the_cut_is_zeroed_from_there_on():
    m, fd = four_pages()
    assert cut_and_grown(m, fd, PAGE + 7) == page("A") + b"B" * 7 + bytes(3 * PAGE - 7)


def test_the_same_size_changes_no_byte():
    m, fd = four_pages()
    assert cut_and_grown(m, fd, 4 * PAGE) == ALL


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [
        (0, FOREVER, bytes(4 * PAGE)),
        (PAGE, 2 * PAGE - 1, page("A") + bytes(PAGE) + page("C") + page("D")),
        (10, 19, b"A" * 10 + bytes(10) + b"A" * (PAGE - 20) + ALL[PAGE:]),
        (PAGE - 1, PAGE, b"A" * (PAGE - 1) + bytes(2) + b"B" * (PAGE - 1) + page("C") + page("D")),
        (PAGE + 1, 3 * PAGE, page("A") + b"B" + bytes(2 * PAGE) + b"D" * (PAGE - 1)),
    ],
)
def test_a_range_is_removed(first, last, left):
    m, fd = four_pages()
    drive(m, shmem_truncate_range(m, ino_of(m, fd), first, last))
    assert m.os.pread(fd, 4 * PAGE, 0) == left


def test_undoing_a_fallocate_spares_what_has_been_written():
    m, fd = four_pages()
    m.os.fallocate(fd, PUNCH, PAGE, 2 * PAGE)
    m.os.posix_fallocate(fd, PAGE, 2 * PAGE)
    drive(m, shmem_undo_range(m, ino_of(m, fd), 0, 4 * PAGE - 1, unfalloc=True))
    assert m.os.pread(fd, 4 * PAGE, 0) == page("A") + bytes(2 * PAGE) + page("D")
    assert slot(m, fd, 1) == slot(m, fd, 2) == page_cache.EMPTY


def test_a_page_that_somebody_else_holds_leaves_the_file_all_the_same():
    m, fd = four_pages()
    frame = slot(m, fd, 1)
    m.page.refcount[frame] += 1
    m.os.ftruncate(fd, 0)
    assert slot(m, fd, 1) == page_cache.EMPTY
    assert (m.page.refcount[frame], m.page.mapping[frame], block(m, fd, 1)) == (1, 0, 0)


def test_a_fallocate_end_is_pulled_back():
    m, fd = four_pages()
    m.os.fallocate(fd, khosim.FALLOC_FL_KEEP_SIZE, 0, 6 * PAGE)
    assert m.inode.fallocend[0] == 6
    m.os.ftruncate(fd, 2 * PAGE)
    assert m.inode.fallocend[0] == 2


def test_eviction_leaves_nothing_when_all_pages_are_cached():
    m, fd = held(0, 1, 2, 3)
    frames = [slot(m, fd, index) for index in range(4)]
    m.os.close(fd)
    assert all(flags(m, frame) == {"free"} and not bit(m, frame) for frame in frames)
    assert not m.inode.used[0]


def test_b07_truncate_does_not_see_a_block_not_yet_restored():
    m, fd = held()
    frames = [block(m, fd, index) for index in range(4)]
    assert cut_and_grown(m, fd, PAGE) == ALL
    assert [block(m, fd, index) for index in range(4)] == frames


def test_b07_with_nothing_restored_the_search_is_not_even_begun():
    """shmem's own count of pages is 0."""
    m, fd = held()
    with steps(m) as seen:
        m.os.ftruncate(fd, 0)
    assert "batch" not in [name for name, _ in seen]


def test_b07_what_was_restored_goes_and_the_rest_returns():
    m, fd = held(0, 2)
    assert cut_and_grown(m, fd, PAGE) == page("A") + page("B") + bytes(PAGE) + page("D")


def test_b07_a_punched_hole_is_none():
    m, fd = held()
    m.os.fallocate(fd, PUNCH, PAGE, 2 * PAGE)
    assert m.os.pread(fd, 4 * PAGE, 0) == ALL


def test_b07_deleted_data_comes_back_under_a_later_write():
    m, fd = held()
    m.os.ftruncate(fd, 0)
    m.os.pwrite(fd, b"xy", 2 * PAGE)
    assert m.os.pread(fd, 4 * PAGE, 0) == page("A") + page("B") + b"xy"
    m.os.ftruncate(fd, 4 * PAGE)
    assert m.os.pread(fd, PAGE, 2 * PAGE) == b"xy" + b"C" * (PAGE - 2)


def test_b07_or_in_the_next_kernel():
    m, fd = held()
    m.os.ftruncate(fd, 0)
    m, fd = crossed(m)
    assert m.os.pread(fd, 4 * PAGE, 0) == ALL


@pytest.mark.parametrize(
    ("touched", "left"), [((), b"B" * PAGE), ((0,), b"B" * PAGE), ((1,), b"B" * 7 + bytes(PAGE - 7))]
)
def test_b08_a_page_not_yet_restored_is_not_zeroed_behind_the_cut(touched, left):
    m, fd = held(*touched)
    assert cut_and_grown(m, fd, PAGE + 7)[PAGE : 2 * PAGE] == left


def test_b08_nor_are_the_edges_of_a_punched_hole():
    m, fd = held()
    m.os.fallocate(fd, PUNCH, 10, 2 * PAGE)
    assert m.os.pread(fd, 4 * PAGE, 0) == ALL
    m, fd = held(0, 2)
    m.os.fallocate(fd, PUNCH, 10, 2 * PAGE)
    assert m.os.pread(fd, 4 * PAGE, 0) == b"A" * 10 + bytes(PAGE - 10) + page("B") + bytes(10) + ALL[2 * PAGE + 10 :]


def test_b08_the_tail_returns_after_another_kexec():
    m, fd = held()
    m.os.ftruncate(fd, 3 * PAGE + 7)
    m, fd = crossed(m)
    m.os.ftruncate(fd, 4 * PAGE)
    assert m.os.pread(fd, PAGE, 3 * PAGE) == page("D")


@pytest.mark.parametrize("touched", [(), (0, 3)])
def test_b09_eviction_leaks_what_was_not_restored(touched):
    m, fd = held(*touched)
    frames = [block(m, fd, index) for index in range(4)]
    m.os.close(fd)
    leaked = [index not in touched for index in range(4)]
    assert [bit(m, frame) for frame in frames] == leaked
    assert [flags(m, frame) == {"free"} for frame in frames] == [not lost for lost in leaked]


def test_b09_the_leak_outlives_every_kexec():
    m, fd = held()
    frames = [block(m, fd, index) for index in range(4)]
    m.os.close(fd)
    for _ in range(3):
        m = m.kexec()
        assert all(bit(m, frame) and m.page.refcount[frame] == 1 for frame in frames)
