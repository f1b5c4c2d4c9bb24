"""Where a page of a file comes from: every situation under every SGP, and what an error in between costs.

The expected outcomes are those of KERNEL.md sections 1.0 to 1.2, and of the recorded runs `sgp_modes_*`.
"""

from errno import EEXIST, EFBIG, EINVAL, ENOENT, ENOMEM, ENOSPC

import pytest

import khosim
from khosim.kernel.shmem_kho import SGP_CACHE, SGP_FALLOC, SGP_NOALLOC, SGP_READ, SGP_WRITE
from khosim.state.phys import load
from khosim.user.calls import NO_FOLIO
from tests.kernel.rig import (
    PAGE,
    bit,
    block,
    crossed,
    fails,
    flags,
    opened,
    page,
    slot,
    started,
    steps,
    unlucky,
)

ARRAY = 16
SGPS = {"READ": SGP_READ, "NOALLOC": SGP_NOALLOC, "CACHE": SGP_CACHE, "WRITE": SGP_WRITE, "FALLOC": SGP_FALLOC}
HOLE, HANGS = "success without a folio", "never returns"
A, OLD, ZERO = (b"A" * PAGE, True), (b"\xa5" * PAGE, False), (bytes(PAGE), True)
"""A folio: its bytes, and whether it is uptodate. OLD is a fresh frame that nobody has written."""
GONE, PAST = (None, -ENOENT, ZERO, OLD, OLD), (-EINVAL, -EINVAL, -EINVAL, OLD, OLD)

TABLE = {  #               READ     NOALLOC   CACHE    WRITE    FALLOC
    "cached":             (A,       A,        A,       A,       A),
    "fallocated":         (HANGS,   ZERO,     ZERO,    OLD,     ZERO),
    "swapped":            (A,       A,        A,       A,       A),
    "block":              (A,       A,        A,       A,       A),
    "hole":               (HOLE,    -ENOENT,  ZERO,    OLD,     OLD),
    "past i_size":        (-EINVAL, -EINVAL,  -EINVAL, OLD,     OLD),
    "past the array":     (-EFBIG,  -EFBIG,   -EFBIG,  -EFBIG,  -EFBIG),
    "past both":          (-EINVAL, -EINVAL,  -EINVAL, -EFBIG,  -EFBIG),
    "past any file":      (-EFBIG,  -EFBIG,   -EFBIG,  -EFBIG,  -EFBIG),
}  # fmt: skip
ORDINARY = {**TABLE, "fallocated": (HOLE, *TABLE["fallocated"][1:]), "past the array": TABLE["hole"],
            "past both": TABLE["past i_size"]}  # fmt: skip
"""Without KHO there is no array, and a reader takes a fallocated page for a hole."""
CASES = [(name, sgp) for name in TABLE for sgp in SGPS]


def situation(name, kho=True):
    """A machine, a file and an index at which the file is in this situation."""
    m = khosim.boot()
    fd = opened(m) if kho else m.os.memfd_create("plain")
    if name in ("cached", "swapped", "block"):
        m.os.pwrite(fd, page("A"), 0)
    if name == "swapped":
        m.swapon()
        m.swap_out(fd, 0)
    if name == "block" and kho:
        m, fd = crossed(m)
    if name == "fallocated":
        m.os.posix_fallocate(fd, 0, PAGE)
    if name == "hole":
        m.os.ftruncate(fd, PAGE)
    if name == "past the array":
        m.os.ftruncate(fd, (ARRAY + 2) * PAGE)
    return m, fd, {"past the array": ARRAY, "past both": ARRAY, "past any file": m.file_pages}.get(name, 0)


def look(name, sgp, kho=True):
    """What the lookup says, in the words of the table."""
    m, fd, index = situation(name, kho)
    try:
        found = m._session.call("get_folio", fd, index, SGPS[sgp])
    except khosim.Livelock:
        return HANGS
    if found < 0:
        return HOLE if found == NO_FOLIO else found
    assert slot(m, fd, index) == found
    assert m.page.refcount[found] == 1
    return load(m, found, 0, PAGE), "uptodate" in flags(m, found)


@pytest.mark.parametrize(("name", "sgp"), CASES)
def test_a_lookup_in_a_kho_file(name, sgp):
    assert look(name, sgp) == TABLE[name][list(SGPS).index(sgp)]


@pytest.mark.parametrize(("name", "sgp"), CASES)
def test_a_lookup_in_an_ordinary_file(name, sgp):
    assert look(name, sgp, kho=False) == ORDINARY[name][list(SGPS).index(sgp)]


@pytest.mark.parametrize("sgp", ["CACHE", "WRITE", "FALLOC"])
def test_a_new_page_gets_block_and_bit_together(sgp):
    m, fd, _ = situation("hole")
    frame = m._session.call("get_folio", fd, 0, SGPS[sgp])
    assert (block(m, fd, 0), bit(m, frame)) == (frame, True)


@pytest.mark.parametrize("sgp", ["READ", "NOALLOC"])
def test_looking_at_a_hole_records_nothing(sgp):
    m, fd, _ = situation("hole")
    before = m.snapshot()
    m._session.call("get_folio", fd, 0, SGPS[sgp])
    assert before.diff(m) == []


