"""Each bug bites in the patch as posted; each repair cures it, and nothing else changes."""

from errno import ENOSPC

import pytest

import khosim
from khosim.variants import REPAIRS

PAGE = 64


def machine(bug, *, repaired):
    return khosim.boot(variants=REPAIRS[bug] if repaired else None)


def opened(m):
    return m.os.memfd_create("guest", khosim.MFD_KHO)


def test_b01_reading_a_fallocated_page_never_returns():
    m = machine("B01", repaired=False)
    fd = opened(m)
    m.os.posix_fallocate(fd, 0, PAGE)
    with pytest.raises(khosim.Livelock):
        m.os.pread(fd, 1, 0)


def test_b01_repaired_it_reads_as_a_hole_and_stays_fallocated():
    m = machine("B01", repaired=True)
    fd = opened(m)
    m.os.posix_fallocate(fd, 0, PAGE)
    assert m.os.pread(fd, 4, 0) == bytes(4)
    m.os.pwrite(fd, b"x", 1)
    assert m.os.pread(fd, 4, 0) == b"\0x\0\0"


def refused_read(m):
    fd = opened(m)
    m.os.pwrite(fd, b"kept", 0)
    m = m.kexec()
    fd = opened(m)
    m.overcommit(2)
    with pytest.raises(OSError, match="No space") as refused:
        m.os.pread(fd, 4, 0)
    assert refused.value.errno == ENOSPC
    m.overcommit(0)
    return m, fd


def test_b19_a_refused_read_destroys_the_page():
    m, fd = refused_read(machine("B19", repaired=False))
    assert m.os.pread(fd, 4, 0) == bytes(4)


def test_b19_repaired_the_page_can_be_read_later_and_by_the_next_kernel():
    m, fd = refused_read(machine("B19", repaired=True))
    assert m.os.pread(fd, 4, 0) == b"kept"
    m = m.kexec()
    assert m.os.pread(opened(m), 4, 0) == b"kept"


def test_b24_a_file_that_was_only_mapped_comes_back_empty():
    m = machine("B24", repaired=False)
    fd = opened(m)
    m.os.ftruncate(fd, PAGE)
    m.mmap(fd, PAGE)[0] = 7
    m = m.kexec()
    assert m.os.fstat(opened(m)).st_size == 0


def test_b24_repaired_it_comes_back_whole():
    m = machine("B24", repaired=True)
    fd = opened(m)
    m.os.ftruncate(fd, PAGE)
    m.mmap(fd, PAGE)[0] = 7
    m = m.kexec()
    fd = opened(m)
    assert m.os.fstat(fd).st_size == PAGE
    assert m.os.pread(fd, 1, 0) == b"\7"


def test_the_repairs_can_be_stacked():
    together = {name: path for repair in REPAIRS.values() for name, path in repair.items()}
    m = khosim.boot(variants=together)
    fd = opened(m)
    m.os.posix_fallocate(fd, 0, 2 * PAGE)
    assert m.os.pread(fd, 1, 0) == b"\0"
    m = m.kexec()
    assert m.os.fstat(opened(m)).st_size == 2 * PAGE
