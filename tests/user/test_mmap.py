"""A mapping is indexed, sliced and assigned like `mmap.mmap`, and touches no page that the file has not."""

import errno
import mmap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import khosim
from khosim import BusError, Livelock, MachineGone, UsageError
from khosim.state import page_cache

SIZE = 3 * 64
BYTES = bytes(range(1, SIZE + 1))


@pytest.fixture
def m():
    """A file of three pages at descriptor 3."""
    machine = khosim.boot()
    machine.os.pwrite(machine.os.memfd_create("file"), BYTES, 0)
    return machine


@pytest.fixture
def mapping(m):
    return m.mmap(3, SIZE)


def real():
    """Python's own, of the same bytes."""
    found = mmap.mmap(-1, SIZE)
    found[:] = BYTES
    return found


PLACE = st.one_of(st.none(), st.integers(-SIZE - 3, SIZE + 3))
KEYS = st.one_of(st.integers(-SIZE - 2, SIZE + 1), st.builds(slice, PLACE, PLACE))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers(0, 255))), max_size=8))
def test_it_behaves_as_pythons_own(program):
    """Any index and any slice, read or assigned, gives what `mmap.mmap` gives; bytes written reach the file."""
    m = khosim.boot()
    m.os.pwrite(m.os.memfd_create("file"), BYTES, 0)
    ours, theirs = m.mmap(3, SIZE), real()
    for key, value in program:
        found = []
        for mapping in (ours, theirs):
            try:
                if value is not None:
                    mapping[key] = bytes([value]) * len(theirs[key]) if isinstance(key, slice) else value
                found.append(mapping[key])
            except IndexError:
                found.append(IndexError)
        assert found[0] == found[1], (key, value)
    assert ours[:] == theirs[:]
    assert m.os.pread(3, SIZE, 0) == theirs[:]
    assert len(ours) == len(theirs) == SIZE


SLIPS = [
    (lambda x: x[SIZE], IndexError, "byte 192 is outside a mapping of 192 bytes"),
    (lambda x: x[-SIZE - 1], IndexError, "byte -193 is outside"),
    (lambda x: x["0"], TypeError, "'str' object"),
    (lambda x: x[0:4:2], UsageError, "sliced with step 1, not 2"),
    (lambda x: x.__setitem__(0, 256), UsageError, "an int from 0 to 255, not 256"),
    (lambda x: x.__setitem__(0, -1), UsageError, "an int from 0 to 255, not -1"),
    (lambda x: x.__setitem__(0, b"x"), TypeError, "an int from 0 to 255, not bytes"),
    (lambda x: x.__setitem__(0, "x"), TypeError, "'str' object"),
    (lambda x: x.__setitem__(slice(0, 2), b"xyz"), UsageError, r"takes 2 byte\(s\), not 3"),
    (lambda x: x.__setitem__(slice(0, 2), "xy"), TypeError, "a slice takes bytes, not str"),
    (lambda x: x.__setitem__(slice(0, 2), 5), TypeError, "a slice takes bytes, not int"),
    (lambda x: x.madvise(1), UsageError, "advice 1 is not modelled; there are: MADV_DONTNEED, "),
    (lambda x: x.madvise(4, -1), UsageError, "bytes of the mapping, 0 to 192"),
    (lambda x: x.madvise(4, 0, -1), UsageError, "bytes of the mapping"),
    (lambda x: x.madvise(4, SIZE), UsageError, "bytes of the mapping"),
    (lambda x: x.madvise(4, 0, 1.5), TypeError, "'float' object"),
    (lambda x: x.uffd_register("both"), UsageError, '"missing" or "minor" faults, not \'both\''),
    (lambda x: x.uffd_copy(0, b"short"), UsageError, "one page of 64 bytes, not 5"),
    (lambda x: x.uffd_copy(0, "x" * 64), TypeError, "UFFDIO_COPY takes bytes, not str"),
    (lambda x: x.uffd_copy(3, b"x" * 64), UsageError, "page 3 is outside a mapping of 192 bytes"),
    (lambda x: x.uffd_copy(0.5, b"x" * 64), TypeError, "'float' object"),
    (lambda x: x.uffd_continue(-1), UsageError, "page -1 is outside"),
]


@pytest.mark.parametrize(("call", "kind", "words"), SLIPS)
def test_a_slip_is_refused_before_anything_changes(m, mapping, call, kind, words):
    """A place outside is an IndexError, a wrong type a TypeError, and the rest says what is taken."""
    before = m.snapshot()
    with pytest.raises(kind, match=words):
        call(mapping)
    assert m.snapshot() == before


def test_past_the_end_of_the_file_is_sigbus(m):
    """At the first byte of the first page that the file does not reach; within its last page there are zeroes."""
    m.os.ftruncate(3, 100)
    mapping = m.mmap(3, SIZE)
    assert mapping[100:128] == bytes(28)
    for touch in (lambda: mapping[128], lambda: mapping.__setitem__(130, 1), lambda: mapping[0:SIZE]):
        with pytest.raises(BusError, match=r"SIGBUS at byte 1[23]") as caught:
            touch()
        assert caught.value.address in (128, 130)


