"""Folios join the LRU in batches; a batch holds a reference until it is drained."""

import pytest

import khosim
from khosim.kernel.swap import folio_add_lru, folio_mark_accessed
from khosim.state.lists import list_walk, lru_head
from tests.kernel.rig import PAGE, drive, flags, page, slot, started

BATCH = 31


def written(pages):
    """A machine with Linux's batch of 31, and a file of so many pages."""
    m, fd = started(frames=256, nblocks=64, lru_batch=BATCH)
    m.os.pwrite(fd, page("A") * pages, 0)
    return m, fd, [slot(m, fd, index) for index in range(pages)]


def test_a_page_waits_in_its_batch_with_a_reference():
    m, _, frames = written(BATCH - 1)
    assert m.lru_pending == BATCH - 1
    assert {m.page.refcount[frame] for frame in frames} == {2}
    assert not any("lru" in flags(m, frame) for frame in frames)


def test_the_31st_page_drains_the_batch():
    m, _, frames = written(BATCH)
    assert m.lru_pending == 0
    assert all("lru" in flags(m, frame) for frame in frames)
    assert {m.page.refcount[frame] for frame in frames[:-1]} == {1}


def test_a_drain_by_hand_drops_the_references():
    m, _, frames = written(5)
    m.drain()
    assert [m.page.refcount[frame] for frame in frames] == [1] * 5


def test_the_newest_page_is_first_on_the_list():
    m, _, frames = written(5)
    m.drain()
    assert list(list_walk(m, lru_head(m))) == frames[::-1]


def test_a_page_cut_off_while_it_waits_is_freed():
    m, fd, frames = written(3)
    free = m.nr_free
    m.os.ftruncate(fd, 0)
    assert m.nr_free == free + 3
    assert all(flags(m, frame) == {"free"} for frame in frames)


def test_a_page_that_is_on_the_list_must_not_join_again():
    m, _, frames = written(BATCH)
    with pytest.raises(khosim.KernelPanic, match="folio_test_lru"):
        drive(m, folio_add_lru(m, frames[0]))


def test_uses_are_noted_in_two_stages():
    m, _, frames = written(BATCH)
    seen = []
    m.page.flags[frames[0]] &= ~2  # PG_referenced, which the write has set
    for _ in range(3):
        folio_mark_accessed(m, frames[0])
        seen.append(flags(m, frames[0]) & {"referenced", "active"})
    assert seen == [{"referenced"}, {"active"}, {"active", "referenced"}]


def test_a_huge_folio_does_not_wait():
    m = khosim.boot(frames=128, lru_batch=BATCH)
    m.huge(force=True)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, page("A") * 8, 0)
    assert (m.lru_pending, m.page.refcount[slot(m, fd, 0)]) == (0, 8)
    assert m.os.pread(fd, PAGE, 0) == page("A")
