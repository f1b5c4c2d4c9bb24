"""Reading and writing: which bytes, and which page they come from."""

from errno import EFAULT, ENOMEM

import pytest

import khosim
from khosim.state.blocks import kho_i_size
from tests.kernel.rig import (
    PAGE,
    bit,
    block,
    crossed,
    fails,
    flags,
    interleave,
    kho_of,
    page,
    slot,
    started,
    steps,
    unlucky,
)

LETTERS = "ABCDE"
ALL = b"".join(map(page, LETTERS))


def five_pages():
    m, fd = started()
    m.os.pwrite(fd, ALL, 0)
    return m, fd


def test_a_partial_write_of_a_new_page_zeroes_the_rest():
    m, fd = started()
    m.os.pwrite(fd, b"xy", 10)
    m.os.ftruncate(fd, PAGE)
    assert m.os.pread(fd, PAGE, 0) == bytes(10) + b"xy" + bytes(PAGE - 12)


def test_a_write_across_pages_is_one_write():
    m, fd = five_pages()
    assert m.os.pwrite(fd, b"x" * (PAGE + 2), PAGE - 1) == PAGE + 2
    assert m.os.pread(fd, 5 * PAGE, 0) == ALL[: PAGE - 1] + b"x" * (PAGE + 2) + ALL[2 * PAGE + 1 :]


def test_holes_read_as_zeroes_and_stay_holes():
    m, fd = started()
    m.os.ftruncate(fd, 4 * PAGE)
    m.os.pwrite(fd, b"x", 2 * PAGE)
    assert m.os.pread(fd, 9 * PAGE, 0) == bytes(2 * PAGE) + b"x" + bytes(2 * PAGE - 1)
    assert m.inode.nrpages[0] == 1


def test_reading_stops_at_the_end_of_the_file():
    m, fd = started()
    m.os.pwrite(fd, b"abc", 0)
    assert (m.os.pread(fd, 9, 1), m.os.pread(fd, 9, 3), m.os.pread(fd, 9, PAGE)) == (b"bc", b"", b"")


def test_splice_reads_the_same_bytes_at_most_sixteen_pages():
    m, fd = five_pages()
    m.os.ftruncate(fd, 20 * PAGE)
    assert m.os.splice(fd, 5 * PAGE, 3) == (ALL + bytes(PAGE))[3 : 3 + 5 * PAGE]
    ordinary = m.os.memfd_create("plain")
    m.os.ftruncate(ordinary, 20 * PAGE)
    assert len(m.os.splice(ordinary, 20 * PAGE, 0)) == 16 * PAGE


def test_pages_come_back_one_at_a_time_when_they_are_read():
    m, fd = crossed(five_pages()[0])
    held = [block(m, fd, index) for index in range(5)]
    for count, index in enumerate((3, 0, 4), 1):
        assert m.os.pread(fd, PAGE, index * PAGE) == page(LETTERS[index])
        assert slot(m, fd, index) == held[index]
        assert m.inode.nrpages[0] == count


@pytest.mark.parametrize("data", [b"xy", b"x" * PAGE])
def test_a_write_to_a_restored_page_keeps_the_rest_of_it(data):
    m, fd = crossed(five_pages()[0])
    m.os.pwrite(fd, data, 2 * PAGE)
    assert m.os.pread(fd, 5 * PAGE, 0) == ALL[: 2 * PAGE] + data + ALL[2 * PAGE + len(data) :]


def test_a_page_written_after_a_kexec_is_preserved_like_the_others():
    m, fd = crossed(five_pages()[0])
    m.os.pwrite(fd, page("x"), 7 * PAGE)
    frame = slot(m, fd, 7)
    assert (block(m, fd, 7), bit(m, frame)) == (frame, True)
    m, fd = crossed(m)
    assert m.os.pread(fd, 9 * PAGE, 0) == ALL + bytes(2 * PAGE) + page("x")


def test_the_mirror_follows_each_page_of_a_write():
    m, fd = started()
    with m.record() as trace:
        m.os.pwrite(fd, page("A") * 2, 0)
    mirrored = [moment.snapshot for moment in trace if moment.step and moment.step.name == "kho_i_size"]
    assert [kho_i_size(s, s.inode.kho[0]) for s in mirrored] == [PAGE, 2 * PAGE]


def test_b44_a_kexec_in_the_middle_of_a_write_tears_it():
    """Nothing is quiesced: the first page crosses, the second does not."""
    m, fd = started()
    tasks = {"cpu0": [("pwrite", (fd, 2 * PAGE, page("A") * 2, 0))], "cpu1": [("kexec", ())]}
    interleave(m, tasks, ("cpu0", 25, "folio_put"), ("cpu1", 2, "boot"))
    m = m._session.machine
    assert m.os.pread(m.os.memfd_create("guest", khosim.MFD_KHO), 9 * PAGE, 0) == page("A")


def test_an_error_after_the_first_page_makes_the_write_short():
    m, fd = started()
    unlucky(m, "alloc", ENOMEM, nth=2)
    assert m.os.pwrite(fd, page("A") * 3, 0) == PAGE
    assert m.os.fstat(fd).st_size == PAGE


def test_a_buffer_that_cannot_be_read_ends_the_write():
    m, fd = started()
    assert m._session.call("pwrite", fd, 20, b"abc", 0) == 3
    assert m._session.call("pwrite", fd, 20, b"", PAGE) == -EFAULT
    assert m.os.fstat(fd).st_size == 3


def test_an_error_after_the_first_page_makes_the_read_short():
    m, fd = crossed(five_pages()[0])
    unlucky(m, "add", ENOMEM, nth=3)
    assert m.os.pread(fd, 5 * PAGE, 0) == ALL[: 2 * PAGE]
    unlucky(m, "add", ENOMEM)
    with fails(ENOMEM):
        m.os.pread(fd, PAGE, 4 * PAGE)


def test_reading_marks_a_page_used_first_referenced_then_active():
    m, fd = crossed(five_pages()[0])
    seen = []
    for _ in range(3):
        m.os.pread(fd, 1, 0)
        seen.append(flags(m, slot(m, fd, 0)) & {"referenced", "active"})
    assert seen == [{"referenced"}, {"active"}, {"active", "referenced"}]


def test_reading_inside_a_page_does_not_mark_it():
    m, fd = crossed(five_pages()[0])
    m.os.pread(fd, 1, 5)
    assert not flags(m, slot(m, fd, 0)) & {"referenced", "active"}


def test_a_reader_sees_a_size_that_dropped_while_it_looked():
    m, fd = five_pages()
    tasks = {"cpu0": [("pread", (fd, 9 * PAGE, 4 * PAGE))], "cpu1": [("i_size_write", (0, 4 * PAGE + 3))]}
    assert interleave(m, tasks, ("cpu0", 3, "folio_lock"), ("cpu1", 2, "i_size"))["cpu0"] == [(b"EEE", 0)]


def test_an_uptodate_page_is_not_zeroed_again():
    m, fd = five_pages()
    with steps(m) as seen:
        m.os.pwrite(fd, b"x", 3)
    assert "mark_uptodate" not in [name for name, _ in seen]
    assert kho_i_size(m, kho_of(m, fd)) == 5 * PAGE
