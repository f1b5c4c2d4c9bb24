"""Single cells by name: each reads the byte, bit or number that the state holds."""

import pytest

import khosim
from khosim import UsageError
from khosim.state import page_cache
from khosim.state.bitmap import test_bit as bit_is_set
from khosim.state.cells import cell_reader, find_kho
from khosim.state.mem_map import PG_NAMES


@pytest.fixture
def m():
    machine = khosim.boot()
    for name, text in (("one", b"1" * 64), ("two", b"2" * 70)):
        fd = machine.os.memfd_create(name, khosim.MFD_KHO)
        machine.os.pwrite(fd, text, 0)
    return machine


def read(machine, cell, **where):
    return cell_reader(machine, cell, **where)(machine.snapshot())


def test_cells_of_frames(m):
    """A bit, a reference count, a flag, a byte."""
    frame = page_cache.load(m, 0, 0)
    assert read(m, "bit", pfn=frame) == 1
    assert [read(m, "bit", pfn=pfn) for pfn in range(64)] == [bit_is_set(m, pfn) for pfn in range(64)]
    assert read(m, "refcount", pfn=frame) == m.page.refcount[frame]
    assert read(m, "mapping", pfn=frame) == 1
    assert read(m, "mapcount", pfn=frame) == 0
    assert read(m, "byte", pfn=frame, offset=5) == ord("1")
    for flag, name in PG_NAMES.items():
        assert read(m, name, pfn=frame) == bool(m.page.flags[frame] & flag)


def test_cells_of_files(m):
    """A block is read as a frame, so that it compares with a slot of the page cache."""
    assert read(m, "cache", index=1, ino=1) == read(m, "block", index=1, file="two") == page_cache.load(m, 1, 1)
    assert read(m, "block", index=0) == read(m, "block", index=0, file="one")
    assert read(m, "block", index=1) == 0
    assert read(m, "cache", index=1) == page_cache.EMPTY
    assert (read(m, "i_size"), read(m, "kho_i_size")) == (64, 64)
    assert (read(m, "i_size", ino=1), read(m, "kho_i_size", file="two")) == (70, 70)
    assert (read(m, "nrpages", ino=1), read(m, "alloced", ino=1), read(m, "swapped", ino=1)) == (2, 2, 0)


@pytest.mark.parametrize(
    ("cell", "where", "words"),
    [
        ("nonsense", {}, "there is no cell 'nonsense'; there are: bit, block, .*uptodate"),
        ("bit", {}, "say which one: pfn=0 to 63"),
        ("bit", {"pfn": 64}, "pfn=0 to 63, not pfn=64"),
        ("uptodate", {"pfn": -1}, "pfn=0 to 63"),
        ("byte", {"pfn": 1, "offset": 64}, "offset=0 to 63"),
        ("cache", {"index": 64}, "index=0 to 63"),
        ("cache", {"index": 0, "ino": 4}, "ino=0 to 3"),
        ("i_size", {"ino": -1}, "ino=0 to 3"),
        ("block", {"index": 16}, "index=0 to 15"),
        ("block", {"index": 0, "file": "three"}, "no preserved file named 'three'"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(m, cell, where, words):
    """The message names the cells there are, or the range."""
    with pytest.raises(UsageError, match=words):
        cell_reader(m, cell, **where)


def test_a_machine_without_a_preserved_file_says_so():
    """And one whose FDT is damaged says that."""
    m = khosim.boot()
    with pytest.raises(UsageError, match="no file was made with MFD_KHO"):
        find_kho(m)
    m.ram[m.fdt_phys] = 0
    with pytest.raises(UsageError, match="FDT cannot be read"):
        find_kho(m)