@pytest.mark.parametrize("sgp", ["READ", "NOALLOC"])
@pytest.mark.parametrize("name", ["hole", "fallocated"])
def test_an_ordinary_lookup_that_ends_without_a_folio_says_so(name, sgp):
    m, fd, _ = situation(name, kho=False)
    with steps(m) as seen:
        found = m._session.call("get_folio", fd, 0, SGPS[sgp])
    told = [numbers["sgp"] for step, numbers in seen if step == "nofolio"]
    assert told == ([SGPS[sgp]] if found < 0 else [])


@pytest.mark.parametrize("sgp", SGPS)
def test_a_restored_page_is_the_held_frame_dirty(sgp):
    m, fd, _ = situation("block")
    held = block(m, fd, 0)
    assert m._session.call("get_folio", fd, 0, SGPS[sgp]) == held
    assert {"uptodate", "dirty", "swapbacked", "lru"} <= flags(m, held)
    assert (block(m, fd, 0), bit(m, held)) == (held, True)


def test_a_failed_allocation_leaves_block_and_bit_alone():
    m, fd = started()
    unlucky(m, "alloc", ENOMEM)
    before = m.snapshot()
    with fails(ENOMEM):
        m.os.pwrite(fd, b"x", 0)
    assert before.diff(m) == []


@pytest.mark.parametrize("code", [ENOMEM, EEXIST])
def test_a_failed_insertion_of_a_fresh_page_is_undone(code):
    m, fd = started()
    unlucky(m, "add", code)
    before = m.snapshot()
    if code == EEXIST:  # that one is tried again
        m.os.pwrite(fd, b"x", 0)
        m.os.ftruncate(fd, 0)
    else:
        with fails(code):
            m.os.pwrite(fd, b"x", 0)
    assert (block(m, fd, 0), m.nr_free, m.used_pages) == (0, before.nr_free, 0)
    assert (before.bits == m.snapshot().bits).all()


def test_b01_reading_a_fallocated_page_frees_it_while_it_is_in_the_cache():
    m, fd = started()
    m.os.posix_fallocate(fd, 0, PAGE)
    frame = slot(m, fd, 0)
    with pytest.raises(khosim.Livelock, match="refcount 0"):
        m.os.pread(fd, 1, 0)
    assert (slot(m, fd, 0), flags(m, frame)) == (frame, {"free"})
    assert (block(m, fd, 0), bit(m, frame)) == (0, False)


def test_b01_with_a_reference_pending_it_repeats_for_ever_in_another_place():
    """The LRU batch still holds the folio: it is not freed, but its mapping is gone."""
    m, fd = started(lru_batch=31)
    m.os.posix_fallocate(fd, 0, PAGE)
    with pytest.raises(khosim.Livelock, match="shmem_get_folio_gfp keeps repeating"):
        m.os.pread(fd, 1, 0)
    assert (m.page.refcount[slot(m, fd, 0)], m.page.mapping[slot(m, fd, 0)]) == (1, 0)


@pytest.mark.parametrize("cure", ["fault", "write", "fallocate"])
def test_a_fallocated_page_is_fine_once_it_was_cleared(cure):
    m, fd = started()
    m.os.posix_fallocate(fd, 0, PAGE)
    {"fault": lambda: m.mmap(fd, PAGE)[0], "write": lambda: m.os.pwrite(fd, b"\0", 0),
     "fallocate": lambda: m.os.posix_fallocate(fd, 0, PAGE)}[cure]()  # fmt: skip
    assert m.os.pread(fd, PAGE, 0) == bytes(PAGE)


def restored_page_and_no_luck(code):
    m, fd = started()
    m.os.pwrite(fd, page("A") + page("B"), 0)
    m, fd = crossed(m)
    unlucky(m, "add", code)
    return m, fd


def test_b19_one_failed_insertion_destroys_the_only_copy():
    m, fd = restored_page_and_no_luck(ENOMEM)
    held = block(m, fd, 0)
    with fails(ENOMEM):
        m.os.pread(fd, 1, 0)
    assert (block(m, fd, 0), bit(m, held), flags(m, held)) == (0, False, {"free"})
    assert m.os.pread(fd, 2 * PAGE, 0) == bytes(PAGE) + page("B")


def test_b19_retried_at_once_it_reads_zeroes_and_nobody_is_told():
    m, fd = restored_page_and_no_luck(EEXIST)
    assert m.os.pread(fd, PAGE, 0) == bytes(PAGE)


def test_b20_reading_what_is_preserved_can_fail_for_want_of_memory_to_charge():
    m, fd = restored_page_and_no_luck(0)
    m.overcommit(2)
    with fails(ENOSPC):
        m.os.pread(fd, 1, 0)
    with pytest.raises(khosim.BusError):
        m.mmap(fd, 2 * PAGE)[PAGE]


def test_b21_a_hole_past_the_array_cannot_be_read():
    m, fd, _ = situation("past the array")
    for attempt in (lambda: m.os.pread(fd, 1, ARRAY * PAGE), lambda: m.os.splice(fd, 1, ARRAY * PAGE)):
        with fails(EFBIG):
            attempt()
    with pytest.raises(khosim.BusError):
        m.mmap(fd, (ARRAY + 1) * PAGE)[ARRAY * PAGE]
    assert m.os.pread(fd, 3 * PAGE, (ARRAY - 1) * PAGE) == bytes(PAGE)


def test_a_kho_file_asks_the_block_list_once_and_an_ordinary_one_never():
    for kho in (True, False):
        m, fd, _ = situation("hole", kho)
        with steps(m) as seen:
            m.os.pread(fd, 1, 0)
        assert [name for name, _ in seen].count("kho_alloc") == kho
