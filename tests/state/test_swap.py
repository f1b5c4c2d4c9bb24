"""Swap slots against a set, and the bytes in them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from khosim.state.phys import fill, load
from khosim.state.swap import read_slot, take_slot, write_slot
from tests.state.bare import bare

SLOTS = 5


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.integers(-1, SLOTS - 1), max_size=30))
def test_the_lowest_free_slot_is_taken_until_none_is(changes):
    """-1 takes a slot, a number gives that one back."""
    m, taken = bare(swap_slots=SLOTS), set()
    for slot in changes:
        if slot >= 0:
            m.swap.count[slot] = 0
            taken.discard(slot)
            continue
        lowest = min(set(range(SLOTS)) - taken, default=None)
        assert take_slot(m) == lowest
        taken |= {lowest} - {None}
    assert {slot for slot in range(SLOTS) if m.swap.count[slot]} == taken


def test_a_slot_gives_back_the_bytes_of_its_frame():
    """Also when the frame has long been somebody else's."""
    m = bare(swap_slots=SLOTS)
    fill(m, 9, 0x77)
    write_slot(m, 3, 9)
    fill(m, 9, 0x11)
    read_slot(m, 3, 20)
    assert load(m, 20, 0, 64) == b"\x77" * 64
    assert load(m, 9, 0, 64) == b"\x11" * 64
    assert not m.arrays["swap_data"][[0, 1, 2, 4]].any()