def test_a_store_that_meets_sigbus_has_got_half_way(m):
    """As the processor's: the bytes before the fault are written."""
    m.os.ftruncate(3, 64)
    mapping = m.mmap(3, 128)
    with pytest.raises(BusError):
        mapping[60:70] = b"x" * 10
    assert m.os.pread(3, 64, 0) == BYTES[:60] + b"xxxx"


def test_a_mapping_may_begin_inside_the_file(m):
    """At a whole page; index 0 is then that page's first byte."""
    assert m.mmap(3, 64, offset=64)[0] == BYTES[64]
    with pytest.raises(OSError, match="Invalid argument"):
        m.mmap(3, 64, offset=3)


def test_a_private_mapping_keeps_its_stores_to_itself(m):
    """And sees the file where it stored nothing."""
    private = m.mmap(3, SIZE, khosim.MAP_PRIVATE)
    private[0:4] = b"mine"
    assert m.os.pread(3, 4, 0) == BYTES[:4]
    m.os.pwrite(3, b"file", 64)
    assert private[0:4] + private[64:68] == b"minefile"


@pytest.mark.parametrize(
    ("fd", "length", "error"), [(9, 64, "EBADF"), (3, 0, "EINVAL"), (3, -1, "EINVAL"), (3, 65 * 64, "ENOMEM")]
)
def test_a_mapping_that_linux_refuses_is_an_os_error(m, fd, length, error):
    """With mmap(2)'s errno."""
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        m.mmap(fd, length)
    assert errno.errorcode[caught.value.errno] == error


def test_there_is_an_end_to_mappings(m):
    """ENOMEM, as from max_map_count."""
    kept = [m.mmap(3, 64) for _ in range(4)]
    with pytest.raises(OSError, match="Cannot allocate memory"):
        m.mmap(3, 64)
    kept[0].close()
    assert m.mmap(3, 64)[0] == 1


CLOSED = [
    lambda x: x[0],
    lambda x: x.__setitem__(0, 1),
    lambda x: x.madvise(khosim.MADV_DONTNEED),
    lambda x: x.mincore(),
    lambda x: x.uffd_register("missing"),
    lambda x: x.uffd_copy(0, bytes(64)),
    lambda x: x.uffd_continue(0),
]


@pytest.mark.parametrize("call", CLOSED)
def test_a_closed_mapping_is_refused_even_if_its_number_was_given_away(m, mapping, call):
    """Whoever maps next has the number; the old object does not reach his mapping."""
    mapping.close()
    mapping.close()
    m.mmap(3, 64)
    before = m.snapshot()
    with pytest.raises(UsageError, match=r"closed; make another with m.mmap\(fd, length\)"):
        call(mapping)
    assert m.snapshot() == before
    assert repr(mapping) == "Mapping(192 bytes, closed)"


@pytest.mark.parametrize("call", [*CLOSED, lambda x: x.close()])
def test_after_a_kexec_a_mapping_is_gone_with_its_machine(m, mapping, call):
    """The next kernel has other mappings under the same numbers."""
    new = m.kexec()
    new.os.memfd_create("file")
    new.mmap(3, 64)
    before = new.snapshot()
    with pytest.raises(MachineGone):
        call(mapping)
    assert new.snapshot() == before


def test_with_closes_it_and_hides_no_failure(m):
    """Leaving after a kexec is quiet; leaving because the kernel died leaves with its words."""
    with m.mmap(3, 64) as mapping:
        assert mapping[0] == 1
    assert not any(m.vma.used)
    with m.mmap(3, 64):
        m = m.kexec()
    fd = m.os.memfd_create("kho", khosim.MFD_KHO)
    m.os.posix_fallocate(fd, 0, 64)
    with pytest.raises(Livelock), m.mmap(fd, 64):
        m.os.pread(fd, 1, 0)


def test_a_file_lives_as_long_as_it_is_mapped(m, mapping):
    """close() is not the end of it; unmapping is."""
    m.os.close(3)
    assert mapping[0] == 1
    assert m.inode.used[0]
    mapping.close()
    assert not m.inode.used[0]


def test_mincore_tells_what_is_cached_or_mapped(m):
    """After a kexec nothing is, until it is touched (B18)."""
    assert m.mmap(3, SIZE).mincore() == [1, 1, 1]
    kho = m.os.memfd_create("kho", khosim.MFD_KHO)
    m.os.pwrite(kho, BYTES, 0)
    m = m.kexec()
    mapping = m.mmap(m.os.memfd_create("kho", khosim.MFD_KHO), SIZE)
    assert mapping.mincore() == [0, 0, 0]
    assert mapping[64] == BYTES[64]
    assert mapping.mincore() == [0, 1, 0]


