"""Physical memory is bytes: against a plain bytearray."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khosim.state.phys import FREED, FRESH, copy, fill, load, load_word, pfn_phys, phys_pfn, store, store_word
from tests.state.bare import bare

SIZE, FRAMES = 64, 32
PFN = st.integers(0, FRAMES - 1)
BYTE = st.integers(0, 255)
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), PFN, BYTE, st.integers(0, SIZE), st.integers(0, SIZE)),
        st.tuples(st.just("store"), PFN, st.integers(0, SIZE - 1), st.binary(max_size=SIZE)),
        st.tuples(st.just("copy"), PFN, PFN),
        st.tuples(st.just("word"), st.integers(0, FRAMES * SIZE // 8 - 1), st.integers(0, (1 << 64) - 1)),
    ),
    max_size=20,
)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(OPS)
def test_memory_is_a_bytearray(ops):
    """Any sequence of fills, stores, copies and words leaves the bytes that a bytearray holds."""
    m, model = bare(frames=FRAMES, fdt_bytes=256), bytearray(FRAMES * SIZE)
    for name, *args in ops:
        if name == "fill":
            pfn, byte, start, end = args
            fill(m, pfn, byte, start, end)
            if start < end:
                model[pfn * SIZE + start : pfn * SIZE + end] = bytes([byte]) * (end - start)
        elif name == "store":
            pfn, start, data = args
            data = data[: FRAMES * SIZE - pfn * SIZE - start]
            store(m, pfn, start, data)
            model[pfn * SIZE + start : pfn * SIZE + start + len(data)] = data
        elif name == "copy":
            source, target = args
            copy(m, source, target)
            model[target * SIZE : target * SIZE + SIZE] = model[source * SIZE : source * SIZE + SIZE]
        else:
            place, value = args
            store_word(m, place * 8, value)
            model[place * 8 : place * 8 + 8] = value.to_bytes(8, "little")
            assert load_word(m, place * 8) == value
    assert bytes(m.ram) == model
    assert b"".join(load(m, pfn, 0, SIZE) for pfn in range(FRAMES)) == model
    assert load(m, 3, 60, 10) == model[3 * SIZE + 60 : 4 * SIZE + 6]


def test_addresses_and_frames_convert_both_ways():
    """Every byte of a frame has the frame's number."""
    m = bare()
    assert [phys_pfn(m, address) for address in (0, 63, 64, 127)] == [0, 0, 1, 1]
    assert all(phys_pfn(m, pfn_phys(m, pfn)) == pfn for pfn in range(64))


def test_a_frame_can_be_filled_whole():
    """Without bounds, all of it and nothing beside it."""
    m = bare()
    fill(m, 5, FREED)
    assert load(m, 5, 0, 64) == bytes([FREED]) * 64
    assert load(m, 4, 0, 64) + load(m, 6, 0, 64) == bytes(128)


def test_memory_ends_where_it_ends():
    """A word past the last frame is an error, not another array's bytes."""
    m = bare()
    with pytest.raises(IndexError):
        load_word(m, 64 * 64)
    with pytest.raises(ValueError, match="structure"):
        store(m, 63, 60, b"12345678")
    assert not m.ram[63 * 64 + 60]


def test_fresh_and_freed_frames_read_differently():
    """Stale and freed data show; neither is a zero that could pass for a hole."""
    assert len({FRESH, FREED, 0}) == 3
