"""One folio is cut out of its file, whole or in part."""

from errno import EIO

import pytest

import khosim
from khosim.kernel.locks import folio_trylock
from khosim.kernel.truncate import truncate_inode_folio, truncate_inode_partial_folio
from khosim.state import page_cache
from tests.kernel.rig import PAGE, bit, block, drive, flags, page, slot, started, steps

PARTIAL = "Do not know how to handle partial folios yet"


def locked_page(kho=True, index=1):
    """Three pages; the one at `index` is locked and held, as truncation holds it."""
    m, fd = started()
    fd = fd if kho else m.os.memfd_create("plain")
    m.os.pwrite(fd, page("A") + page("B") + page("C"), 0)
    frame = slot(m, fd, index)
    folio_trylock(m, frame)
    m.page.refcount[frame] += 1
    return m, fd, frame, m.file.ino[fd - 3]


def test_a_page_leaves_its_file_clean_and_without_a_mapping():
    m, fd, frame, ino = locked_page()
    assert drive(m, truncate_inode_folio(m, ino, frame)) == 0
    assert slot(m, fd, 1) == page_cache.EMPTY
    assert (m.page.mapping[frame], m.page.refcount[frame]) == (0, 1)
    assert "dirty" not in flags(m, frame)
    assert (block(m, fd, 1), bit(m, frame)) == (0, False)


def test_a_page_of_another_file_is_not_touched():
    m, _, frame, ino = locked_page()
    before = m.snapshot()
    assert drive(m, truncate_inode_folio(m, ino + 1, frame)) == -EIO
    assert before.diff(m) == []


def test_a_mapped_page_is_unmapped_first():
    m, fd, frame, ino = locked_page()
    m.page.flags[frame] &= ~1
    view = m.mmap(fd, 3 * PAGE)
    assert view[PAGE] == ord("B")
    folio_trylock(m, frame)
    drive(m, truncate_inode_folio(m, ino, frame))
    assert (m.page.mapcount[frame], m.page.refcount[frame]) == (0, 1)


def test_the_filesystem_is_told_only_if_it_asked_to_be():
    for kho in (True, False):
        m, _, frame, ino = locked_page(kho)
        with steps(m) as seen:
            drive(m, truncate_inode_folio(m, ino, frame))
        assert ("invalidate" in [name for name, _ in seen]) == kho


@pytest.mark.parametrize(
    ("start", "end", "zeroed"),
    [(PAGE + 5, -1, range(5, PAGE)), (0, PAGE + 9, range(10)), (PAGE + 5, PAGE + 9, range(5, 10)),
     (PAGE + 5, 9 * PAGE, range(5, PAGE))],
)  # fmt: skip
@pytest.mark.parametrize("kho", [True, False])
def test_a_page_cut_in_part_is_zeroed_there_and_stays(start, end, zeroed, kho):
    m, fd, frame, ino = locked_page(kho)
    assert drive(m, truncate_inode_partial_folio(m, ino, frame, start, end))
    expected = bytes(0 if place in zeroed else ord("B") for place in range(PAGE))
    assert bytes(m.ram[frame * PAGE : (frame + 1) * PAGE]) == expected
    assert slot(m, fd, 1) == frame
    assert m.complaints == ((PARTIAL,) if kho else ())
    assert not kho or block(m, fd, 1) == frame


def test_a_page_that_is_covered_goes_as_a_whole():
    m, fd, frame, ino = locked_page()
    assert drive(m, truncate_inode_partial_folio(m, ino, frame, 0, 2 * PAGE - 1))
    assert slot(m, fd, 1) == page_cache.EMPTY
    assert m.complaints == ()


def huge_folio(references):
    m = khosim.boot(frames=128)
    m.huge(force=True)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, page("A") * 8, 0)
    head = slot(m, fd, 0)
    folio_trylock(m, head)
    m.page.refcount[head] += references
    return m, head


def test_a_huge_folio_cut_in_part_is_split():
    m, head = huge_folio(references=1)
    assert drive(m, truncate_inode_partial_folio(m, 0, head, 2 * PAGE, -1))
    assert m.page.order[head] == 0


def test_a_huge_folio_that_somebody_holds_stays_whole_and_is_only_zeroed():
    m, head = huge_folio(references=2)
    assert not drive(m, truncate_inode_partial_folio(m, 0, head, 2 * PAGE, -1))
    assert m.page.order[head] == 3
    assert bytes(m.ram[head * PAGE : (head + 8) * PAGE]) == page("A") * 2 + bytes(6 * PAGE)
