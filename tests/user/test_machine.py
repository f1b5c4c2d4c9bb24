"""The machine as a reader holds it: how it boots, what happens to it, and how it ends."""

import errno
import re
from types import SimpleNamespace

import pytest

import khosim
from khosim import KernelPanic, Livelock, MachineConfig, MachineGone, UsageError
from khosim.kernel.shmem_kho import bitmap_clear
from khosim.run.scheduler import Choice
from khosim.state import page_cache
from khosim.state.blocks import load_block, store_block
from khosim.steps import Step
from khosim.user.machine import session

KHO = khosim.MFD_KHO


@pytest.fixture
def m():
    return khosim.boot()


@pytest.fixture
def fd(m):
    """A KHO file of two pages."""
    number = m.os.memfd_create("guest", KHO)
    m.os.pwrite(number, b"a" * 64 + b"b" * 64, 0)
    return number


# ---- boot


def test_sizes_have_names():
    """The small ones can be drawn, the large one has Linux's page size."""
    assert khosim.boot().config == khosim.boot("tiny").config == MachineConfig()
    assert khosim.boot("small").config == MachineConfig(frames=256)
    assert khosim.boot("linux").page_size == 4096
    assert khosim.boot("small", page_size=128).config == MachineConfig(frames=256, page_size=128)
    assert khosim.boot(MachineConfig(frames=100), nblocks=3).config == MachineConfig(frames=100, nblocks=3)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (64, r"write boot\(frames=64\)"),
        ("huge", "there is no size 'huge'; there are 'tiny', 'small', 'linux', or give frames="),
        (1.5, "boot takes a size by name or a MachineConfig"),
        ([64], "boot takes a size by name or a MachineConfig"),
    ],
)
def test_a_size_that_is_none_is_refused_with_what_to_write(size, words):
    """Nothing is booted."""
    with pytest.raises(UsageError, match=words):
        khosim.boot(size)


def test_two_machines_of_one_shape_are_equal():
    """Booting has no luck in it."""
    assert khosim.boot().snapshot() == khosim.boot().snapshot()


def test_a_fresh_machine_has_one_kernel_and_no_complaint(m):
    """Its free frames, its reserved ones and frame 0 make up its memory."""
    assert (m.boots, m.complaints) == (1, ())
    taken = m.config.kernel_size + m.config.fdt_frames + m.config.bitmap_frames
    assert m.nr_free == m.frames - taken


# ---- variants


