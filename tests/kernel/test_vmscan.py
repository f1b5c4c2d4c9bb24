"""Memory pressure: which page goes, and what is left behind."""

from errno import ENOENT

import pytest

import khosim
from khosim.kernel.filemap import filemap_get_entry
from khosim.kernel.locks import folio_trylock, folio_unlock
from khosim.kernel.vmscan import folio_isolate_lru, folio_putback_lru
from khosim.state import page_cache
from khosim.state.lists import list_walk, lru_head
from tests.kernel.rig import PAGE, bit, block, crossed, drive, fails, flags, interleave, page, slot, started


def clean(m, fd, index=0):
    """A page made by a read fault, mapped no longer."""
    m.os.ftruncate(fd, 2 * PAGE)
    with m.mmap(fd, 2 * PAGE) as view:
        assert view[index * PAGE] == 0
    return slot(m, fd, index)


def dirty_pages(swap=True):
    m, fd = started()
    m.os.pwrite(fd, b"".join(map(page, "ABC")), 0)
    if swap:
        m.swapon()
    return m, fd


def test_an_isolated_page_is_off_the_list_with_a_reference():
    m, fd = dirty_pages()
    frame = slot(m, fd, 1)
    assert drive(m, folio_isolate_lru(m, frame))
    assert not drive(m, folio_isolate_lru(m, frame))
    assert frame not in list(list_walk(m, lru_head(m)))
    assert m.page.refcount[frame] == 2
    drive(m, folio_putback_lru(m, frame))
    assert (next(list_walk(m, lru_head(m))), m.page.refcount[frame]) == (frame, 1)


def held_by_a_reader_and_cut_off():
    """A page that is no longer in its file, but on the LRU: a reader has not let go of it."""
    m, fd = started()
    m.swapon()
    m.os.pwrite(fd, page("A"), 0)
    frame = slot(m, fd, 0)
    drive(m, filemap_get_entry(m, 0, 0))
    m.os.ftruncate(fd, 0)
    assert (m.page.mapping[frame], m.page.refcount[frame], "lru" in flags(m, frame)) == (0, 1, True)
    return m, frame


def test_a_page_that_has_left_its_file_is_left_alone():
    m, frame = held_by_a_reader_and_cut_off()
    before = m.arrays["slots"].copy()
    assert m.reclaim(9) == 0
    assert (m.arrays["slots"] == before).all()
    assert (m.page.refcount[frame], "lru" in flags(m, frame), "locked" in flags(m, frame)) == (1, True, False)


def test_pressure_takes_the_oldest_page_first():
    m, fd = dirty_pages()
    assert m.reclaim(2) == 2
    assert [slot(m, fd, index) >= 0 for index in range(3)] == [False, False, True]
    assert m.reclaim(9) == 1


def test_without_swap_dirty_pages_stay():
    m, fd = dirty_pages(swap=False)
    assert m.reclaim(9) == 0
    assert all(slot(m, fd, index) >= 0 for index in range(3))
    assert len(list(list_walk(m, lru_head(m)))) == 3


@pytest.mark.parametrize("dirty", [False, True])
def test_a_page_that_somebody_holds_or_has_locked_stays(dirty):
    m, fd = started()
    m.swapon()
    frame = clean(m, fd)
    if dirty:
        m.os.pwrite(fd, b"x", 0)
    m.page.refcount[frame] += 1
    assert not m.swap_out(fd, 0)
    assert (slot(m, fd, 0), m.page.refcount[frame]) == (frame, 2)
    m.page.refcount[frame] -= 1
    assert folio_trylock(m, frame)
    assert not m.swap_out(fd, 0)
    folio_unlock(m, frame)
    assert m.swap_out(fd, 0)
    assert flags(m, frame) == {"free"}


