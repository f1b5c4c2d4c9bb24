"""A frame goes bad. shmem keeps it in the page cache, so that readers learn of it."""

from errno import EIO, ENOENT

import pytest

import khosim
from khosim.state.mem_map import PG_dirty, clear_flag
from tests.kernel.rig import PAGE, bit, block, crossed, fails, flags, page, slot, started


def poisoned():
    m, fd = started()
    m.os.pwrite(fd, page("A") + page("B"), 0)
    m.poison(fd, 1)
    return m, fd


def test_the_page_stays_and_readers_get_an_error():
    m, fd = poisoned()
    assert "hwpoison" in flags(m, slot(m, fd, 1))
    assert m.page.refcount[slot(m, fd, 1)] == 2
    assert m.os.pread(fd, 9 * PAGE, 0) == page("A")
    for attempt in (lambda: m.os.pread(fd, 1, PAGE), lambda: m.os.pwrite(fd, b"x", PAGE),
                    lambda: m.os.splice(fd, 1, PAGE)):  # fmt: skip
        with fails(EIO):
            attempt()


def test_a_fault_on_it_is_sigbus():
    m, fd = poisoned()
    with pytest.raises(khosim.BusError):
        m.mmap(fd, 2 * PAGE)[PAGE]
    assert m.page.refcount[slot(m, fd, 1)] == 2
    assert "locked" not in flags(m, slot(m, fd, 1))


def test_whoever_has_it_mapped_is_told_and_loses_it():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    view = m.mmap(fd, PAGE)
    assert view[0] == ord("A")
    frame = slot(m, fd, 0)
    m.poison(fd, 0)
    assert m.page.mapcount[frame] == 0
    assert any(words.startswith(f"Memory failure: {frame:#x}") for words in m.complaints)
    with pytest.raises(khosim.BusError):
        view[0]


def test_what_the_program_wrote_makes_the_page_dirty_when_it_is_taken_away():
    m, fd = started()
    m.os.ftruncate(fd, PAGE)
    m.mmap(fd, PAGE)[0] = 7
    frame = slot(m, fd, 0)
    clear_flag(m, frame, PG_dirty)
    m.poison(fd, 0)
    assert (m.page.refcount[frame], "dirty" in flags(m, frame)) == (2, True)


def test_the_buffer_head_warning_comes_with_it():
    """B42's third way."""
    m, _ = poisoned()
    assert "WARNING: fs/buffer.c try_to_free_buffers" in m.complaints


def test_a_poisoned_frame_is_never_given_out_again():
    m, fd = poisoned()
    free = m.nr_free
    m.os.ftruncate(fd, PAGE)
    assert m.nr_free == free


def test_only_a_cached_page_can_be_picked():
    m, fd = crossed(poisoned()[0])
    with fails(ENOENT):
        m.poison(fd, 0)


def test_b13_block_and_bit_stay_and_the_next_kernel_knows_nothing():
    m, fd = poisoned()
    bad = slot(m, fd, 1)
    assert (block(m, fd, 1), bit(m, bad)) == (bad, True)
    m, fd = crossed(m)
    assert m.os.pread(fd, PAGE, PAGE) == page("B")
    assert slot(m, fd, 1) == bad
    assert "hwpoison" not in flags(m, bad)
