"""Mappings of the real kernel: a fault is observed, not suffered; the rest is as with `mmap.mmap`."""

import sys

import pytest

from khosim.compare.host import Host
from khosim.compare.host_map import PAGE_SIZE
from khosim.errors import BusError

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compare needs Linux underneath")


@pytest.fixture
def real():
    with Host() as face:
        yield face


def test_a_touch_past_the_end_is_a_bus_error_and_the_process_lives(real):
    fd = real.os.memfd_create("file")
    real.os.ftruncate(fd, 10)
    mapping = real.mmap(fd, 2 * PAGE_SIZE)
    assert mapping[10:PAGE_SIZE] == bytes(PAGE_SIZE - 10)
    with pytest.raises(BusError, match=f"SIGBUS at byte {PAGE_SIZE} "):
        mapping[PAGE_SIZE - 1 : PAGE_SIZE + 1]
    with pytest.raises(BusError):
        mapping[PAGE_SIZE] = 1


def test_a_store_that_faults_half_way_has_stored_the_pages_before(real):
    fd = real.os.memfd_create("file")
    real.os.ftruncate(fd, PAGE_SIZE)
    mapping = real.mmap(fd, 2 * PAGE_SIZE)
    with pytest.raises(BusError):
        mapping[PAGE_SIZE - 2 : PAGE_SIZE + 2] = b"abcd"
    assert real.os.pread(fd, 9, PAGE_SIZE - 2) == b"ab"
    mapping[0:3] = b"new"  # nothing of the failed store is left in the pipe
    assert mapping[0:3] == b"new"


def test_a_mapping_is_indexed_like_mmap(real):
    fd = real.os.memfd_create("file")
    real.os.write(fd, b"0123456789")
    mapping = real.mmap(fd, 10)
    mapping[-1] = ord("X")
    mapping[0:4:2] = b"ab"
    assert (mapping[-1], mapping[:4], mapping[8:0:-3], mapping[4:4]) == (ord("X"), b"a1b3", b"85b", b"")
    assert len(mapping) == 10
    with pytest.raises(IndexError, match="out of range"):
        mapping[10]
    with pytest.raises(IndexError, match="wrong size"):
        mapping[0:2] = b"abc"
    mapping.close()
    mapping.close()
    with pytest.raises(ValueError, match="closed"):
        len(mapping)


def test_madvise_is_bounded_as_in_python(real):
    mapping = real.mmap(real.os.memfd_create("file"), PAGE_SIZE)
    mapping.madvise(4)
    for start, length in ((PAGE_SIZE, 1), (-1, 1), (0, -1)):
        with pytest.raises(ValueError, match="madvise"):
            mapping.madvise(4, start, length)
