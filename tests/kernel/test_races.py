"""Two CPUs, one block list, no lock. Each schedule is an explicit list of turns."""

import pytest

import khosim
from khosim.state import page_cache
from tests.kernel.rig import PAGE, bit, block, crossed, flags, interleave, opened, page, slot, started


def two_readers(stop):
    """Two CPUs read one held page: the first stops at `stop`, the second reads it all, then the first goes on."""
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    m, fd = crossed(m)
    held = block(m, fd, 0)
    tasks = {"cpu0": [("pread", (fd, 1, 0))], "cpu1": [("pread", (fd, 1, 0))]}
    with pytest.raises(khosim.KernelFailure) as died:
        interleave(m, tasks, stop, ("cpu1", 18, "folio_put"))
    return m, fd, held, died.value


def test_b02_the_loser_frees_the_page_that_the_winner_has_in_the_cache():
    m, fd, held, died = two_readers(("cpu0", 6, "mark_dirty"))
    assert isinstance(died, khosim.Livelock)
    assert (slot(m, fd, 0), m.page.mapping[held], "free" in flags(m, held)) == (held, 0, True)
    assert (block(m, fd, 0), bit(m, held)) == (0, False)


def test_b02_or_unlocks_a_lock_that_is_not_held():
    m, fd, held, died = two_readers(("cpu0", 7, "set_locked"))
    assert isinstance(died, khosim.KernelPanic)
    assert "folio_unlock" in str(died)
    assert (slot(m, fd, 0), block(m, fd, 0), bit(m, held)) == (held, 0, False)


def test_b03_the_winners_page_has_no_block_and_its_bit_is_leaked():
    """Both saw an empty block; the loser wrote it last, and frees it when its insertion fails."""
    m, fd = started()
    m.os.ftruncate(fd, PAGE)
    m.mmap(fd, PAGE)
    tasks = {name: [("access", (0, 0, 1, data))] for name, data in (("cpu0", b"x"), ("cpu1", b"y"))}
    interleave(m, tasks, ("cpu0", 4, "alloc"), ("cpu1", 22, "store"))
    winner = slot(m, fd, 0)
    assert m.os.pread(fd, 1, 0) == b"x"
    assert (block(m, fd, 0), bit(m, winner)) == (0, True)
    m, fd = crossed(m)
    m.os.ftruncate(fd, PAGE)
    assert m.os.pread(fd, 1, 0) == b"\0"
    assert (bit(m, winner), m.page.refcount[winner]) == (True, 1)


def test_b03_a_block_published_early_hands_out_a_page_nobody_has_zeroed():
    m, fd = started()
    m.os.ftruncate(fd, PAGE)
    m.mmap(fd, PAGE)
    tasks = {"cpu0": [("access", (0, 0, 1, None))], "cpu1": [("pread", (fd, 1, 0))]}
    with m.record() as trace, pytest.raises(khosim.Livelock):
        interleave(m, tasks, ("cpu0", 8, "block_set"), ("cpu1", 18, "folio_put"))
    assert [call.result for call in trace.calls if call.task == "cpu1"] == [(b"\xa5", 0)]


def test_b04_a_size_that_drops_after_the_insertion_leaves_the_block_behind():
    m, fd = started()
    m.os.pwrite(fd, page("A") * 2, 0)
    m, fd = crossed(m)
    held = block(m, fd, 1)
    tasks = {"cpu0": [("pread", (fd, 1, PAGE))], "cpu1": [("ftruncate", (fd, PAGE))]}
    done = interleave(m, tasks, ("cpu0", 10, "cache_add"), ("cpu1", 3, "i_size"))
    assert done == {"cpu0": [(b"", 0)], "cpu1": [0]}
    assert (slot(m, fd, 1), block(m, fd, 1), bit(m, held)) == (page_cache.EMPTY, held, True)
    assert flags(m, held) == {"free"}
    m.os.ftruncate(fd, 2 * PAGE)
    assert m.os.pread(fd, PAGE, PAGE) == b"\xaa" * PAGE
    assert m.complaints == (f"BUG: Bad page state: non-NULL mapping  pfn:{held:05x}",)


