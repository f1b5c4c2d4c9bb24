"""A machine is its buffer: whoever has the bytes has the machine."""

import numpy as np

import khosim
from khosim.config import MachineConfig
from khosim.state.machine import MachineState


def test_all_bytes_of_a_blank_machine_are_zero():
    """Booting is what gives it content."""
    assert not MachineState(MachineConfig()).buffer.any()


def test_a_machine_that_took_over_a_buffer_is_the_other_machine():
    """Columns, counters, memory: all are windows on the bytes that were loaded."""
    m = khosim.boot()
    fd = m.os.memfd_create("file", khosim.MFD_KHO)
    m.os.pwrite(fd, b"bytes", 0)
    other = MachineState(m.config)
    other.load_buffer(m.snapshot().buffer)
    assert (other.buffer == m.buffer).all()
    assert (other.nr_free, other.boots, other.bitmap_phys) == (m.nr_free, m.boots, m.bitmap_phys)
    assert list(other.page.flags) == list(m.page.flags)
    assert other.ram == m.ram
    assert other.inode.i_size[0] == 5


def test_a_loaded_machine_shares_no_byte_with_what_it_was_loaded_from():
    """Going on from a moment does not change the moment."""
    m = khosim.boot()
    snapshot = m.snapshot()
    other = MachineState(m.config)
    other.load_buffer(snapshot.buffer)
    other.nr_free = 0
    assert snapshot.nr_free == m.nr_free != 0


def test_bytes_and_words_are_the_same_memory():
    """Words are little-endian, eight bytes each."""
    m = MachineState(MachineConfig())
    m.words[3] = 0x0102030405060708
    assert bytes(m.ram[24:32]) == bytes([8, 7, 6, 5, 4, 3, 2, 1])
    assert np.shares_memory(m.arrays["phys"], m.buffer)


def test_every_view_is_a_window_on_the_one_buffer():
    """Nothing of the state lies beside it."""
    m = MachineState(MachineConfig())
    for array in m.arrays.values():
        assert array.size == 0 or np.shares_memory(array, m.buffer)
    kept = {name for name in vars(m) if name not in ("arrays", "buffer", "config", "variants")}
    assert kept == {"frames", "page_size", "file_pages", "page", "link", "inode", "file", "vma", "swap", "slots", "pte",
                    "lru_add", "counters", "ram", "words"}  # fmt: skip


def test_its_repr_is_one_line_without_an_address():
    """Also before it has booted."""
    assert repr(MachineState(MachineConfig())) == "MachineState(kernel 0, 64 frames of 64 bytes)"
