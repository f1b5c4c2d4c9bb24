"""Page faults: what a program sees that touches a mapping."""

from errno import ENOMEM

import pytest

import khosim
from khosim.state.pte import NONE, load_pte
from tests.kernel.rig import PAGE, block, crossed, flags, interleave, page, slot, started, steps, unlucky

PUNCH = khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE


def mapped(pages=4, **shape):
    m, fd = started(**shape)
    m.os.ftruncate(fd, pages * PAGE)
    return m, fd, m.mmap(fd, pages * PAGE)


def test_a_read_fault_on_a_hole_makes_a_clean_page_of_zeroes():
    m, fd, view = mapped()
    assert view[:PAGE] == bytes(PAGE)
    assert {"uptodate", "swapbacked"} <= flags(m, slot(m, fd, 0))
    assert "dirty" not in flags(m, slot(m, fd, 0))


def test_a_write_fault_makes_the_page_dirty():
    m, fd, view = mapped()
    view[PAGE] = 7
    assert "dirty" in flags(m, slot(m, fd, 1))
    assert m.os.pread(fd, 2, PAGE) == b"\7\0"


def test_a_mapped_page_has_a_reference_for_its_page_table_entry():
    m, fd, view = mapped()
    view[0] = 7
    frame = slot(m, fd, 0)
    assert (m.page.refcount[frame], m.page.mapcount[frame]) == (2, 1)
    second = m.mmap(fd, PAGE)
    assert second[0] == 7
    assert (m.page.refcount[frame], m.page.mapcount[frame]) == (3, 2)
    view.close()
    second.close()
    assert (m.page.refcount[frame], m.page.mapcount[frame]) == (1, 0)


def test_touching_past_the_end_of_the_file_is_sigbus():
    m, _, view = mapped()
    big = m.mmap(3, 6 * PAGE)
    with pytest.raises(khosim.BusError) as fault:
        big[4 * PAGE]
    assert fault.value.address == 4 * PAGE
    assert view[4 * PAGE - 1] == 0


def test_a_fault_past_the_block_array_is_sigbus():
    """B21's fault: zeroes are due."""
    _, _, view = mapped(pages=18)
    assert view[15 * PAGE] == 0
    with pytest.raises(khosim.BusError):
        view[16 * PAGE]


def test_a_fault_brings_back_the_page_it_touches_and_no_other():
    m, fd = started()
    m.os.pwrite(fd, page("A") + page("B"), 0)
    m, fd = crossed(m)
    held = block(m, fd, 1)
    view = m.mmap(fd, 2 * PAGE)
    assert view[PAGE : PAGE + 3] == b"BBB"
    assert (slot(m, fd, 0), slot(m, fd, 1)) == (-1, held)


def test_fault_around_maps_the_neighbours_that_are_cached_and_restores_none():
    m, fd = started(fault_around=4)
    m.os.pwrite(fd, b"".join(map(page, "ABCD")), 0)
    m, fd = crossed(m)
    for index in (1, 2):
        m.os.pread(fd, 1, index * PAGE)
    view = m.mmap(fd, 4 * PAGE)
    assert view[PAGE] == ord("B")
    assert [load_pte(m, 0, place) is not NONE for place in range(4)] == [False, True, True, False]
    assert slot(m, fd, 0) == slot(m, fd, 3) == -1
    assert [(m.page.refcount[slot(m, fd, i)], m.page.mapcount[slot(m, fd, i)]) for i in (1, 2)] == [(2, 1)] * 2


def test_a_private_mapping_writes_to_a_copy():
    m, fd, shared = mapped()
    shared[:2] = b"\7\7"
    private = m.mmap(fd, PAGE, khosim.MAP_PRIVATE)
    assert private[0] == 7
    private[0] = 9
    assert (private[:2], shared[:2]) == (b"\x09\7", b"\7\7")
    assert (m.page.refcount[slot(m, fd, 0)], m.page.mapcount[slot(m, fd, 0)]) == (2, 1)


def test_a_private_mapping_written_first_copies_at_once():
    m, fd, shared = mapped()
    shared[:2] = b"\7\7"
    private = m.mmap(fd, PAGE, khosim.MAP_PRIVATE)
    private[0] = 9
    assert private[:2] == b"\x09\7"
    assert "locked" not in flags(m, slot(m, fd, 0))
    assert m.page.refcount[slot(m, fd, 0)] == 2


def test_a_private_copy_is_freed_with_its_mapping():
    m, fd, shared = mapped()
    shared[0] = 7
    free = m.nr_free
    private = m.mmap(fd, PAGE, khosim.MAP_PRIVATE)
    private[0] = 9
    assert m.nr_free == free - 1
    private.close()
    assert m.nr_free == free


def test_the_second_write_needs_no_fault():
    m, _, view = mapped()
    view[0] = 7
    with steps(m) as seen:
        view[1] = 8
    assert [name for name, _ in seen] == ["store"]


def test_a_write_to_a_page_that_was_mapped_for_reading_is_remembered():
    m, fd, view = mapped()
    assert view[0] == 0
    view[0] = 7
    assert "dirty" not in flags(m, slot(m, fd, 0))
    view.close()
    assert "dirty" in flags(m, slot(m, fd, 0))


def test_a_fault_without_memory_is_tried_again():
    m, _, view = mapped()
    unlucky(m, "alloc", ENOMEM)
    assert view[0] == 0
    assert m.complaints == ("Huh VM_FAULT_OOM leaked out to the #PF handler. Retrying PF",)


def test_a_fault_waits_while_its_page_is_being_punched_out():
    m, fd, view = mapped()
    view[PAGE] = 7
    tasks = {"cpu0": [("fallocate", (fd, PUNCH, PAGE, PAGE))], "cpu1": [("access", (0, PAGE, 1, None))]}
    done = interleave(m, tasks, ("cpu0", 4, "zap"), ("cpu1", 1, ""), ("cpu0", 16, "punched"))
    assert done["cpu1"] == [(b"\0", -1)]


def test_a_fault_on_a_page_punched_in_part_does_not_wait():
    """Only whole pages are in the window that faults look at."""
    m, fd, view = mapped()
    view[0] = 7
    view.close()
    m.mmap(fd, 4 * PAGE)
    tasks = {"cpu0": [("fallocate", (fd, PUNCH, 10, 2 * PAGE))], "cpu1": [("access", (0, 0, 1, None))]}
    done = interleave(m, tasks, ("cpu0", 3, "punch"), ("cpu1", 5, "load"))
    assert done["cpu1"] == [(b"\7", -1)]
