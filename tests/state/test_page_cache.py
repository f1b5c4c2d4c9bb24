"""The page cache of each inode against a dict."""

from hypothesis import given, settings
from hypothesis import strategies as st

from khosim.state.mem_map import prep_compound
from khosim.state.page_cache import EMPTY, entries, is_swap, load, store, store_range, swap_entry, swap_slot
from tests.state.bare import bare

INODES, PAGES = 3, 20
ENTRY = st.one_of(st.integers(0, 31), st.integers(0, 15).map(swap_entry), st.just(EMPTY))
STORES = st.lists(st.tuples(st.integers(0, INODES - 1), st.integers(0, PAGES - 1), ENTRY), max_size=30)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(STORES, st.integers(-2, PAGES + 2), st.integers(-2, PAGES + 2))
def test_it_is_a_dict_per_inode(stores, start, end):
    """Every slot reads what was last stored there, and a walk gives what is in use, in order."""
    m, model = bare(inodes=INODES, file_pages=PAGES), {}
    for ino, index, entry in stores:
        store(m, ino, index, entry)
        model[ino, index] = entry
    for ino in range(INODES):
        slots = [model.get((ino, index), EMPTY) for index in range(PAGES)]
        assert [load(m, ino, index) for index in range(PAGES)] == slots
        walked = [(index, entry) for index, entry in enumerate(slots) if entry != EMPTY and start <= index < end]
        assert list(entries(m, ino, start, end)) == walked


def test_beyond_a_file_there_is_nothing():
    """Looking past either end is no error and finds no other inode's page."""
    m = bare(inodes=2, file_pages=PAGES)
    store(m, 1, 0, 7)
    store(m, 0, PAGES - 1, 8)
    assert load(m, 0, PAGES) == EMPTY
    assert load(m, 1, -1) == EMPTY
    assert list(entries(m, 0, 0, 1000)) == [(PAGES - 1, 8)]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(0, 2), st.integers(0, 5), st.integers(0, 24), st.integers(0, 24))
def test_a_large_folio_counts_once(order, place, start, end):
    """A walk meets it at the first of its pages in the range; equal small entries are met one by one."""
    m = bare(file_pages=24)
    prep_compound(m, 16, order)
    index, count = place << order, 1 << order
    store_range(m, 1, index, count, 16)
    inside = [page for page in range(index, index + count) if start <= page < end]
    assert list(entries(m, 1, start, end)) == [(page, 16) for page in inside[:1]]
    assert [load(m, 1, page) == 16 for page in range(24)] == [index <= page < index + count for page in range(24)]


def test_equal_small_entries_are_met_one_by_one():
    """One frame in two slots is a broken cache, and it is shown as broken."""
    m = bare()
    store_range(m, 0, 3, 2, 16)
    assert list(entries(m, 0, 0, 64)) == [(3, 16), (4, 16)]


def test_swap_entries_are_neither_frames_nor_nothing():
    """Each slot has one entry and each entry one slot."""
    found = [swap_entry(slot) for slot in range(100)]
    assert len({*found}) == 100
    assert all(is_swap(entry) and entry < EMPTY for entry in found)
    assert [swap_slot(entry) for entry in found] == list(range(100))
    assert not is_swap(EMPTY)
    assert not is_swap(0)
