"""From a page to who has it mapped."""

import pytest

import khosim
from khosim.kernel.rmap import unmap_mapping_folio, unmap_mapping_range, zap_pte
from khosim.state.mem_map import PG_dirty, clear_flag
from khosim.state.pte import NONE, POISON, load_pte, store_pte
from tests.kernel.rig import PAGE, drive, flags, ino_of, page, slot, started


def mapped_twice():
    m, fd = started()
    m.os.pwrite(fd, b"".join(map(page, "ABCD")), 0)
    views = m.mmap(fd, 4 * PAGE), m.mmap(fd, 2 * PAGE, offset=2 * PAGE)
    for view in views:
        assert view[:]
    return m, fd


def mapped_pages(m):
    return [[load_pte(m, vma, place) is not NONE for place in range(m.vma.pages[vma])] for vma in range(2)]


def test_an_unmapped_page_loses_a_reference_and_a_mapping():
    m, fd = mapped_twice()
    frame = slot(m, fd, 3)
    assert (m.page.refcount[frame], m.page.mapcount[frame]) == (3, 2)
    drive(m, zap_pte(m, 0, 3))
    assert (m.page.refcount[frame], m.page.mapcount[frame]) == (2, 1)
    assert mapped_pages(m) == [[True, True, True, False], [True, True]]


def test_what_the_program_wrote_is_remembered_when_the_page_is_unmapped():
    m, fd = started()
    m.os.ftruncate(fd, PAGE)
    view = m.mmap(fd, PAGE)
    view[0] = 7
    clear_flag(m, slot(m, fd, 0), PG_dirty)
    view.close()
    assert "dirty" in flags(m, slot(m, fd, 0))


def test_a_page_that_was_only_read_stays_clean():
    m, fd = started()
    m.os.ftruncate(fd, PAGE)
    with m.mmap(fd, PAGE) as view:
        assert view[0] == 0
    assert "dirty" not in flags(m, slot(m, fd, 0))


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [(1, 2, [[True, False, False, True], [False, True]]), (3, -1, [[True, True, True, False], [True, False]]),
     (0, 0, [[False, True, True, True], [True, True]])],
)  # fmt: skip
def test_a_range_is_unmapped_from_every_mapping_of_the_file(first, last, left):
    m, fd = mapped_twice()
    drive(m, unmap_mapping_range(m, ino_of(m, fd), first, last, even_cows=True))
    assert mapped_pages(m) == left


def test_a_folio_is_unmapped_wherever_it_is():
    m, fd = mapped_twice()
    frame = slot(m, fd, 2)
    drive(m, unmap_mapping_folio(m, frame))
    assert mapped_pages(m) == [[True, True, False, True], [False, True]]
    assert (m.page.refcount[frame], m.page.mapcount[frame]) == (1, 0)


def test_another_file_stays_mapped():
    m, _ = mapped_twice()
    other = m.os.memfd_create("plain")
    m.os.pwrite(other, page("x"), 0)
    view = m.mmap(other, PAGE)
    assert view[0] == ord("x")
    drive(m, unmap_mapping_range(m, 0, 0, -1, even_cows=True))
    assert m.page.mapcount[slot(m, other, 0)] == 1


def test_a_poisoned_entry_goes_without_a_frame():
    m, _ = mapped_twice()
    drive(m, zap_pte(m, 0, 0))
    store_pte(m, 0, 0, POISON)
    before = m.snapshot()
    drive(m, zap_pte(m, 0, 0))
    assert {change.array for change in before.diff(m)} == {"pte"}


def test_a_punched_hole_leaves_the_program_its_own_copy():
    m, fd = mapped_twice()
    private = m.mmap(fd, 4 * PAGE, khosim.MAP_PRIVATE)
    private[0] = 9
    m.os.fallocate(fd, khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE, 0, 2 * PAGE)
    assert (private[:2], private[PAGE]) == (b"\x09A", 0)


def test_a_file_that_gets_shorter_takes_private_copies_along():
    m, fd = mapped_twice()
    private = m.mmap(fd, 4 * PAGE, khosim.MAP_PRIVATE)
    private[3 * PAGE] = 9
    free = m.nr_free
    m.os.ftruncate(fd, 3 * PAGE)
    assert m.nr_free == free + 2
    with pytest.raises(khosim.BusError):
        private[3 * PAGE]


def test_a_punched_hole_leaves_a_program_its_own_copy():
    m, fd = started()
    m.os.pwrite(fd, b"file", 0)
    mine = m.mmap(fd, PAGE, khosim.MAP_PRIVATE)
    mine[0:4] = b"mine"
    m.os.fallocate(fd, khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE, 0, PAGE)
    assert mine[0:4] == b"mine"
    assert m.os.pread(fd, 4, 0) == bytes(4)


def test_truncation_takes_a_programs_own_copy_too():
    m, fd = started()
    m.os.pwrite(fd, b"file", 0)
    mine = m.mmap(fd, PAGE, khosim.MAP_PRIVATE)
    mine[0:4] = b"mine"
    m.os.ftruncate(fd, 0)
    with pytest.raises(khosim.BusError):
        mine[0]


def test_a_page_that_moves_is_unmapped_but_nobodys_copy_is():
    m, fd = started()
    m.os.pwrite(fd, b"file", 0)
    mine, shared = m.mmap(fd, PAGE, khosim.MAP_PRIVATE), m.mmap(fd, PAGE)
    mine[0:4] = b"mine"
    assert shared[0:4] == b"file"
    m.migrate(fd, 0)
    assert (mine[0:4], shared[0:4]) == (b"mine", b"file")
