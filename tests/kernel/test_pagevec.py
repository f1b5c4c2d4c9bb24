"""Batches of pages of a file: up to 31, referenced, and in the first sweep locked."""

import pytest

import khosim
from khosim.kernel.locks import folio_trylock
from khosim.kernel.pagevec import PAGEVEC_SIZE, find_get_entries, folio_batch_release
from khosim.state import page_cache
from tests.kernel.rig import PAGE, drive, flags, ino_of, page, slot, started, steps

PAGES = 40


def forty_pages():
    m, fd = started(frames=256, nblocks=PAGES)
    m.os.pwrite(fd, page("A") * PAGES, 0)
    return m, fd


def find(m, fd, start, end, sweep):
    return drive(m, find_get_entries(m, ino_of(m, fd), start, end, sweep))


def test_a_batch_has_31_pages():
    m, fd = forty_pages()
    assert PAGEVEC_SIZE == 31
    assert [index for index, _ in find(m, fd, 3, PAGES, 2)] == list(range(3, 34))


def test_a_batch_holds_its_pages_until_it_is_released():
    m, fd = forty_pages()
    batch = find(m, fd, 0, 5, 2)
    assert [m.page.refcount[frame] for _, frame in batch] == [2] * 5
    assert not any("locked" in flags(m, frame) for _, frame in batch)
    drive(m, folio_batch_release(m, batch))
    assert [m.page.refcount[frame] for _, frame in batch] == [1] * 5


def test_the_first_sweep_locks_and_skips_what_is_locked():
    m, fd = forty_pages()
    folio_trylock(m, slot(m, fd, 1))
    batch = find(m, fd, 0, 4, 1)
    assert [index for index, _ in batch] == [0, 2, 3]
    assert all("locked" in flags(m, frame) for _, frame in batch)
    assert m.page.refcount[slot(m, fd, 1)] == 1


def test_a_huge_folio_counts_once_and_only_if_all_of_it_is_in_the_range():
    m = khosim.boot(frames=128)
    m.huge(force=True)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, page("A") * 8, 0)
    assert find(m, fd, 0, 7, 1) == []
    assert find(m, fd, 0, 8, 1) == [(0, slot(m, fd, 0))]


def test_a_swap_entry_is_found_too():
    m, fd = forty_pages()
    m.swapon()
    m.swap_out(fd, 0)
    ((index, entry),) = find(m, fd, 0, 1, 1)
    assert index == 0
    assert page_cache.is_swap(entry)


def test_a_page_without_references_stops_the_sweep_for_ever():
    m, fd = forty_pages()
    m.page.refcount[slot(m, fd, 0)] = 0
    with pytest.raises(khosim.Livelock, match="refcount 0"):
        find(m, fd, 0, 1, 2)


def test_a_long_file_is_cut_in_batches():
    m, fd = forty_pages()
    with steps(m) as seen:
        m.os.ftruncate(fd, 0)
    assert [args["count"] for name, args in seen if name == "batch"] == [31, 9, 0, 0]


def test_a_release_drains_the_lru_batch_first():
    m, fd = started(lru_batch=31)
    m.os.pwrite(fd, b"x" * PAGE, 0)
    assert (m.lru_pending, m.page.refcount[slot(m, fd, 0)]) == (1, 2)
    drive(m, folio_batch_release(m, []))
    assert (m.lru_pending, m.page.refcount[slot(m, fd, 0)]) == (0, 1)
