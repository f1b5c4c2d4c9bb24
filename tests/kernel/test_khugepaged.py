"""Small pages become one huge folio; what is not in the page cache counts as a hole."""

from errno import EAGAIN, EINVAL

import khosim
from khosim.kernel.locks import folio_trylock
from khosim.kernel.vmscan import folio_isolate_lru
from khosim.state import page_cache
from tests.kernel.rig import PAGE, bit, block, crossed, drive, fails, flags, interleave, opened, page, slot, steps

COUNT = 8
LETTERS = "ABCDEFGH"


def eight_pages(kho=True):
    m = khosim.boot(frames=128)
    fd = opened(m) if kho else m.os.memfd_create("plain")
    m.os.pwrite(fd, b"".join(map(page, LETTERS)), 0)
    return m, fd


def collapse(m, fd):
    with m.mmap(fd, COUNT * PAGE) as view:
        view.madvise(khosim.MADV_COLLAPSE)


def test_the_pages_become_one_folio_with_the_same_bytes():
    m, fd = eight_pages(kho=False)
    collapse(m, fd)
    head = slot(m, fd, 0)
    assert [slot(m, fd, index) for index in range(COUNT)] == [head] * COUNT
    assert (m.page.order[head], m.page.refcount[head]) == (3, COUNT)
    assert m.os.pread(fd, COUNT * PAGE, 0) == b"".join(map(page, LETTERS))
    assert m.complaints == ()


def test_the_small_frames_are_freed():
    m, fd = eight_pages()
    old, free = [slot(m, fd, index) for index in range(COUNT)], m.nr_free
    collapse(m, fd)
    assert m.nr_free == free
    assert all("free" in flags(m, frame) for frame in old)


def test_holes_become_zeroes_and_are_charged():
    m = khosim.boot(frames=128)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, page("C"), 2 * PAGE)
    m.os.ftruncate(fd, COUNT * PAGE)
    collapse(m, fd)
    assert m.os.pread(fd, COUNT * PAGE, 0) == bytes(2 * PAGE) + page("C") + bytes(5 * PAGE)
    assert (m.inode.alloced[0], m.inode.nrpages[0], m.used_pages) == (COUNT, COUNT, COUNT)


def test_a_page_in_swap_is_brought_in_and_a_fallocated_one_is_zeroed():
    m, fd = eight_pages(kho=False)
    m.swapon()
    m.swap_out(fd, 4)
    m.os.fallocate(fd, 3, PAGE, PAGE)
    m.os.posix_fallocate(fd, PAGE, PAGE)
    collapse(m, fd)
    assert m.os.pread(fd, 5 * PAGE, 0) == page("A") + bytes(PAGE) + page("C") + page("D") + page("E")


def test_it_wants_an_aligned_range_with_something_in_it():
    m, fd = eight_pages(kho=False)
    with m.mmap(fd, 2 * COUNT * PAGE) as view:
        with fails(EINVAL):
            view.madvise(khosim.MADV_COLLAPSE, PAGE, COUNT * PAGE)
        with fails(EINVAL):
            view.madvise(khosim.MADV_COLLAPSE, COUNT * PAGE, COUNT * PAGE)


def test_a_page_that_somebody_holds_stops_it_and_all_others_are_let_go():
    m, fd = eight_pages(kho=False)
    held = slot(m, fd, 6)
    m.page.refcount[held] += 1
    free = m.nr_free
    with fails(EAGAIN):
        collapse(m, fd)
    assert m.nr_free == free
    assert [m.page.refcount[slot(m, fd, index)] for index in range(COUNT)] == [1] * 6 + [2, 1]
    assert all({"lru"} <= flags(m, slot(m, fd, index)) for index in range(COUNT))
    assert not any("locked" in flags(m, slot(m, fd, index)) for index in range(COUNT))


def test_pages_that_wait_for_the_lru_are_let_on_it_first():
    """MADV_COLLAPSE begins with lru_add_drain_all()."""
    m = khosim.boot(frames=128, lru_batch=31)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, page("A"), 0)
    m.os.posix_fallocate(fd, PAGE, 2 * PAGE)
    collapse(m, fd)
    assert m.page.order[slot(m, fd, 0)] == 3


def test_mapped_pages_are_unmapped_and_the_program_sees_the_huge_one():
    m, fd = eight_pages(kho=False)
    view = m.mmap(fd, COUNT * PAGE)
    assert view[:]
    view.madvise(khosim.MADV_COLLAPSE)
    head = slot(m, fd, 0)
    assert (m.page.mapcount[head], "lru" in flags(m, head)) == (0, True)
    assert view[3 * PAGE] == ord("D")
    assert m.page.mapcount[head] == 1


