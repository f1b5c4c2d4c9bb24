"""The machine as a reader holds it: how it boots, and how it is recorded."""

from types import SimpleNamespace

import pytest

import khosim
from khosim import MachineConfig, UsageError
from khosim.run.scheduler import Choice
from khosim.user.machine import session

KHO = khosim.MFD_KHO


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


def test_a_session_of_its_own_is_what_boot_hands_out():
    """For runs of two tasks: the session's machine is the machine."""
    stage = session(MachineConfig(), {})
    assert isinstance(stage.machine, khosim.Machine)
    stage.together({"a": [("memfd_create", ("x", 0))]}, [Choice("a")])
    assert stage.machine.os.fstat(3).st_size == 0