def test_dontneed_unmaps_and_remove_punches(mapping):
    """The first loses nothing of a shared file, the second does."""
    mapping[0] = 99
    mapping.madvise(khosim.MADV_DONTNEED)
    assert mapping[0] == 99
    mapping.madvise(khosim.MADV_REMOVE, 64, 64)
    assert mapping[:] == bytes([99]) + BYTES[1:64] + bytes(64) + BYTES[128:]
    with pytest.raises(OSError, match="Invalid argument"):
        mapping.madvise(khosim.MADV_REMOVE, 3, 64)


def test_advice_may_name_more_than_there_is(mapping):
    """As Python's `mmap` does, a length past the end means up to the end."""
    mapping.madvise(khosim.MADV_REMOVE, 64, 10_000)
    assert mapping[:] == BYTES[:64] + bytes(128)


def test_collapse_makes_one_folio_of_eight_pages(m):
    """The bytes stay."""
    m.os.ftruncate(3, 512)
    mapping = m.mmap(3, 512)
    mapping.madvise(khosim.MADV_COLLAPSE)
    assert len({page_cache.load(m, 0, index) for index in range(8)}) == 1
    assert mapping[:] == BYTES + bytes(512 - SIZE)


def test_hwpoison_takes_the_page_away(mapping):
    """What the kernel says is EAGAIN, as the recorded one did; afterwards the page is SIGBUS, its neighbour is not."""
    with pytest.raises(OSError, match="temporarily unavailable"):
        mapping.madvise(khosim.MADV_HWPOISON, 64, 64)
    with pytest.raises(BusError):
        mapping[64]
    assert mapping[0] == 1


def test_a_missing_fault_goes_to_userfaultfd_until_a_page_is_copied_in(m):
    """A hole is a BusError; UFFDIO_COPY fills it; a second copy is EEXIST."""
    fd = m.os.memfd_create("sparse")
    m.os.ftruncate(fd, 128)
    mapping = m.mmap(fd, 128)
    mapping.uffd_register("missing")
    with pytest.raises(BusError):
        mapping[0]
    mapping.uffd_copy(0, b"m" * 64)
    assert mapping[0:64] == b"m" * 64
    with pytest.raises(FileExistsError):
        mapping.uffd_copy(0, b"n" * 64)
    assert m.os.pread(fd, 128, 0) == b"m" * 64 + bytes(64)


def test_a_minor_fault_goes_to_userfaultfd_until_it_is_continued(mapping):
    """The page is there, and still the program is stopped."""
    mapping.uffd_register("minor")
    with pytest.raises(BusError):
        mapping[64]
    mapping.uffd_continue(1)
    assert mapping[64] == BYTES[64]


def in_swap(m, fd, _view):
    m.swapon()
    m.swap_out(fd, 1)


def punched(m, fd, _view):
    m.os.fallocate(fd, khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE, 64, 64)


def poisoned(m, fd, _view):
    m.poison(fd, 1)


def poisoned_where_mapped(m, fd, view):
    view[64]
    m.poison(fd, 1)


def cut(m, fd, _view):
    m.os.ftruncate(fd, 64)


def overcommitted(m, fd, view):
    punched(m, fd, view)
    m.overcommit(2, 0)


REASONS = {
    in_swap: None,
    punched: None,
    poisoned: "its frame is poisoned",
    poisoned_where_mapped: "its frame is poisoned",
    cut: "past the end of the file",
    overcommitted: "the kernel has no page to give",
}


@pytest.mark.parametrize("flags", [0, khosim.MFD_KHO], ids=["ordinary", "kho"])
@pytest.mark.parametrize("kind", ["", "missing", "minor"])
@pytest.mark.parametrize("made", REASONS)
def test_a_bus_error_says_what_the_fault_met(made, kind, flags):
    """Of userfaultfd it speaks exactly where the kernel has handed the fault on."""
    m = khosim.boot(nblocks=16)
    fd = m.os.memfd_create("file", flags)
    m.os.pwrite(fd, BYTES, 0)
    view = m.mmap(fd, SIZE)
    made(m, fd, view)
    if kind:
        view.uffd_register(kind)
    met = None
    with m.record() as trace:
        try:
            view[64]
        except BusError as error:
            met = str(error)
    handed_on = any(moment.step.name == "userfault" for moment in trace[1:])
    reason = "userfaultfd has the fault, and no monitor answers" if handed_on else REASONS[made]
    assert met == (reason and f"SIGBUS at byte 64 of the mapping: {reason}")


def test_a_memory_view_of_wide_items_counts_in_bytes(mapping):
    """Two integers are eight bytes."""
    mapping[0:8] = memoryview(b"abcdefgh").cast("I")
    assert mapping[0:8] == b"abcdefgh"
    with pytest.raises(UsageError, match="takes 2 byte"):
        mapping[0:2] = memoryview(b"abcdefgh").cast("I")


def test_its_repr_is_short(mapping):
    """It counts bytes."""
    assert repr(mapping) == "Mapping(192 bytes)"
