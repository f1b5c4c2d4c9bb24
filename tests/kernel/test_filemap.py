"""The page cache: who finds what in it, who leaves it, and what SEEK_DATA thinks of a page that is not in it."""

from errno import ENXIO

import pytest

import khosim
from khosim.kernel.filemap import filemap_get_entry, filemap_remove_folio, folio_needs_release
from khosim.kernel.page_alloc import folio_put
from khosim.state import page_cache
from tests.kernel.rig import PAGE, crossed, drive, fails, ino_of, opened, page, slot, started

WARNING = "WARNING: fs/buffer.c try_to_free_buffers"


def two_pages_and_a_hole_between():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    m.os.pwrite(fd, page("B"), 3 * PAGE)
    return m, fd


def seeks(m, fd, *places):
    """What SEEK_DATA and SEEK_HOLE say of each place."""
    return [(m.os.lseek(fd, at, m.os.SEEK_DATA), m.os.lseek(fd, at, m.os.SEEK_HOLE)) for at in places]


def test_looking_a_page_up_takes_a_reference():
    m, fd = two_pages_and_a_hole_between()
    frame = slot(m, fd, 0)
    assert m.page.refcount[frame] == 1
    assert drive(m, filemap_get_entry(m, ino_of(m, fd), 0)) == frame
    assert m.page.refcount[frame] == 2


def test_an_empty_slot_and_a_swap_entry_come_back_as_they_are():
    m, fd = two_pages_and_a_hole_between()
    m.swapon()
    m.swap_out(fd, 0)
    assert drive(m, filemap_get_entry(m, ino_of(m, fd), 1)) == page_cache.EMPTY
    assert page_cache.is_swap(drive(m, filemap_get_entry(m, ino_of(m, fd), 0)))


def test_a_page_without_references_is_looked_up_for_ever():
    """A frame that was freed while the cache still names it: B01 and B02 end here."""
    m, fd = two_pages_and_a_hole_between()
    m.page.refcount[slot(m, fd, 0)] = 0
    with pytest.raises(khosim.Livelock, match=r"page cache entry has refcount 0 \(index 0\)"):
        m.os.pread(fd, 1, 0)


def test_removing_a_page_nobody_locked_is_a_bug():
    m, fd = two_pages_and_a_hole_between()
    with pytest.raises(khosim.KernelPanic, match="folio_test_locked"):
        drive(m, filemap_remove_folio(m, slot(m, fd, 0)))


def test_a_removed_page_is_freed_by_whoever_looks_last():
    m, fd = two_pages_and_a_hole_between()
    frame = drive(m, filemap_get_entry(m, ino_of(m, fd), 0))
    free = m.nr_free
    m.os.ftruncate(fd, 0)
    assert (slot(m, fd, 0), m.page.refcount[frame], m.nr_free) == (page_cache.EMPTY, 1, free + 1)
    drive(m, folio_put(m, frame))
    assert m.nr_free == free + 2


def test_only_the_mapping_of_a_kho_file_asks_to_be_told():
    m, fd = two_pages_and_a_hole_between()
    other = m.os.memfd_create("plain")
    m.os.pwrite(other, b"x", 0)
    assert folio_needs_release(m, slot(m, fd, 0))
    assert not folio_needs_release(m, slot(m, other, 0))
    assert not folio_needs_release(m, m.frames - 1)


def clean_page(m, fd):
    """A page made by a read fault is not dirty."""
    m.os.ftruncate(fd, PAGE)
    with m.mmap(fd, PAGE) as view:
        assert view[0] == 0


def test_b42_a_clean_page_is_sent_to_buffer_head_code():
    m, fd = started()
    clean_page(m, fd)
    assert m.swap_out(fd, 0)
    assert m.complaints == (WARNING,)


def test_b42_an_ordinary_clean_page_goes_quietly():
    m = khosim.boot()
    fd = m.os.memfd_create("plain")
    clean_page(m, fd)
    assert m.swap_out(fd, 0)
    assert m.complaints == ()


def test_seek_finds_data_and_holes():
    m, fd = two_pages_and_a_hole_between()
    assert seeks(m, fd, 0, PAGE, 3 * PAGE) == [(0, PAGE), (3 * PAGE, PAGE), (3 * PAGE, 4 * PAGE)]
    with fails(ENXIO):
        m.os.lseek(fd, 4 * PAGE, m.os.SEEK_DATA)


def test_a_page_in_swap_is_data():
    m, fd = two_pages_and_a_hole_between()
    m.swapon()
    m.swap_out(fd, 3)
    assert m.os.lseek(fd, PAGE, m.os.SEEK_DATA) == 3 * PAGE


def test_a_fallocated_page_is_a_hole():
    m, fd = two_pages_and_a_hole_between()
    m.os.posix_fallocate(fd, PAGE, PAGE)
    assert seeks(m, fd, PAGE) == [(3 * PAGE, PAGE)]


def test_b17_after_a_kexec_the_whole_file_seems_to_be_a_hole():
    m, fd = crossed(two_pages_and_a_hole_between()[0])
    assert m.os.lseek(fd, 0, m.os.SEEK_HOLE) == 0
    with fails(ENXIO):
        m.os.lseek(fd, 0, m.os.SEEK_DATA)


def test_b17_a_copy_that_skips_holes_loses_what_was_not_touched():
    m, fd = crossed(two_pages_and_a_hole_between()[0])
    m.os.pread(fd, 1, 3 * PAGE)
    assert seeks(m, fd, 0) == [(3 * PAGE, 0)]
    assert m.os.pread(fd, PAGE, 0) == page("A")


def test_two_files_do_not_share_a_cache():
    m, fd = two_pages_and_a_hole_between()
    other = opened(m, "other")
    m.os.pwrite(other, page("C"), 0)
    assert slot(m, fd, 0) != slot(m, other, 0)
    assert m.os.pread(fd, 1, 0) == b"A"