def free_block_in_the_other_order(m, ino, index):
    """Empty the block, then clear its bit."""
    start = load_block(m, m.inode.kho[ino], index)
    store_block(m, m.inode.kho[ino], index, 0)
    yield Step("free_block", "Block {index} is empty.", index=index)
    yield from bitmap_clear(m, start // m.page_size)


def test_a_variant_replaces_a_whole_path():
    """The machine runs the reader's function, and the call stack shows it; another machine knows nothing of it."""
    variants = {"shmem_kho_free_block": free_block_in_the_other_order}
    orders, stacks = [], []
    for chosen in ({}, variants):
        m = khosim.boot(variants=chosen)
        with m.record() as trace:
            fd = m.os.memfd_create("guest", KHO)
            m.os.pwrite(fd, b"x" * 64, 0)
            m.os.ftruncate(fd, 0)
        orders.append([s.step.name for s in trace[1:] if s.step.name in ("free_block", "bit_clear")])
        stacks.append(next(s.stack for s in trace[1:] if s.step.name == "bit_clear"))
    assert orders == [["bit_clear", "free_block"], ["free_block", "bit_clear"]]
    assert [frame.function for frame in stacks[0][-2:]] == ["shmem_kho_free_block", "bitmap_clear"]
    assert [frame.function for frame in stacks[1][-2:]] == ["free_block_in_the_other_order", "bitmap_clear"]
    assert stacks[1][-2].file == "test_machine.py"


def test_a_variant_lives_through_kexecs_and_forks():
    """The whole chain of kernels, and every replay, is built with it."""
    m = khosim.boot(variants={"shmem_kho_free_block": free_block_in_the_other_order})
    with m.record() as trace:
        m = m.kexec()
        fd = m.os.memfd_create("guest", KHO)
        m.os.pwrite(fd, b"x" * 64, 0)
        m.os.ftruncate(fd, 0)
    for history in (trace, trace._replay(trace, trace.choices)):
        assert "free_block_in_the_other_order" in {frame.function for moment in history for frame in moment.stack}


@pytest.mark.parametrize(
    ("variants", "words"),
    [
        ({"shmem_kho_free_blok": free_block_in_the_other_order}, "did you mean shmem_kho_free_block?"),
        ({"zzz": free_block_in_the_other_order}, "no kernel path is named 'zzz'; `khosim list` shows them all"),
        ({"shmem_kho_free_block": len}, "must be a function that yields steps, not len"),
        ({"shmem_kho_free_block": None}, "must be a function that yields steps, not None"),
        (["shmem_kho_free_block"], "variants is a dict from the name of a path to a function"),
    ],
)
def test_what_can_replace_nothing_is_refused(variants, words):
    """Before anything boots, with a hint."""
    with pytest.raises(UsageError, match=re.escape(words)):
        khosim.boot(variants=variants)


def test_changing_the_dict_later_changes_no_machine():
    """The machine keeps what it was booted with."""
    variants = {"shmem_kho_free_block": free_block_in_the_other_order}
    m = khosim.boot(variants=variants)
    variants["memfd_create"] = free_block_in_the_other_order
    assert m.os.memfd_create("file") == 3


# ---- kexec and the end


@pytest.mark.usefixtures("fd")
def test_only_preserved_frames_cross_a_kexec(m):
    """Their bytes are the same before and after; free memory is poisoned."""
    preserved = [pfn for pfn in range(64) if m.snapshot().bits[pfn]]
    new = m.kexec()
    assert [pfn for pfn in range(64) if new.snapshot().bits[pfn]] == preserved
    for pfn in preserved:
        assert bytes(new.arrays["phys"][pfn]) == bytes(m.arrays["phys"][pfn])
    assert (new.boots, m.boots) == (2, 1)
    assert not any(new.inode.used)
    assert not any(new.file.used)


CALLS = {
    "os": lambda m: m.os.fstat(3),
    "create": lambda m: m.os.memfd_create("x"),
    "mmap": lambda m: m.mmap(3, 64),
    "kexec": lambda m: m.kexec(),
    "swapon": lambda m: m.swapon(),
    "swapoff": lambda m: m.swapoff(),
    "swap_out": lambda m: m.swap_out(3, 0),
    "migrate": lambda m: m.migrate(3, 0),
    "poison": lambda m: m.poison(3, 0),
    "reclaim": lambda m: m.reclaim(1),
    "drain": lambda m: m.drain(),
    "overcommit": lambda m: m.overcommit(0),
    "huge": lambda m: m.huge(True),
}


@pytest.mark.usefixtures("fd")
@pytest.mark.parametrize("name", CALLS)
def test_a_machine_that_a_kexec_ended_refuses_every_call(m, name):
    """It can still be looked at; the message says which machine to use, and the new one notices nothing."""
    new = m.kexec()
    before, dead = new.snapshot(), m.snapshot()
    with pytest.raises(MachineGone, match="use the one that kexec\\(\\) returned"):
        CALLS[name](m)
    assert (new.snapshot(), m.snapshot()) == (before, dead)
    assert m.page.flags[5] is not None


def test_a_machine_that_is_gone_cannot_be_recorded(m):
    """Or one would record its successor by mistake."""
    m.kexec()
    with pytest.raises(MachineGone), m.record():
        pass


def livelocked(m):
    fd = m.os.memfd_create("other", KHO)
    m.os.posix_fallocate(fd, 0, 64)
    with pytest.raises(Livelock, match="refcount 0"):
        m.os.pread(fd, 1, 0)


def panicked(m):
    """Free a page that is on the LRU with the list broken under it."""
    fd = m.os.memfd_create("other")
    m.os.pwrite(fd, b"x", 0)
    m.link.next[page_cache.load(m, 1, 0)] = -0x100
    with pytest.raises(KernelPanic, match="Kernel mode fault at addr 0x108"):
        m.os.ftruncate(fd, 0)


@pytest.mark.usefixtures("fd")
@pytest.mark.parametrize("die", [livelocked, panicked])
@pytest.mark.parametrize("name", CALLS)
def test_a_dead_machine_refuses_every_call_and_names_its_death(m, die, name):
    """It keeps the state it died in."""
    die(m)
    before = m.snapshot()
    words = "refcount 0" if die is livelocked else "Kernel mode fault"
    with pytest.raises(MachineGone, match=f"this kernel is dead .*{words}.*; look at its trace, or boot another"):
        CALLS[name](m)
    assert m.snapshot() == before
    assert f"dead: {'page cache' if die is livelocked else 'Kernel mode'}" in repr(m)


def test_reading_a_fallocated_page_is_a_livelock_at_once(m):
    """B01: the block claims a page that the cache already has. Not a hang: some dozens of steps, then a verdict."""
    with m.record() as trace:
        livelocked(m)
    assert trace.steps < 200
    assert trace.failure is not None


# ---- what happens to a machine


def test_swap_takes_a_dirty_page_and_gives_it_back(m, fd):
    """Without swapon it has to stay; swapoff brings all of it back."""
    assert m.swap_out(fd, 0) is False
    m.swapon()
    assert m.swap_out(fd, 0) is True
    assert page_cache.is_swap(page_cache.load(m, 0, 0))
    m.swapoff()
    assert m.os.pread(fd, 64, 0) == b"a" * 64
    assert m.swap_out(fd, 0) is False


def test_a_page_migrates_to_another_frame(m, fd):
    """Its bytes go with it."""
    before = page_cache.load(m, 0, 1)
    m.migrate(fd, 1)
    assert page_cache.load(m, 0, 1) not in (before, page_cache.EMPTY)
    assert m.os.pread(fd, 64, 64) == b"b" * 64


def test_a_poisoned_page_is_eio(m, fd):
    """And SIGBUS where it is mapped."""
    with m.mmap(fd, 64) as mapping:
        assert mapping[0] == ord("a")
        m.poison(fd, 0)
        with pytest.raises(khosim.BusError):
            mapping[0]
    with pytest.raises(OSError, match="Input/output error") as caught:
        m.os.pread(fd, 1, 0)
    assert caught.value.errno == errno.EIO
    assert any("Memory failure" in words for words in m.complaints)


def test_reclaim_frees_no_more_than_it_is_asked_for():
    """Oldest first; how many is what it returns."""
    m = khosim.boot(lru_batch=8)
    m.swapon()
    fd = m.os.memfd_create("plain")
    for index in range(4):
        m.os.pwrite(fd, bytes([65 + index]) * 64, index * 64)
    assert m.reclaim(0) == 0
    assert m.reclaim(2) == 2
    kept = [page_cache.load(m, 0, index) >= 0 for index in range(4)]
    assert kept == [False, False, True, True]
    assert m.reclaim(99) == 2
    assert m.os.pread(fd, 256, 0) == b"".join(bytes([65 + index]) * 64 for index in range(4))


def test_strict_overcommit_refuses_what_it_does_not_grant(m):
    """ENOSPC from a write, until mode 0 is back."""
    fd = m.os.memfd_create("plain")
    m.overcommit(2, 1)
    assert m.os.pwrite(fd, b"x" * 64, 0) == 64
    with pytest.raises(OSError, match="No space left") as caught:
        m.os.pwrite(fd, b"x" * 64, 64)
    assert caught.value.errno == errno.ENOSPC
    m.overcommit(0)
    assert m.os.pwrite(fd, b"x" * 64, 64) == 64


def test_a_huge_file_has_one_folio_and_a_kho_file_never(m):
    """B32."""
    m.huge(True)
    fd, kho = m.os.memfd_create("plain"), m.os.memfd_create("kho", KHO)
    for number in (fd, kho):
        m.os.pwrite(number, b"x" * 64, 0)
    assert len({page_cache.load(m, 0, index) for index in range(8)}) == 1
    assert page_cache.load(m, 1, 1) == page_cache.EMPTY
    m.huge(False)


def test_drain_empties_the_batch():
    """Folios that wait to join the LRU hold a reference less afterwards."""
    m = khosim.boot(lru_batch=4)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, b"x", 0)
    frame = page_cache.load(m, 0, 0)
    before = m.page.refcount[frame]
    m.drain()
    assert (m.page.refcount[frame], m.lru_pending) == (before - 1, 0)


