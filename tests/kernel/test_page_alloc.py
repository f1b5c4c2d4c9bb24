"""Frames change hands: what they read, who has them, and what the kernel says when somebody frees one in use."""

from errno import ENOMEM

import pytest

import khosim
from khosim.kernel.page_alloc import alloc_pages, folio_get, folio_put, folio_try_get, free_pages
from khosim.run.scheduler import Choice, Run
from khosim.state.buddy import in_scratch
from khosim.state.handover import preserved
from khosim.state.mem_map import PG_locked, PG_reserved, set_flag
from khosim.state.phys import load
from tests.kernel.rig import PAGE, bit, block, crossed, drive, fails, flags, opened, page, slot, started

FRESH, FREED = b"\xa5", b"\xaa"


def take(m, order=0):
    return drive(m, alloc_pages(m, order, movable=1))


def read(m, frame):
    return load(m, frame, 0, PAGE)


def test_a_fresh_frame_has_one_reference_and_no_past():
    m = khosim.boot()
    frame = take(m)
    drive(m, folio_put(m, frame))
    for name in ("mapcount", "mapping", "index", "head"):
        getattr(m.page, name)[frame] = 7
    set_flag(m, frame, PG_locked)
    assert take(m) == frame
    assert (m.page.refcount[frame], m.page.mapcount[frame], m.page.mapping[frame]) == (1, 0, 0)
    assert (m.page.index[frame], m.page.head[frame], flags(m, frame)) == (0, -1, set())


def test_free_memory_is_poisoned():
    m = khosim.boot()
    assert all(read(m, frame) == FREED * PAGE for frame in range(m.frames) if "free" in flags(m, frame))
    assert read(m, take(m)) == FREED * PAGE


def test_a_fresh_page_of_a_file_reads_what_its_last_owner_left():
    """0xA5, until somebody zeroes it."""
    m, fd = started()
    m.os.posix_fallocate(fd, 0, PAGE)
    assert read(m, slot(m, fd, 0)) == FRESH * PAGE


def test_a_freed_page_is_poisoned():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    frame = slot(m, fd, 0)
    m.os.ftruncate(fd, 0)
    assert (read(m, frame), flags(m, frame)) == (FREED * PAGE, {"free"})


def test_references_of_a_page_of_the_cache():
    """KERNEL.md's table: 1 fresh, 2 with the cache, 1 when the caller lets go, one more for a page table entry."""
    m, fd = started()
    with m.record() as trace:
        m.os.pwrite(fd, b"x", 0)
    frame = slot(m, fd, 0)
    counts = {moment.step.name: moment.snapshot.page.refcount[frame] for moment in trace if moment.step}
    assert (counts["alloc"], counts["cache_add"], counts["copy_in"]) == (1, 2, 2)
    assert m.page.refcount[frame] == 1
    assert m.mmap(fd, PAGE)[0] == ord("x")
    assert m.page.refcount[frame] == 2


def test_references_of_a_restored_page_end_as_for_any_other():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    m, fd = crossed(m)
    frame = block(m, fd, 0)
    assert m.page.refcount[frame] == 1
    m.os.pread(fd, 1, 0)
    assert m.page.refcount[frame] == 1


def test_the_last_reference_frees_the_frame():
    m = khosim.boot()
    frame = take(m)
    folio_get(m, frame)
    drive(m, folio_put(m, frame))
    assert flags(m, frame) == set()
    drive(m, folio_put(m, frame))
    assert flags(m, frame) == {"free"}
    assert not folio_try_get(m, frame)


def test_of_two_who_drop_the_last_references_only_one_frees_the_frame():
    """The count is dropped and looked at in one go (folio_put_testzero)."""
    m = khosim.boot()
    frame = take(m)
    folio_get(m, frame)
    free = m.nr_free
    run = Run(m._session, {name: folio_put(m, frame) for name in ("cpu0", "cpu1")})
    run.finish([Choice("cpu0"), Choice("cpu1")])
    assert (m.nr_free, flags(m, frame)) == (free + 1, {"free"})


