"""The patch's own functions: the block list of a KHO file."""

from errno import EFBIG, ENOENT, ENOMEM

import pytest

import khosim
from khosim.kernel.shmem_kho import (
    SGP_FALLOC,
    SGP_NOALLOC,
    SGP_READ,
    SGP_WRITE,
    bitmap_clear,
    bitmap_set,
    shmem_alloc_kho_folio,
    shmem_invalidate_folio,
    shmem_kho_free_block,
)
from khosim.state.blocks import load_block
from khosim.state.handover import preserved
from tests.kernel.rig import (
    PAGE,
    bit,
    block,
    crossed,
    drive,
    flags,
    kho_of,
    page,
    slot,
    started,
    steps,
    unlucky,
)

ARRAY = 16
PARTIAL = "Do not know how to handle partial folios yet"
WARNING = "WARNING: mm/shmem.c shmem_kho_free_block"
FRAME = 40


def held():
    """A file of two pages that no kernel has touched since the kexec."""
    m, fd = started()
    m.os.pwrite(fd, page("A") + page("B"), 0)
    return crossed(m)


def obtain(m, index, sgp):
    return drive(m, shmem_alloc_kho_folio(m, 0, index, sgp))


def test_a_bit_is_set_and_cleared_in_its_word_alone():
    m, _ = started(frames=256)
    before = m.snapshot().bits
    drive(m, bitmap_set(m, FRAME))
    drive(m, bitmap_set(m, 200))
    assert set(preserved(m)) - {*before.nonzero()[0].tolist()} == {FRAME, 200}
    drive(m, bitmap_clear(m, FRAME))
    drive(m, bitmap_clear(m, 200))
    assert (m.snapshot().bits == before).all()


def test_the_bit_comes_first_then_the_block():
    m, _ = started()
    with steps(m) as seen:
        obtain(m, 3, SGP_WRITE)
    order = [name for name, _ in seen]
    assert order.index("bit_set") < order.index("block_set")


def test_freeing_clears_the_bit_first_then_the_block():
    m, fd = held()
    frame = block(m, fd, 0)
    with steps(m) as seen:
        drive(m, shmem_kho_free_block(m, 0, 0))
    assert (block(m, fd, 0), bit(m, frame)) == (0, False)
    assert [name for name, _ in seen] == ["bitmap_read", "bit_clear", "free_block"]


@pytest.mark.parametrize("sgp", range(SGP_FALLOC + 1))
def test_an_index_past_the_array_is_efbig_for_everybody(sgp):
    m, _ = started()
    before = m.snapshot()
    assert obtain(m, ARRAY, sgp) == -EFBIG
    assert obtain(m, ARRAY - 1, sgp) != -EFBIG
    assert sgp > SGP_NOALLOC or before.diff(m) == []


def test_no_block_is_a_hole_to_those_who_must_not_allocate():
    m, _ = started()
    assert [obtain(m, 0, sgp) for sgp in (SGP_READ, SGP_NOALLOC)] == [-ENOENT, -ENOENT]


def test_no_memory_records_nothing():
    m, fd = started()
    unlucky(m, "alloc", ENOMEM)
    before = m.snapshot()
    assert m._session.call("get_folio", fd, 0, SGP_WRITE) == -ENOMEM
    assert before.diff(m) == []


def test_a_fresh_page_is_recorded_by_its_physical_address():
    m, fd = started()
    frame = obtain(m, 5, SGP_WRITE)
    assert load_block(m, kho_of(m, fd), 5) == frame * PAGE
    assert (m.page.refcount[frame], bit(m, frame)) == (1, True)
    assert not flags(m, frame) & {"uptodate", "dirty"}


def test_b27_a_restored_page_is_uptodate_and_dirty():
    """Dirty keeps it from being dropped; without swap none of it can be reclaimed."""
    m, fd = held()
    frame = obtain(m, 0, SGP_READ)
    assert (frame, flags(m, frame)) == (block(m, fd, 0), {"uptodate", "dirty"})
    m, fd = held()
    m.os.pread(fd, 1, 0)
    assert not m.swap_out(fd, 0)
    assert m.reclaim(9) == 0