@pytest.mark.usefixtures("fd")
@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda m: m.swap_out(3, 64), UsageError, "has pages 0 to 63, not 64"),
        (lambda m: m.migrate(3, -1), UsageError, "has pages 0 to 63, not -1"),
        (lambda m: m.poison(3, "0"), TypeError, "'str' object"),
        (lambda m: m.reclaim(-1), UsageError, "a number of pages from 0 on, not -1"),
        (lambda m: m.reclaim(1.5), TypeError, "'float' object"),
        (lambda m: m.overcommit(1), UsageError, "mode 0 or 2"),
        (lambda m: m.overcommit(2, -1), UsageError, "a limit in pages, not 2, -1"),
        (lambda m: m.overcommit(2, 1.5), TypeError, "'float' object"),
        (lambda m: m.overcommit(2, 1 << 70), UsageError, "a limit in pages"),
        (lambda m: m.mmap(3, 64, 3), UsageError, "khosim.MAP_SHARED or khosim.MAP_PRIVATE, not 3"),
        (lambda m: m.mmap(3, "64"), TypeError, "'str' object"),
        (lambda m: m.swap_out(3, 5), FileNotFoundError, "No such file"),
        (lambda m: m.migrate(3, 5), FileNotFoundError, "No such file"),
        (lambda m: m.poison(3, 5), FileNotFoundError, "No such file"),
        (lambda m: m.swap_out(9, 0), OSError, "Bad file descriptor"),
    ],
)
def test_a_wrong_argument_changes_nothing(m, call, kind, words):
    """A slip is a UsageError, a wrong type a TypeError, and what the kernel does not find an OSError."""
    before = m.snapshot()
    with pytest.raises(kind, match=words):
        call(m)
    assert m.snapshot() == before


