"""What can happen to a machine: swap, migration, poison, reclaim, overcommit, huge pages."""

import errno

import pytest

import khosim
from khosim import UsageError
from khosim.state import page_cache

KHO = khosim.MFD_KHO


def test_swap_takes_a_dirty_page_and_gives_it_back(m, fd):
    """Without swapon it has to stay; swapoff brings all of it back."""
    assert m.swap_out(fd, 0) is False
    m.swapon()
    assert m.swap_out(fd, 0) is True
    assert page_cache.is_swap(page_cache.load(m, 0, 0))
    m.swapoff()
    assert m.os.pread(fd, 64, 0) == b"a" * 64
    assert m.swap_out(fd, 0) is False


def test_a_page_migrates_to_another_frame(m, fd):
    """Its bytes go with it."""
    before = page_cache.load(m, 0, 1)
    m.migrate(fd, 1)
    assert page_cache.load(m, 0, 1) not in (before, page_cache.EMPTY)
    assert m.os.pread(fd, 64, 64) == b"b" * 64


def test_a_poisoned_page_is_eio(m, fd):
    """And SIGBUS where it is mapped."""
    with m.mmap(fd, 64) as mapping:
        assert mapping[0] == ord("a")
        m.poison(fd, 0)
        with pytest.raises(khosim.BusError):
            mapping[0]
    with pytest.raises(OSError, match="Input/output error") as caught:
        m.os.pread(fd, 1, 0)
    assert caught.value.errno == errno.EIO
    assert any("Memory failure" in words for words in m.complaints)


def test_reclaim_frees_no_more_than_it_is_asked_for():
    """Oldest first; how many is what it returns."""
    m = khosim.boot(lru_batch=8)
    m.swapon()
    fd = m.os.memfd_create("plain")
    for index in range(4):
        m.os.pwrite(fd, bytes([65 + index]) * 64, index * 64)
    assert m.reclaim(0) == 0
    assert m.reclaim(2) == 2
    kept = [page_cache.load(m, 0, index) >= 0 for index in range(4)]
    assert kept == [False, False, True, True]
    assert m.reclaim(99) == 2
    assert m.os.pread(fd, 256, 0) == b"".join(bytes([65 + index]) * 64 for index in range(4))


def test_strict_overcommit_refuses_what_it_does_not_grant(m):
    """ENOSPC from a write, until mode 0 is back."""
    fd = m.os.memfd_create("plain")
    m.overcommit(2, 1)
    assert m.os.pwrite(fd, b"x" * 64, 0) == 64
    with pytest.raises(OSError, match="No space left") as caught:
        m.os.pwrite(fd, b"x" * 64, 64)
    assert caught.value.errno == errno.ENOSPC
    m.overcommit(0)
    assert m.os.pwrite(fd, b"x" * 64, 64) == 64


def test_a_huge_file_has_one_folio_and_a_kho_file_never(m):
    """B32."""
    m.huge(True)
    fd, kho = m.os.memfd_create("plain"), m.os.memfd_create("kho", KHO)
    for number in (fd, kho):
        m.os.pwrite(number, b"x" * 64, 0)
    assert len({page_cache.load(m, 0, index) for index in range(8)}) == 1
    assert page_cache.load(m, 1, 1) == page_cache.EMPTY
    m.huge(False)


def test_drain_empties_the_batch():
    """Folios that wait to join the LRU hold a reference less afterwards."""
    m = khosim.boot(lru_batch=4)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, b"x", 0)
    frame = page_cache.load(m, 0, 0)
    before = m.page.refcount[frame]
    m.drain()
    assert (m.page.refcount[frame], m.lru_pending) == (before - 1, 0)


@pytest.mark.usefixtures("fd")
@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda m: m.swap_out(3, 64), UsageError, "has pages 0 to 63, not 64"),
        (lambda m: m.migrate(3, -1), UsageError, "has pages 0 to 63, not -1"),
        (lambda m: m.poison(3, "0"), TypeError, "'str' object"),
        (lambda m: m.reclaim(-1), UsageError, "a number of pages from 0 on, not -1"),
        (lambda m: m.reclaim(1.5), TypeError, "'float' object"),
        (lambda m: m.overcommit(1), UsageError, "mode 0 or 2"),
        (lambda m: m.overcommit(2, -1), UsageError, "a limit in pages, not 2, -1"),
        (lambda m: m.overcommit(2, 1.5), TypeError, "'float' object"),
        (lambda m: m.overcommit(2, 1 << 70), UsageError, "a limit in pages"),
        (lambda m: m.mmap(3, 64, 3), UsageError, "khosim.MAP_SHARED or khosim.MAP_PRIVATE, not 3"),
        (lambda m: m.mmap(3, "64"), TypeError, "'str' object"),
        (lambda m: m.swap_out(3, 5), FileNotFoundError, "No such file"),
        (lambda m: m.migrate(3, 5), FileNotFoundError, "No such file"),
        (lambda m: m.poison(3, 5), FileNotFoundError, "No such file"),
        (lambda m: m.swap_out(9, 0), OSError, "Bad file descriptor"),
    ],
)
def test_a_wrong_argument_changes_nothing(m, call, kind, words):
    """A slip is a UsageError, a wrong type a TypeError, and what the kernel does not find an OSError."""
    before = m.snapshot()
    with pytest.raises(kind, match=words):
        call(m)
    assert m.snapshot() == before