def two_files_written_at_once(**shape):
    """The second CPU sets its bit while the first has the bitmap's word in its hands."""
    m, fd = started(**shape)
    other = opened(m, "other")
    tasks = {"cpu0": [("pwrite", (fd, 1, b"a", 0))], "cpu1": [("pwrite", (other, 1, b"b", 0))]}
    interleave(m, tasks, ("cpu0", 8, "bitmap_read"), ("cpu1", 10, "block_set"), ("cpu0", 1, "bit_set"))
    return m, fd, other


def test_b05_a_bit_in_the_same_word_is_lost():
    m, fd, other = two_files_written_at_once()
    first, second = slot(m, fd, 0), slot(m, other, 0)
    assert first // 64 == second // 64
    assert (bit(m, first), bit(m, second)) == (True, False)
    assert block(m, other, 0) == second


def test_b05_a_cleared_bit_can_come_back_and_leak_its_frame():
    m, fd = started()
    other = opened(m, "other")
    m.os.pwrite(other, page("B"), 0)
    frame = slot(m, other, 0)
    tasks = {"cpu0": [("pwrite", (fd, 1, b"a", 0))], "cpu1": [("ftruncate", (other, 0))]}
    interleave(m, tasks, ("cpu0", 8, "bitmap_read"), ("cpu1", 7, "bit_clear"), ("cpu0", 1, "bit_set"))
    assert (block(m, other, 0), bit(m, frame), flags(m, frame)) == (0, True, {"free"})


def test_b05_the_next_kernel_overwrites_the_page_whose_bit_was_lost():
    m, *_ = two_files_written_at_once(trust_blocks=True)
    m = m.kexec()
    assert m.os.pread(opened(m), 1, 0) == b"a"
    assert m.os.pread(opened(m, "other"), 1, 0) == b"\xaa"


def test_b05_a_careful_next_kernel_refuses_all_of_it():
    m, *_ = two_files_written_at_once()
    m = m.kexec()
    assert "whose PFN bit is not set" in m.complaints[-1]
    assert m.os.pread(opened(m), 1, 0) == b""


def kexec_while_a_block_is_freed(turn, **shape):
    """ftruncate on one CPU is at `turn` when the other starts the next kernel."""
    m, fd = started(**shape)
    m.os.pwrite(fd, page("A") + page("B"), 0)
    tasks = {"cpu0": [("ftruncate", (fd, PAGE))], "cpu1": [("kexec", ())]}
    interleave(m, tasks, turn, ("cpu1", 2, "boot"))
    return m._session.machine


CLEARED = ("cpu0", 7, "bit_clear")
"""The bit is clear, the block still names the frame."""


def test_b06_a_kexec_between_bit_and_block_leaves_a_block_on_free_memory():
    m = kexec_while_a_block_is_freed(CLEARED, trust_blocks=True)
    fd = opened(m)
    frame = block(m, fd, 1)
    assert (bit(m, frame), flags(m, frame)) == (False, {"free"})
    assert m.os.pread(fd, 2 * PAGE, 0) == page("A") + b"\xaa" * PAGE
    assert m.complaints == (f"BUG: Bad page state: non-NULL mapping  pfn:{frame:05x}",)


def test_b06_a_careful_next_kernel_refuses_the_handover():
    m = kexec_while_a_block_is_freed(CLEARED)
    assert m.complaints[-1].startswith("KHO: handover refused: block 1 of 'guest' is in frame")
    assert m.os.pread(opened(m), 1, 0) == b""


@pytest.mark.parametrize("turn", [("cpu0", 6, "bitmap_read"), ("cpu0", 8, "free_block")])
def test_b06_before_and_after_the_two_stores_all_is_well(turn):
    m = kexec_while_a_block_is_freed(turn)
    assert m.complaints == ()
    assert m.os.pread(opened(m), PAGE, 0) == page("A")


def test_b06_a_kexec_between_the_two_stores_of_an_allocation_only_leaks_a_bit():
    """There the bit comes first, and the frame is preserved for nobody."""
    m, fd = started()
    before = m.snapshot().bits
    tasks = {"cpu0": [("pwrite", (fd, 1, b"x", 0))], "cpu1": [("kexec", ())]}
    interleave(m, tasks, ("cpu0", 9, "bit_set"), ("cpu1", 2, "boot"))
    m = m._session.machine
    fd = opened(m)
    assert (m.complaints, block(m, fd, 0)) == ((), 0)
    assert (m.snapshot().bits & ~before).sum() == 1