# ---- looking


def test_only_one_recording_runs_at_a_time(m):
    """The message says how to go on; afterwards a second one is fine."""
    with m.record() as first, pytest.raises(UsageError, match="end that `with` first"), m.record():
        pass
    assert first.steps == 0
    with m.record("second") as second:
        m.os.memfd_create("x")
    assert second.steps > 0
    assert first.steps == 0


def test_a_recording_ends_when_its_with_does_even_by_an_exception(m):
    """What was recorded stays, and the machine can be recorded again."""

    def fail():
        with m.record() as trace:
            seen.trace = trace
            m.os.memfd_create("x")
            raise LookupError

    seen = SimpleNamespace()
    with pytest.raises(LookupError):
        fail()
    steps = seen.trace.steps
    m.os.memfd_create("y")
    assert seen.trace.steps == steps > 0


def test_complaints_are_those_of_the_whole_chain(m, fd):
    """Oldest first, across a kexec."""
    m.os.ftruncate(fd, 10)
    new = m.kexec()
    again = new.os.memfd_create("guest", KHO)
    new.os.pread(again, 1, 0)
    new.os.ftruncate(again, 5)
    assert new.complaints == ("Do not know how to handle partial folios yet",) * 2


@pytest.mark.usefixtures("fd")
def test_a_repr_is_one_short_line_without_an_address(m):
    """Alive, ended, dead of something long."""
    seen = [repr(m)]
    new = m.kexec()
    seen += [repr(m), repr(new), repr(new.page), repr(new.os), repr(new.snapshot())]
    livelocked(new)
    new._session.failure = KernelPanic("BUG! " + "x" * 200)
    seen.append(repr(new))
    assert "ended by a kexec" in seen[1]
    for shown in seen:
        assert len(shown) <= 120
        assert " at 0x" not in shown


def test_a_session_of_its_own_is_what_boot_hands_out():
    """For runs of two tasks: the session's machine is the machine."""
    stage = session(MachineConfig(), {})
    assert isinstance(stage.machine, khosim.Machine)
    stage.together({"a": [("memfd_create", ("x", 0))]}, [Choice("a")])
    assert stage.machine.os.fstat(3).st_size == 0