def test_the_buffer_head_code_is_asked_before_anybody_looks_who_holds_the_page():
    """B42 bites even where the page stays."""
    m, fd = started()
    m.page.refcount[clean(m, fd)] += 1
    assert not m.swap_out(fd, 0)
    assert m.complaints == ("WARNING: fs/buffer.c try_to_free_buffers",)


def test_a_reader_that_came_in_time_keeps_the_frame_until_it_is_done():
    """Reclaim has found the page free to go, and writes it to swap, while a reader waits for its lock."""
    m, fd = started()
    m.swapon()
    m.os.posix_fallocate(fd, 0, PAGE)
    m.os.pwrite(fd, page("A"), 0)
    frame = slot(m, fd, 0)
    tasks = {"cpu0": [("swap_out", (fd, 0))], "cpu1": [("pread", (fd, 1, 0))]}
    done = interleave(m, tasks, ("cpu0", 3, "recalc"), ("cpu1", 3, ""))
    assert done == {"cpu0": [1], "cpu1": [(b"A", 0)]}
    assert m.complaints == ()
    assert (slot(m, fd, 0), m.page.refcount[frame]) == (frame, 1)  # freed by the reader, and at once its own again


def test_a_mapped_page_is_unmapped_and_goes():
    m, fd = dirty_pages()
    view = m.mmap(fd, PAGE)
    assert view[0] == ord("A")
    assert m.swap_out(fd, 0)
    assert view[0] == ord("A")


def test_a_clean_ordinary_page_is_dropped_and_comes_back_as_zeroes():
    m = khosim.boot()
    fd = m.os.memfd_create("plain")
    frame = clean(m, fd)
    assert m.swap_out(fd, 0)
    assert (slot(m, fd, 0), flags(m, frame)) == (page_cache.EMPTY, {"free"})
    assert m.os.pread(fd, PAGE, 0) == bytes(PAGE)


def test_what_is_not_cached_cannot_be_picked():
    m, fd = crossed(dirty_pages()[0])
    with fails(ENOENT):
        m.swap_out(fd, 0)


def test_a_huge_folio_is_split_and_its_first_page_goes():
    m = khosim.boot(frames=128)
    m.huge(force=True)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, page("A") * 8, 0)
    m.swapon()
    assert m.swap_out(fd, 0)
    assert [slot(m, fd, index) >= 0 for index in range(8)] == [False] + [True] * 7
    assert m.os.pread(fd, 8 * PAGE, 0) == page("A") * 8


def reclaimed():
    m, fd = started()
    frame = clean(m, fd)
    assert m.swap_out(fd, 0)
    return m, fd, frame


def test_b14_a_clean_page_leaves_its_block_on_a_freed_frame():
    m, fd, frame = reclaimed()
    assert slot(m, fd, 0) == page_cache.EMPTY
    assert (block(m, fd, 0), bit(m, frame), flags(m, frame)) == (frame, True, {"free"})


def test_b14_the_next_read_puts_a_free_frame_into_the_page_cache():
    m, fd, frame = reclaimed()
    assert m.os.pread(fd, PAGE, 0) == b"\xaa" * PAGE
    assert m.complaints[-1] == f"BUG: Bad page state: non-NULL mapping  pfn:{frame:05x}"
    assert (slot(m, fd, 0), m.page.refcount[frame]) == (frame, 0)


def test_b14_the_next_write_corrupts_the_free_list():
    m, fd, _ = reclaimed()
    m.os.pwrite(fd, b"x", 0)
    with pytest.raises(khosim.KernelPanic, match="Kernel mode fault at addr 0x108"):
        m.os.pwrite(fd, page("B"), PAGE)


def test_b14_the_next_kernel_shows_freed_memory():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    clean(m, fd, 1)
    assert m.swap_out(fd, 1)
    m, fd = crossed(m)
    m.os.ftruncate(fd, 2 * PAGE)
    assert m.os.pread(fd, 2 * PAGE, 0) == page("A") + b"\xaa" * PAGE
