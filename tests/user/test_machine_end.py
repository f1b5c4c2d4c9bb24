"""How a machine ends: a kexec leaves it behind, or its kernel dies, and then it answers no call."""

import pytest

import khosim
from khosim import KernelPanic, Livelock, MachineGone
from khosim.state import page_cache

KHO = khosim.MFD_KHO


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
