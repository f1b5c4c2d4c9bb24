"""Large folios, and how they come apart. Only ordinary files get them, and files that were collapsed."""

import khosim
from khosim.state import page_cache
from khosim.state.lists import list_walk, lru_head
from khosim.state.mem_map import folio_nr_pages
from tests.kernel.rig import PAGE, block, flags, opened, page, slot

COUNT = 8


def huge_file(kho):
    """A file of eight pages, written under shmem_enabled=force."""
    m = khosim.boot(frames=128)
    m.huge(force=True)
    fd = opened(m) if kho else m.os.memfd_create("plain")
    m.os.pwrite(fd, b"".join(page(letter) for letter in "ABCDEFGH"), 0)
    return m, fd


def test_a_forced_ordinary_file_gets_one_huge_folio():
    m, fd = huge_file(kho=False)
    head = slot(m, fd, 0)
    assert [slot(m, fd, index) for index in range(COUNT)] == [head] * COUNT
    assert (folio_nr_pages(m, head), head % COUNT) == (COUNT, 0)
    assert m.page.refcount[head] == COUNT
    assert m.os.pread(fd, PAGE, 5 * PAGE) == page("F")


def test_b32_a_kho_file_never_does():
    """Eight blocks, eight bits and eight restores where one would do."""
    m, fd = huge_file(kho=True)
    frames = [slot(m, fd, index) for index in range(COUNT)]
    assert len(set(frames)) == COUNT
    assert {folio_nr_pages(m, frame) for frame in frames} == {1}
    assert [block(m, fd, index) for index in range(COUNT)] == frames


def test_cutting_a_huge_folio_leaves_single_pages():
    m, fd = huge_file(kho=False)
    head, free = slot(m, fd, 0), m.nr_free
    m.os.ftruncate(fd, 3 * PAGE)
    assert [slot(m, fd, index) for index in range(COUNT)] == [head, head + 1, head + 2] + [page_cache.EMPTY] * 5
    assert [m.page.refcount[head + place] for place in range(COUNT)] == [1] * 3 + [0] * 5
    assert m.nr_free == free + 5
    assert m.os.pread(fd, 3 * PAGE, 0) == page("A") + page("B") + page("C")


def test_the_split_pages_are_each_on_the_lru_and_dirty():
    m, fd = huge_file(kho=False)
    m.os.ftruncate(fd, 2 * PAGE)
    frames = {slot(m, fd, index) for index in range(2)}
    assert all({"lru", "dirty", "uptodate"} <= flags(m, frame) for frame in frames)
    assert set(list_walk(m, lru_head(m))) == frames


def test_a_mapped_huge_folio_is_unmapped_to_be_split():
    m, fd = huge_file(kho=False)
    view = m.mmap(fd, COUNT * PAGE)
    assert view[0] == ord("A")
    m.os.ftruncate(fd, 3 * PAGE)
    assert [m.page.order[slot(m, fd, index)] for index in range(3)] == [0, 0, 0]
    assert view[: 3 * PAGE] == page("A") + page("B") + page("C")


def test_the_accounts_follow_a_split():
    m, fd = huge_file(kho=False)
    assert m.os.fstat(fd).st_blocks == COUNT * PAGE // 512
    m.os.ftruncate(fd, 3 * PAGE)
    assert (m.inode.alloced[0], m.inode.nrpages[0], m.used_pages) == (3, 3, 3)


def test_the_half_page_at_the_cut_is_zeroed():
    m, fd = huge_file(kho=False)
    m.os.ftruncate(fd, 2 * PAGE + 10)
    m.os.ftruncate(fd, 3 * PAGE)
    assert m.os.pread(fd, PAGE, 2 * PAGE) == b"C" * 10 + bytes(PAGE - 10)


def test_a_punched_huge_folio_keeps_its_other_pages():
    m, fd = huge_file(kho=False)
    m.os.fallocate(fd, khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE, 2 * PAGE, 2 * PAGE)
    assert m.os.pread(fd, 5 * PAGE, PAGE) == page("B") + bytes(2 * PAGE) + page("E") + page("F")


def test_a_huge_folio_cut_as_a_whole_goes_back_in_one_piece():
    m, fd = huge_file(kho=False)
    free = m.nr_free
    m.os.ftruncate(fd, 0)
    assert m.nr_free == free + COUNT
    assert m.complaints == ()


def test_without_room_for_a_huge_folio_single_pages_do():
    m = khosim.boot()
    m.huge(force=True)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, b"x", PAGE)
    m.os.ftruncate(fd, 2 * PAGE)
    m.huge(force=False)
    other = m.os.memfd_create("other")
    m.os.pwrite(other, b"y", PAGE)
    m.huge(force=True)
    m.os.pwrite(other, b"z", 0)
    assert [m.page.order[slot(m, other, index)] for index in range(2)] == [0, 0]
