"""The size of a file, and its mirror in the KHO inode, which moves only when a write extends the file."""

import pytest

import khosim
from khosim.kernel.inode import i_size_write
from khosim.state.blocks import kho_i_size
from tests.kernel.rig import PAGE, crossed, drive, ino_of, kho_of, page, started


def sizes(m, fd):
    """The file's size, and what the next kernel would be told."""
    return m.os.fstat(fd).st_size, kho_i_size(m, kho_of(m, fd))


def test_setting_the_size_changes_the_inode_and_nothing_else():
    m, fd = started()
    before = m.snapshot()
    drive(m, i_size_write(m, ino_of(m, fd), 100))
    assert [(c.array, c.field, c.new) for c in before.diff(m)] == [("inode", "i_size", 100)]


def test_a_write_that_extends_the_file_reaches_the_next_kernel():
    m, fd = started()
    m.os.pwrite(fd, b"x" * 70, 5)
    assert sizes(m, fd) == (75, 75)
    m, fd = crossed(m)
    assert sizes(m, fd) == (75, 75)


def test_a_write_inside_the_file_moves_neither_size():
    m, fd = started()
    m.os.pwrite(fd, b"x" * 70, 0)
    m.os.pwrite(fd, b"y", 3)
    assert sizes(m, fd) == (70, 70)


def test_b24_ftruncate_and_mmap_come_back_with_size_0():
    """The usual way to use a memfd: the data is there, and cannot be reached."""
    m, fd = started()
    m.os.ftruncate(fd, 2 * PAGE)
    m.mmap(fd, 2 * PAGE)[PAGE] = 7
    assert sizes(m, fd) == (2 * PAGE, 0)
    m, fd = crossed(m)
    assert sizes(m, fd) == (0, 0)
    assert m.os.pread(fd, 1, PAGE) == b""


def test_b24_the_data_reappears_after_a_new_ftruncate():
    m, fd = started()
    m.os.ftruncate(fd, 2 * PAGE)
    m.mmap(fd, 2 * PAGE)[PAGE] = 7
    m, fd = crossed(m)
    m.os.ftruncate(fd, 2 * PAGE)
    assert m.os.pread(fd, 1, PAGE) == b"\7"


def test_b24_a_fault_on_it_is_sigbus_until_then():
    m, fd = started()
    m.os.ftruncate(fd, PAGE)
    m.mmap(fd, PAGE)[0] = 7
    m, fd = crossed(m)
    with pytest.raises(khosim.BusError):
        m.mmap(fd, PAGE)[0]


def test_b24_a_shrink_is_forgotten():
    m, fd = started()
    m.os.pwrite(fd, page("A") * 2, 0)
    m.os.ftruncate(fd, PAGE)
    assert sizes(m, fd) == (PAGE, 2 * PAGE)
    m, fd = crossed(m)
    assert m.os.pread(fd, 3 * PAGE, 0) == page("A") + bytes(PAGE)


def test_b24_a_fallocate_that_extends_is_forgotten():
    m, fd = started()
    m.os.posix_fallocate(fd, 0, 3 * PAGE)
    assert sizes(m, fd) == (3 * PAGE, 0)


def test_b24_a_later_extending_write_mends_the_mirror_another_write_does_not():
    m, fd = started()
    m.os.pwrite(fd, page("A") * 2, 0)
    m.os.ftruncate(fd, 10)
    m.os.ftruncate(fd, 3 * PAGE)
    m.os.pwrite(fd, b"x", 0)
    assert sizes(m, fd) == (3 * PAGE, 2 * PAGE)
    m.os.pwrite(fd, b"x", 3 * PAGE)
    assert sizes(m, fd) == (3 * PAGE + 1, 3 * PAGE + 1)


def test_a_page_past_the_mirrored_size_stays_preserved():
    """It is not shown and not freed, over any number of kernels."""
    m, fd = started()
    m.os.ftruncate(fd, 4 * PAGE)
    m.os.pwrite(fd, b"x", 0)
    m.mmap(fd, 4 * PAGE)[3 * PAGE] = 7
    m = m.kexec()
    free = m.nr_free
    m, fd = crossed(m)
    assert m.nr_free == free
    m.os.ftruncate(fd, 4 * PAGE)
    assert m.os.pread(fd, 1, 3 * PAGE) == b"\7"
