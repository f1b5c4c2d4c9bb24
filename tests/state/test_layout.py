"""Every array lies in one buffer, apart from the others, and columns are windows on it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khosim.config import MachineConfig
from khosim.state.layout import LISTS, MAX_ORDER, Counter, Page, layout, views
from khosim.state.machine import COLUMNS, MachineState

SHAPES = st.fixed_dictionaries(
    {
        "frames": st.integers(40, 300),
        "page_size": st.sampled_from([64, 256]),
        "inodes": st.integers(1, 7),
        "file_pages": st.integers(16, 70),
        "vmas": st.integers(1, 5),
        "lru_batch": st.integers(1, 31),
        "swap_slots": st.integers(1, 20),
    }
)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(SHAPES)
def test_arrays_do_not_overlap_and_start_aligned(shape):
    """Each array starts at a multiple of 64 bytes, right after its neighbour."""
    placed = layout(MachineConfig(**shape))
    end = 0
    for offset, dtype, dims in placed.values():
        assert offset % 64 == 0
        assert end <= offset < end + 64
        end = offset + dtype.itemsize * int(np.prod(dims))
    assert list(placed)[-1] == "end"


@settings(derandomize=True, max_examples=20, deadline=None)
@given(SHAPES, st.data())
def test_a_write_to_one_array_is_seen_in_no_other(shape, data):
    """Fill one array with ones: the bytes that changed are its own."""
    config = MachineConfig(**shape)
    buffer = np.zeros(layout(config)["end"][0], "u1")
    opened = views(config, buffer)
    name = data.draw(st.sampled_from([name for name in opened if name != "end"]))
    offset, dtype, dims = layout(config)[name]
    opened[name].view("u1")[...] = 1
    assert buffer.sum() == dtype.itemsize * int(np.prod(dims))
    assert buffer[offset] == 1
    assert all(not array.view("u1").any() for other, array in opened.items() if other != name)


def test_a_column_reads_and_writes_plain_ints():
    """`page.refcount[pfn]` is a Python int, and the numpy array sees what was stored."""
    m = MachineState(MachineConfig())
    m.page.refcount[9] = 5
    assert m.arrays["page"]["refcount"][9] == 5
    m.arrays["page"]["refcount"][9] = 6
    assert m.page.refcount[9] == 6
    assert type(m.page.refcount[9]) is int


@pytest.mark.parametrize("columns", COLUMNS)
def test_every_field_is_a_column_and_nothing_else_is(columns):
    """The annotations that mypy reads are the fields that numpy has."""
    assert set(columns.__annotations__) == set(columns.dtype.names)


def test_a_column_of_numbers_refuses_what_does_not_fit():
    """A value that int32 cannot hold is an error, never another number."""
    m = MachineState(MachineConfig())
    with pytest.raises(ValueError, match="invalid value"):
        m.page.refcount[0] = 1 << 31
    with pytest.raises(TypeError):
        m.page.refcount[0] = 1.5


def test_counters_are_attributes_with_a_place_each():
    """Each counter writes its own word of `counters`."""
    m = MachineState(MachineConfig())
    for place, name in enumerate(Counter.names):
        setattr(m, name, place + 1)
    assert list(m.counters) == list(range(1, len(Counter.names) + 1))
    assert [getattr(m, name) for name in Counter.names] == list(m.counters)


def test_there_is_a_list_head_for_every_list():
    """The per-CPU list, the LRU, and a free list per order for each of two kinds of memory."""
    assert LISTS == 2 + 2 * (MAX_ORDER + 1)
    assert len(MachineState(MachineConfig(frames=64)).link.next) == 64 + LISTS


def test_columns_have_a_repr_without_an_address():
    """It counts rows and columns."""
    assert repr(MachineState(MachineConfig()).page) == f"Page(64 rows of {len(Page.dtype.names)} columns)"
