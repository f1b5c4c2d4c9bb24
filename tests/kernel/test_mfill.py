"""A monitor fills in pages. What UFFDIO_COPY puts into the page cache, the block list never hears of."""

from errno import EEXIST, EFAULT, EFBIG, EIO, ENOMEM

import khosim
from khosim.state import page_cache
from tests.kernel.rig import PAGE, bit, block, crossed, fails, flags, page, slot, started, unlucky

PUNCH = khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE
WARNING = "WARNING: mm/shmem.c shmem_kho_free_block"


def monitored(kind="missing", pages=4, written=b""):
    m, fd = started()
    m.os.pwrite(fd, written, 0)
    m.os.ftruncate(fd, pages * PAGE)
    return m, fd, watch(m, fd, kind, pages)


def watch(m, fd, kind, pages):
    view = m.mmap(fd, pages * PAGE)
    view.uffd_register(kind)
    return view


def test_a_copied_page_is_in_the_file_and_mapped():
    m, fd, view = monitored()
    view.uffd_copy(1, page("x"))
    frame = slot(m, fd, 1)
    assert (m.page.refcount[frame], m.page.mapcount[frame]) == (2, 1)
    assert (view[PAGE], m.os.pread(fd, 1, PAGE)) == (ord("x"), b"x")
    assert (m.inode.alloced[0], m.used_pages) == (1, 1)
    assert {"uptodate", "swapbacked", "lru"} <= flags(m, frame)
    assert "locked" not in flags(m, frame)


def test_a_page_that_is_there_is_not_copied_over():
    m, fd, view = monitored(written=page("A"))
    free = m.nr_free
    with fails(EEXIST):
        view.uffd_copy(0, page("x"))
    assert (m.nr_free, m.used_pages) == (free, 1)
    assert m.os.pread(fd, 1, 0) == b"A"


def test_past_the_end_of_the_file_it_fails_and_gives_everything_back():
    m, fd = started()
    view = watch(m, fd, "missing", 2)
    free = m.nr_free
    with fails(EFAULT):
        view.uffd_copy(1, page("x"))
    assert (m.nr_free, m.used_pages) == (free, 0)


def test_without_memory_nothing_is_charged():
    m, _, view = monitored()
    unlucky(m, "alloc", ENOMEM)
    with fails(ENOMEM):
        view.uffd_copy(0, page("x"))
    assert m.used_pages == 0


def test_b15_a_copied_page_has_no_block_and_no_bit_and_is_lost():
    m, fd, view = monitored(written=page("A") * 2)
    m.os.fallocate(fd, PUNCH, PAGE, PAGE)
    view.uffd_copy(1, page("x"))
    assert (block(m, fd, 1), bit(m, slot(m, fd, 1))) == (0, False)
    m, fd = crossed(m)
    assert m.os.pread(fd, PAGE, PAGE) == bytes(PAGE)


def test_b15_punching_it_trips_the_warning():
    m, fd, view = monitored()
    view.uffd_copy(0, page("x"))
    m.os.fallocate(fd, PUNCH, 0, PAGE)
    assert m.complaints == (WARNING,)
    assert slot(m, fd, 0) == page_cache.EMPTY


def test_b15_over_a_page_not_yet_restored_it_succeeds_and_hides_it():
    m, fd, _ = monitored(written=page("A") * 2)
    m, fd = crossed(m)
    watch(m, fd, "missing", 2).uffd_copy(0, page("x"))
    assert m.os.pread(fd, 1, 0) == b"x"
    m, fd = crossed(m)
    assert m.os.pread(fd, 1, 0) == b"A"


def test_b15_a_punch_then_leaks_the_page_it_hid():
    m, fd, _ = monitored(written=page("A") * 2)
    m, fd = crossed(m)
    held = block(m, fd, 0)
    watch(m, fd, "missing", 2).uffd_copy(0, page("x"))
    m.os.fallocate(fd, PUNCH, 0, PAGE)
    assert (block(m, fd, 0), bit(m, held)) == (0, False)
    assert (m.page.refcount[held], "free" in flags(m, held)) == (1, False)


def test_b15_past_the_block_array_it_works_and_dropping_it_is_out_of_bounds():
    m, fd, view = monitored(pages=18)
    view.uffd_copy(16, page("x"))
    assert m.os.pread(fd, 1, 16 * PAGE) == b"x"
    view.close()
    with m.record() as trace:
        m.os.ftruncate(fd, 0)
    assert any("out of bounds" in moment.sentence for moment in trace)


def test_continue_maps_the_page_the_file_has():
    m, fd, view = monitored("minor", written=page("A"))
    view.uffd_continue(0)
    assert view[0] == ord("A")
    assert m.page.refcount[slot(m, fd, 0)] == 2


def test_continue_of_a_poisoned_page_is_eio():
    m, fd, view = monitored("minor", written=page("A"))
    m.poison(fd, 0)
    with fails(EIO):
        view.uffd_continue(0)
    assert (m.page.refcount[slot(m, fd, 0)], "locked" in flags(m, slot(m, fd, 0))) == (2, False)


def test_continue_restores_a_preserved_page():
    m, fd, _ = monitored(written=page("A"))
    m, fd = crossed(m)
    held = block(m, fd, 0)
    view = watch(m, fd, "minor", 1)
    view.uffd_continue(0)
    assert (view[0], slot(m, fd, 0)) == (ord("A"), held)


def test_continue_zeroes_a_fallocated_page():
    m, fd, _ = monitored()
    m.os.posix_fallocate(fd, 0, PAGE)
    view = watch(m, fd, "minor", 1)
    view.uffd_continue(0)
    assert view[:PAGE] == bytes(PAGE)


def test_continue_of_a_hole_is_efault_and_past_the_array_efbig():
    _, _, view = monitored("minor", pages=18)
    with fails(EFAULT):
        view.uffd_continue(3)
    with fails(EFBIG):
        view.uffd_continue(17)
