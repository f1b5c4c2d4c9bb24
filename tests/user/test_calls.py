"""The table of calls: every name leads to a path, and what Python callers cannot reach works too."""

import inspect

import pytest

import khosim
from khosim.kernel.shmem_kho import SGP_NOALLOC, SGP_READ, SGP_WRITE
from khosim.state import page_cache
from khosim.state.mem_map import PG_locked
from khosim.steps import PATHS
from khosim.user.calls import CALLS, NO_FOLIO
from khosim.user.machine import session


@pytest.fixture
def stage():
    """An ordinary file of one page and a KHO file of one page."""
    found = session(khosim.MachineConfig(), {})
    for name, flags in (("plain", 0), ("kho", khosim.MFD_KHO)):
        fd = found.call("memfd_create", name, flags)
        found.call("pwrite", fd, 64, name.encode().ljust(64, b"."), 0)
    return found


def test_every_call_is_a_path_that_a_variant_may_replace():
    """But for those that hand a path to `on_folio`, which is one."""
    for name, call in CALLS.items():
        function = inspect.unwrap(call)
        assert function in PATHS.values() or name in ("swap_out", "migrate", "poison")
    assert "kexec" not in CALLS


def test_what_acts_on_a_page_wants_one_in_the_page_cache(stage):
    """-EBADF without a file, -ENOENT without a page, and the machine unchanged."""
    for name in ("swap_out", "migrate", "poison"):
        before = stage.machine.snapshot()
        assert stage.call(name, 99, 0) == -9
        assert stage.call(name, 3, 5) == -2
        assert stage.machine.snapshot() == before
    frame = page_cache.load(stage.machine, 0, 0)
    stage.machine.page.mapping[frame] = 0  # as after B01: in the cache, and of no file
    assert stage.call("migrate", 3, 0) == -2


def test_the_lookup_by_itself_gives_the_frame_and_keeps_nothing(stage):
    """No lock and no reference are left; a hole is success without a folio, or -ENOENT, or a new page."""
    m = stage.machine
    frame = page_cache.load(m, 0, 0)
    before = m.page.refcount[frame]
    assert stage.call("get_folio", 3, 0, SGP_READ) == frame
    assert m.page.refcount[frame] == before
    assert not m.page.flags[frame] & PG_locked
    stage.call("ftruncate", 3, 128)
    assert stage.call("get_folio", 3, 1, SGP_READ) == NO_FOLIO
    assert stage.call("get_folio", 3, 1, SGP_NOALLOC) == -2
    assert stage.call("get_folio", 3, 2, SGP_READ) == -22
    assert stage.call("get_folio", 3, 1, SGP_WRITE) == page_cache.load(m, 0, 1)
    assert stage.call("get_folio", 99, 0, SGP_READ) == -9


def test_no_errno_can_be_taken_for_success_without_a_folio():
    """NO_FOLIO lies below them all."""
    assert NO_FOLIO < -133


def test_a_write_from_a_buffer_that_ends_early_is_short(stage):
    """`data` is what can be read of the program's `count` bytes; none at all is -EFAULT."""
    assert stage.call("pwrite", 3, 10, b"abc", 0) == 3
    assert stage.call("pwrite", 3, 10, b"", 0) == -14
    assert stage.call("pread", 3, 6, 0) == (b"abcin.", 0)


def test_settings_are_settings_of_the_machine(stage):
    """Each ends up in the counter that the kernel looks at."""
    m = stage.machine
    stage.call("swapon")
    stage.call("overcommit", 2, 77)
    stage.call("huge", 1)
    assert (m.swap_enabled, m.overcommit_memory, m.commit_limit, m.shmem_huge) == (1, 2, 77, 1)
    stage.call("swapoff")
    assert m.swap_enabled == 0


def test_i_size_can_be_written_behind_everybodys_back(stage):
    """What a scenario of B04 needs: the size alone, nothing cut."""
    assert stage.call("i_size_write", 0, 10) is None
    assert stage.call("fstat", 3)[0] == 10
    assert page_cache.load(stage.machine, 0, 0) >= 0
