"""A page moves to another frame; its block stays behind."""

from errno import EAGAIN, ENOENT, ENOMEM

import pytest

import khosim
from khosim.kernel.filemap import filemap_get_entry
from khosim.kernel.migrate import migrate_folio
from khosim.kernel.page_alloc import alloc_pages, folio_put
from tests.kernel.rig import PAGE, bit, block, crossed, drive, fails, flags, page, slot, started

PUNCH = khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE


def migrated():
    m, fd = started()
    m.os.pwrite(fd, page("A") + page("B"), 0)
    old = slot(m, fd, 0)
    m.migrate(fd, 0)
    return m, fd, old


def test_the_page_is_in_another_frame_with_the_same_bytes_and_flags():
    m, fd, old = migrated()
    new = slot(m, fd, 0)
    assert new != old
    assert m.os.pread(fd, 2 * PAGE, 0) == page("A") + page("B")
    assert {"uptodate", "dirty", "swapbacked", "lru"} <= flags(m, new)
    assert m.page.refcount[new] == 1
    assert flags(m, old) == {"free"}


def test_a_mapped_page_is_unmapped_and_faults_in_again():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    view = m.mmap(fd, PAGE)
    view[0] = 7
    m.migrate(fd, 0)
    assert m.page.mapcount[slot(m, fd, 0)] == 0
    assert view[0] == 7


def test_a_page_that_somebody_holds_stays():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    frame, free = slot(m, fd, 0), m.nr_free
    m.page.refcount[frame] += 1
    with fails(EAGAIN):
        m.migrate(fd, 0)
    assert (slot(m, fd, 0), m.nr_free) == (frame, free)
    assert ("lru" in flags(m, frame), "locked" in flags(m, frame)) == (True, False)
    drive(m, folio_put(m, frame))
    m.migrate(fd, 0)
    assert slot(m, fd, 0) != frame


def test_a_page_that_left_its_file_meanwhile_stays_where_it_is():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    frame = drive(m, filemap_get_entry(m, 0, 0))
    m.os.ftruncate(fd, 0)
    free, before = m.nr_free, m.arrays["slots"].copy()
    assert drive(m, migrate_folio(m, frame)) == -EAGAIN
    assert (m.nr_free, m.page.refcount[frame]) == (free, 1)
    assert (m.arrays["slots"] == before).all()


def test_without_a_free_frame_the_page_goes_back_to_the_lru():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    frame = slot(m, fd, 0)
    while drive(m, alloc_pages(m, 0, movable=1)) is not None:
        pass
    with fails(ENOMEM):
        m.migrate(fd, 0)
    assert (slot(m, fd, 0), m.page.refcount[frame], "lru" in flags(m, frame)) == (frame, 1, True)


def test_only_a_cached_page_can_move():
    m, fd = started()
    with fails(ENOENT):
        m.migrate(fd, 0)


def test_b12_block_and_bit_stay_with_the_old_frame():
    m, fd, old = migrated()
    assert (block(m, fd, 0), bit(m, old), bit(m, slot(m, fd, 0))) == (old, True, False)


def test_b12_the_next_kernel_shows_freed_memory_and_the_page_is_lost():
    m, fd = crossed(migrated()[0])
    assert m.os.pread(fd, 2 * PAGE, 0) == b"\xaa" * PAGE + page("B")


def test_b12_two_blocks_name_one_frame_when_it_is_used_again():
    m, fd, old = migrated()
    m.os.pwrite(fd, page("C"), 2 * PAGE)
    assert block(m, fd, 0) == block(m, fd, 2) == slot(m, fd, 2) == old


def test_b12_punching_one_of_them_clears_the_bit_of_the_other():
    m, fd, old = migrated()
    m.os.pwrite(fd, page("C"), 2 * PAGE)
    m.os.fallocate(fd, PUNCH, 0, PAGE)
    assert (slot(m, fd, 2), block(m, fd, 2), bit(m, old)) == (old, old, False)


def test_b12_a_kernel_that_trusts_the_blocks_gives_one_frame_to_two_pages():
    """The second insertion of the frame is what DEBUG_VM dies of."""
    m, fd = started(trust_blocks=True)
    m.os.pwrite(fd, page("A"), 0)
    m.migrate(fd, 0)
    m.os.pwrite(fd, page("B"), PAGE)
    m, fd = crossed(m)
    assert m.os.pread(fd, PAGE, 0) == page("B")
    with pytest.raises(khosim.KernelPanic, match="folio_test_lru"):
        m.os.pread(fd, PAGE, PAGE)


def test_b12_a_careful_kernel_refuses_the_handover():
    m, fd, _ = migrated()
    m.os.pwrite(fd, page("C"), 2 * PAGE)
    m, fd = crossed(m)
    assert m.os.fstat(fd).st_size == 0
    assert "block 2 of 'guest' and block 0 of 'guest' are both in frame" in m.complaints[-1]
