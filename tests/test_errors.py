"""The kinds of error never mix: the kernel's, the program's and the reader's."""

import errno

import pytest

import khosim
from khosim import BusError, Deadlock, KernelFailure, KernelPanic, Livelock, MachineGone, UsageError


@pytest.mark.parametrize("failure", [KernelPanic, Livelock, Deadlock])
def test_what_a_kernel_dies_of_is_no_slip_of_the_reader(failure):
    """`except ValueError` and `except OSError` let a dying kernel through."""
    assert issubclass(failure, KernelFailure)
    assert not issubclass(failure, (ValueError, OSError, TypeError))


def test_a_slip_of_the_reader_is_a_value_error():
    """And a machine that is gone is such a slip."""
    assert issubclass(MachineGone, UsageError)
    assert issubclass(UsageError, ValueError)
    assert not issubclass(UsageError, (OSError, KernelFailure))


def test_a_bus_error_names_the_byte():
    """SIGBUS is neither the kernel's death nor the reader's slip."""
    error = BusError(130)
    assert error.address == 130
    assert str(error) == "SIGBUS at byte 130 of the mapping: past the end of the file"
    assert not isinstance(error, (OSError, ValueError, KernelFailure))


def test_each_kind_arises_where_it_belongs():
    """One file, every kind: an errno, a slip, a wrong type, a bus error, a livelock, a dead machine."""
    m = khosim.boot()
    fd = m.os.memfd_create("guest", khosim.MFD_KHO)
    with pytest.raises(OSError, match="Invalid argument") as refused:
        m.os.ftruncate(fd, -1)
    assert refused.value.errno == errno.EINVAL
    with pytest.raises(UsageError, match="MAP_SHARED"):
        m.mmap(fd, 64, 9)
    with pytest.raises(TypeError, match=r"write b'\.\.\.'"):
        m.os.pwrite(fd, "text", 0)
    with pytest.raises(BusError):
        m.mmap(fd, 64)[0]
    m.os.posix_fallocate(fd, 0, 64)
    with pytest.raises(Livelock, match="refcount 0"):
        m.os.pread(fd, 1, 0)
    with pytest.raises(MachineGone, match=r"this kernel is dead .*boot another machine"):
        m.os.pread(fd, 1, 0)


def test_every_public_error_is_at_the_door():
    """What a reader must catch needs no import from inside."""
    for name in khosim.errors.__all__:
        assert getattr(khosim, name) is getattr(khosim.errors, name)


def test_a_slip_in_a_cell_is_told_in_two_lines(capsys):
    """The reader's own line and what to write instead, however deep in khosim it was found."""
    interactive = pytest.importorskip("IPython.core.interactiveshell", reason="a cell needs IPython")
    shell = interactive.InteractiveShell.instance()
    try:
        shell.run_cell("import khosim\nm = khosim.boot()\nkhosim.boot(frames=-1)")
    finally:
        interactive.InteractiveShell.clear_instance()
    with pytest.raises(UsageError) as slip:
        khosim.boot(frames=-1)
    assert capsys.readouterr().out.splitlines() == ["In line 3: khosim.boot(frames=-1)", f"UsageError: {slip.value}"]
