"""Flags are single bits with a name each, and a folio knows its head."""

from hypothesis import given, settings
from hypothesis import strategies as st

from khosim.state import mem_map
from khosim.state.mem_map import PG_NAMES, PG_lru, clear_flag, folio_nr_pages, page_folio, prep_compound, set_flag
from khosim.state.mem_map import test_flag as flag_is_set
from tests.state.bare import bare

FLAGS = sorted(PG_NAMES)


def test_every_flag_is_one_bit_and_has_one_name():
    """No two flags share either."""
    assert len({*PG_NAMES.values()}) == len(PG_NAMES)
    assert all(flag.bit_count() == 1 for flag in PG_NAMES)
    defined = {value for name, value in vars(mem_map).items() if name.startswith("PG_") and name != "PG_NAMES"}
    assert defined == set(PG_NAMES)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 31), st.sampled_from(FLAGS)), max_size=40))
def test_flags_behave_like_a_set_of_pairs(changes):
    """Setting and clearing touches that flag of that frame alone."""
    m, model = bare(frames=32, fdt_bytes=256), set()
    for on, pfn, flag in changes:
        (set_flag if on else clear_flag)(m, pfn, flag)
        (model.add if on else model.discard)((pfn, flag))
    assert {(pfn, flag) for pfn in range(32) for flag in FLAGS if flag_is_set(m, pfn, flag)} == model


def test_any_of_several_flags_is_enough():
    """As folio_test_x() || folio_test_y()."""
    m = bare()
    set_flag(m, 4, PG_lru)
    assert flag_is_set(m, 4, PG_lru | mem_map.PG_locked)
    assert not flag_is_set(m, 4, mem_map.PG_locked)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), max_size=12))
def test_every_page_of_a_compound_finds_its_head(compounds):
    """Against a dict: a page belongs to the last folio made of it; order 0 makes it its own again."""
    m, head, size = bare(), {pfn: pfn for pfn in range(64)}, dict.fromkeys(range(64), 1)
    for eighth, order in compounds:
        first = eighth * 8
        prep_compound(m, first, order)
        for pfn in range(first, first + 8):
            inside = pfn < first + (1 << order)
            head[pfn] = first if inside else pfn
        size[first] = 1 << order
    assert {pfn: page_folio(m, pfn) for pfn in range(64)} == head
    assert all(folio_nr_pages(m, pfn) == size[pfn] for pfn in range(0, 64, 8))