def test_the_frame_freed_last_is_handed_out_first():
    m, fd = started()
    m.os.pwrite(fd, b"".join(map(page, "ABC")), 0)
    frame = slot(m, fd, 1)
    m.os.fallocate(fd, khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE, PAGE, PAGE)
    m.os.pwrite(fd, page("D"), 3 * PAGE)
    assert slot(m, fd, 3) == frame


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda m, frame: m.page.mapcount.__setitem__(frame, 1), "nonzero mapcount"),
        (lambda m, frame: m.page.mapping.__setitem__(frame, 1), "non-NULL mapping"),
        (lambda m, frame: m.page.refcount.__setitem__(frame, 1), "nonzero _refcount"),
        (lambda m, frame: set_flag(m, frame, PG_locked), "PAGE_FLAGS_CHECK_AT_FREE flag(s) set"),
        (lambda m, frame: set_flag(m, frame, PG_reserved), "PAGE_FLAGS_CHECK_AT_FREE flag(s) set"),
    ],
)
def test_a_frame_that_looks_in_use_is_a_bad_page_and_is_not_freed(spoil, words):
    m = khosim.boot()
    frame = take(m)
    free = m.nr_free
    m.page.refcount[frame] = 0
    spoil(m, frame)
    drive(m, free_pages(m, frame))
    assert m.complaints == (f"BUG: Bad page state: {words}  pfn:{frame:05x}",)
    assert m.nr_free == free


def test_a_large_folio_goes_back_in_one_piece():
    m = khosim.boot(frames=128)
    free = m.nr_free
    head = take(m, order=3)
    assert (head % 8, m.nr_free, m.page.order[head]) == (0, free - 8, 3)
    drive(m, folio_put(m, head))
    assert (m.nr_free, read(m, head + 7)) == (free, FREED * PAGE)
    assert [m.page.head[head + place] for place in range(8)] == [-1] * 8


def fill_up(m):
    """Take every frame that is left; all of them."""
    frames = []
    while (frame := take(m)) is not None:
        frames.append(frame)
    return frames


def test_the_allocator_never_hands_out_a_preserved_frame():
    m, fd = started()
    m.os.pwrite(fd, b"".join(map(page, "ABCDE")), 0)
    m = m.kexec()
    kept = set(preserved(m))
    frames = fill_up(m)
    assert kept
    assert not kept & set(frames)
    assert len(frames) == len(set(frames))
    fd = opened(m)
    assert m.os.pread(fd, 5 * PAGE, 0) == b"".join(map(page, "ABCDE"))


def test_without_memory_a_write_fails_and_the_file_is_as_before():
    m, fd = started()
    fill_up(m)
    before = m.snapshot()
    with fails(ENOMEM):
        m.os.pwrite(fd, b"x", 0)
    assert before.diff(m) == []


def test_b35_movable_pages_fall_into_scratch_only_as_a_last_resort():
    m = khosim.boot()
    where = [in_scratch(m, frame) for frame in fill_up(m)]
    assert where == sorted(where)
    assert sum(where) == m.config.scratch_size


def test_b35_what_the_next_kernel_boots_in_is_never_given_to_the_kernel_itself():
    m = khosim.boot()
    frame = next(frame for frame in fill_up(m) if in_scratch(m, frame))
    assert drive(m, alloc_pages(m, 0, movable=0)) is None
    drive(m, folio_put(m, frame))
    assert drive(m, alloc_pages(m, 0, movable=0)) is None


def page_in_scratch(**shape):
    """A file whose only page lies where the next kernel boots."""
    m, fd = started(**shape)
    frame = next(frame for frame in fill_up(m) if in_scratch(m, frame))
    drive(m, folio_put(m, frame))
    m.os.pwrite(fd, page("A"), 0)
    assert (block(m, fd, 0), bit(m, frame)) == (frame, True)
    return m


def test_b35_the_next_kernel_overwrites_such_a_page():
    m, fd = crossed(page_in_scratch(trust_blocks=True))
    assert m.os.pread(fd, PAGE, 0) == b"K" * PAGE


def test_b35_a_careful_next_kernel_refuses_the_handover():
    m = page_in_scratch().kexec()
    assert "lies in scratch memory" in m.complaints[-1]
    assert m.os.pread(opened(m), PAGE, 0) == b""