def test_a_page_that_is_locked_stops_it():
    m, fd = eight_pages(kho=False)
    folio_trylock(m, slot(m, fd, 6))
    with fails(EAGAIN):
        collapse(m, fd)
    assert m.page.refcount[slot(m, fd, 6)] == 1


def test_a_page_that_is_off_the_lru_stops_it():
    m, fd = eight_pages(kho=False)
    frame = slot(m, fd, 6)
    drive(m, folio_isolate_lru(m, frame))
    with fails(EAGAIN):
        collapse(m, fd)
    assert (m.page.refcount[frame], "locked" in flags(m, frame)) == (2, False)


def test_each_small_page_of_a_kho_file_is_sent_to_buffer_head_code():
    """B42's second way."""
    m, fd = eight_pages()
    collapse(m, fd)
    assert m.complaints == ("WARNING: fs/buffer.c try_to_free_buffers",)


def two_pages_of_eight():
    m = khosim.boot(frames=128)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, page("A") * 2, 0)
    m.os.ftruncate(fd, COUNT * PAGE)
    return m, fd


def test_a_hole_that_was_filled_meanwhile_stops_it():
    m, fd = two_pages_of_eight()
    m.mmap(fd, COUNT * PAGE)
    tasks = {"cpu0": [("madvise", (0, khosim.MADV_COLLAPSE, 0, COUNT * PAGE))],
             "cpu1": [("pwrite", (fd, 1, b"x", 5 * PAGE))]}  # fmt: skip
    done = interleave(m, tasks, ("cpu0", 10, "none"), ("cpu1", 19, "folio_put"))
    assert done == {"cpu0": [-EAGAIN], "cpu1": [1]}
    assert m.os.pread(fd, 1, 5 * PAGE) == b"x"
    assert (m.inode.alloced[0], m.inode.nrpages[0], m.used_pages) == (3, 3, 3)
    assert not any("locked" in flags(m, slot(m, fd, index)) for index in (0, 1, 5))


def test_holes_that_cannot_be_charged_stop_it():
    m, fd = two_pages_of_eight()
    m.overcommit(2)
    free = m.nr_free
    with fails(EINVAL):
        collapse(m, fd)
    assert (m.inode.alloced[0], m.inode.nrpages[0], m.used_pages, m.nr_free) == (2, 2, 2, free)


def test_b16_every_block_still_names_its_old_frame():
    m, fd = eight_pages()
    old = [block(m, fd, index) for index in range(COUNT)]
    collapse(m, fd)
    assert [block(m, fd, index) for index in range(COUNT)] == old
    assert all(bit(m, frame) for frame in old)
    assert not bit(m, slot(m, fd, 0))


def test_b16_the_next_kernel_gets_freed_memory():
    m, fd = eight_pages()
    collapse(m, fd)
    m, fd = crossed(m)
    assert m.os.pread(fd, COUNT * PAGE, 0) == b"\xaa" * COUNT * PAGE


def partly_restored():
    """Two of eight preserved pages were touched."""
    m, fd = crossed(eight_pages()[0])
    for index in (0, 7):
        m.os.pread(fd, 1, index * PAGE)
    return m, fd


def test_b16_blocks_not_yet_restored_count_as_holes():
    m, fd = partly_restored()
    with steps(m) as seen:
        collapse(m, fd)
    assert [args["holes"] for name, args in seen if name == "collapse"] == [6]
    assert m.os.pread(fd, COUNT * PAGE, 0) == page("A") + bytes(6 * PAGE) + page("H")


def test_b16_what_it_hid_comes_back_at_the_next_kexec():
    m, fd = partly_restored()
    collapse(m, fd)
    m.os.pwrite(fd, page("x"), PAGE)
    m, fd = crossed(m)
    assert m.os.pread(fd, 2 * PAGE, PAGE) == page("B") + page("C")


def test_b16_eviction_leaks_seven_of_eight_bits():
    m, fd = eight_pages()
    old = [block(m, fd, index) for index in range(COUNT)]
    collapse(m, fd)
    m.os.close(fd)
    assert [bit(m, frame) for frame in old] == [False] + [True] * 7


def test_after_a_collapse_nothing_is_left_of_the_old_slots():
    m, fd = eight_pages()
    collapse(m, fd)
    m.os.ftruncate(fd, 0)
    assert [slot(m, fd, index) for index in range(COUNT)] == [page_cache.EMPTY] * COUNT