def test_a_restored_page_keeps_its_block_and_its_bit():
    m, fd = held()
    frame = obtain(m, 0, SGP_READ)
    assert (block(m, fd, 0), bit(m, frame), m.page.refcount[frame]) == (frame, True, 1)


def test_b31_the_same_block_can_be_claimed_again_and_again():
    """Nothing remembers a claim; whether the page is in use, or free, is not looked at."""
    m, fd = held()
    m.os.pread(fd, 1, 0)
    frame = slot(m, fd, 0)
    assert [obtain(m, 0, SGP_READ) for _ in range(3)] == [frame] * 3
    assert m.page.refcount[frame] == 1


def test_an_empty_block_is_freed_with_a_warning():
    m, fd = started()
    drive(m, shmem_kho_free_block(m, 0, 0))
    assert block(m, fd, 0) == 0
    assert m.complaints == (WARNING,)


def test_past_the_array_nobody_checks_before_freeing():
    """B15 gets there; the model stops at the door and says so."""
    m, _ = started()
    with steps(m) as seen:
        drive(m, shmem_kho_free_block(m, 0, ARRAY))
    assert [name for name, _ in seen] == ["free_block_oob", "warn"]


def test_invalidating_a_whole_page_frees_its_block():
    m, fd = held()
    m.os.pread(fd, 1, 0)
    frame = slot(m, fd, 0)
    drive(m, shmem_invalidate_folio(m, frame, 0, PAGE))
    assert (block(m, fd, 0), bit(m, frame), slot(m, fd, 0)) == (0, False, frame)


def test_a_file_without_kho_is_left_alone():
    m, _ = started()
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, page("A"), 0)
    before = m.snapshot()
    assert drive(m, shmem_invalidate_folio(m, slot(m, fd, 0), 0, PAGE)) is None
    assert before.diff(m) == []
    assert m.complaints == ()


def test_b43_a_partial_range_is_only_logged():
    """For a page in the cache that is harmless: its bytes are zeroed, and the block must stay."""
    m, fd = started()
    m.os.pwrite(fd, page("A") * 2, 0)
    frame = slot(m, fd, 1)
    m.os.ftruncate(fd, PAGE + 10)
    assert m.complaints == (PARTIAL,)
    assert (block(m, fd, 1), bit(m, frame)) == (frame, True)
    m.os.ftruncate(fd, 2 * PAGE)
    assert m.os.pread(fd, PAGE, PAGE) == b"A" * 10 + bytes(PAGE - 10)


def test_b43_of_a_huge_page_one_block_is_freed():
    m, fd = started(frames=128)
    m.os.pwrite(fd, page("A") * 8, 0)
    m.mmap(fd, 8 * PAGE).madvise(khosim.MADV_COLLAPSE)
    m.os.ftruncate(fd, 0)
    assert [block(m, fd, index) != 0 for index in range(8)] == [False] + [True] * 7
    m.os.ftruncate(fd, 8 * PAGE)
    assert m.os.pread(fd, 2 * PAGE, 0) == bytes(PAGE) + b"\xaa" * PAGE
    assert any(words.startswith("BUG: Bad page state") for words in m.complaints)
    with pytest.raises(khosim.Livelock):
        m.os.pread(fd, 1, PAGE)


def test_b45_a_second_kexec_needs_the_bitmap_and_inherits_it():
    """Restoring a page does not set its bit again."""
    m, fd = held()
    with steps(m) as seen:
        m.os.pread(fd, 1, 0)
    assert "bit_set" not in [name for name, _ in seen]
    for _ in range(3):
        m, fd = crossed(m)
        assert bit(m, block(m, fd, 0))
        assert bit(m, block(m, fd, 1))
    assert m.os.pread(fd, 2 * PAGE, 0) == page("A") + page("B")


@pytest.mark.parametrize("touched", [[], [0], [0, 1]])
def test_b45_whether_all_some_or_none_of_it_was_touched_in_between(touched):
    m, fd = held()
    for letter in "xyz":
        for index in touched:
            m.os.pwrite(fd, letter.encode(), index * PAGE)
        m, fd = crossed(m)
    expected = [b"z" if index in touched else b"AB"[index : index + 1] for index in range(2)]
    assert [m.os.pread(fd, 1, index * PAGE) for index in range(2)] == expected
