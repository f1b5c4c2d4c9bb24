"""The KHO inode is a size and a list of addresses, in bytes that another kernel can read."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from khosim.state.blocks import kho_i_size, listed_block, load_block, set_kho_i_size, store_block
from tests.state.bare import bare

NBLOCKS = 6
WORD = st.integers(0, (1 << 64) - 1)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, NBLOCKS - 1), WORD), max_size=20), st.integers(1, 20))
def test_it_is_a_struct_of_words(stores, pfn):
    """Against `struct`: i_size first, then a word a block, little-endian, and no byte beside them."""
    m, model = bare(nblocks=NBLOCKS), [0] * (1 + NBLOCKS)
    kho = pfn * 64
    for index, value in stores:
        if index < 0:
            set_kho_i_size(m, kho, value)
        else:
            store_block(m, kho, index, value)
        model[1 + index] = value
    assert m.config.kho_inode_bytes == struct.calcsize(f"<{1 + NBLOCKS}Q")
    assert bytes(m.ram) == struct.pack(f"<{1 + NBLOCKS}Q", *model).rjust(kho + 56, b"\0").ljust(len(m.ram), b"\0")
    assert kho_i_size(m, kho) == model[0]
    assert [load_block(m, kho, index) for index in range(NBLOCKS)] == model[1:]


def test_no_bound_is_checked():
    """As in the patch: one block past the end is whatever lies there."""
    m = bare(nblocks=NBLOCKS)
    m.words[(640 >> 3) + 1 + NBLOCKS] = 77
    assert load_block(m, 640, NBLOCKS) == 77


def test_past_the_list_there_is_no_block():
    m = bare(nblocks=NBLOCKS)
    for index in range(NBLOCKS + 1):
        store_block(m, 640, index, 7)
    assert [listed_block(m, 640, index) for index in (0, NBLOCKS - 1, NBLOCKS)] == [7, 7, 0]
