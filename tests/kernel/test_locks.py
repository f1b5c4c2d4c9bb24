"""What a path waits for, and what nobody waits for."""

import pytest

import khosim
from khosim.kernel.locks import folio_lock, folio_trylock, folio_unlock
from khosim.run.scheduler import Choice
from khosim.steps import Wait
from tests.kernel.rig import PAGE, drive, flags, interleave, page, slot, started


def one_page():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    return m, fd, slot(m, fd, 0)


def test_a_locked_folio_is_locked_until_it_is_unlocked():
    m, _, frame = one_page()
    drive(m, folio_lock(m, frame))
    assert "locked" in flags(m, frame)
    assert not folio_trylock(m, frame)
    folio_unlock(m, frame)
    assert "locked" not in flags(m, frame)
    assert folio_trylock(m, frame)


def test_unlocking_what_is_not_locked_is_a_bug():
    m, _, frame = one_page()
    with pytest.raises(khosim.KernelPanic, match="folio_test_locked"):
        folio_unlock(m, frame)


def test_a_reader_waits_for_the_folio_lock():
    m, fd, frame = one_page()
    folio_trylock(m, frame)
    with pytest.raises(khosim.Deadlock, match=f"cpu0 waits because frame {frame:#x} is locked"):
        m.os.pread(fd, 1, 0)


def test_a_reader_goes_on_when_the_lock_is_dropped():
    m, fd, frame = one_page()
    folio_trylock(m, frame)
    run = m._session.start({"cpu0": [("pread", (fd, 1, 0))]})
    while run.choices():
        event = run.take(Choice("cpu0"))
    assert isinstance(event, Wait)
    folio_unlock(m, frame)
    assert run.finish() == {"cpu0": [(b"A", 0)]}


def test_two_writers_take_turns():
    m, fd, _ = one_page()
    tasks = {"cpu0": [("pwrite", (fd, 2, b"xx", 0))], "cpu1": [("pwrite", (fd, 2, b"yy", 0))]}
    assert interleave(m, tasks, ("cpu0", 2, "inode_lock"), ("cpu1", 2, "")) == {"cpu0": [2], "cpu1": [2]}
    assert m.os.pread(fd, 2, 0) == b"yy"
    assert m.inode.rwsem[0] == 0


def test_a_reader_does_not_wait_for_a_writer():
    """read() takes no inode lock: it may see a size between two pages of one write."""
    m, fd, _ = one_page()
    tasks = {"cpu0": [("pwrite", (fd, 2 * PAGE, page("x") + page("y"), PAGE))], "cpu1": [("pread", (fd, 9 * PAGE, 0))]}
    first_page_is_in = ("cpu0", 25, "folio_put")
    done = interleave(m, tasks, first_page_is_in, ("cpu1", 10, "folio_put"))
    assert done["cpu0"] == [2 * PAGE]
    assert done["cpu1"] == [(page("A") + page("x"), 0)]


def test_ftruncate_waits_for_a_writer():
    m, fd, _ = one_page()
    tasks = {"cpu0": [("pwrite", (fd, 1, b"x", PAGE))], "cpu1": [("ftruncate", (fd, 0))]}
    interleave(m, tasks, ("cpu0", 2, "inode_lock"), ("cpu1", 2, ""))
    assert m.os.fstat(fd).st_size == 0
