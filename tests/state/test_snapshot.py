"""A snapshot is a moment that nobody can change, equal to itself everywhere."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import khosim
from khosim import UsageError
from khosim.state.layout import views
from khosim.state.snapshot import Snapshot
from tests.state.bare import bare


def test_it_keeps_the_moment_while_the_machine_goes_on():
    """And the machine never notices."""
    m = khosim.boot()
    before = m.snapshot()
    digest = before.digest
    m.os.memfd_create("file", khosim.MFD_KHO)
    assert before.digest == digest != m.snapshot().digest
    assert before != m.snapshot()


def test_nothing_can_be_written_through_it():
    """Bytes, arrays, columns and counters all refuse."""
    s = khosim.boot().snapshot()
    with pytest.raises(ValueError, match="read-only"):
        s.arrays["phys"][0, 0] = 1
    for write in (
        lambda: s.page.flags.__setitem__(0, 1),
        lambda: s.ram.__setitem__(0, 1),
        lambda: s.words.__setitem__(0, 1),
        lambda: setattr(s, "nr_free", 1),
    ):
        with pytest.raises(TypeError, match="read-only"):
            write()
    with pytest.raises(ValueError, match="read-only"):
        s.load_buffer(np.ones_like(s.buffer))


def test_equal_bytes_are_equal_moments():
    """A machine and its snapshot are equal too; another kind of thing is not, and none can be hashed."""
    m = khosim.boot()
    assert m.snapshot() == m.snapshot() == m
    assert m.snapshot().digest == m.snapshot().digest
    assert m.snapshot() != "a machine"
    with pytest.raises(TypeError, match="unhashable"):
        hash(m.snapshot())


@settings(derandomize=True, max_examples=80, deadline=None)
@given(st.data())
def test_a_diff_is_all_that_is_needed_to_get_there(data):
    """Change bytes anywhere; writing the listed changes into the first moment gives the second."""
    m = bare(frames=40, file_pages=16)
    before = Snapshot(m)
    whole = {name: array for name, array in m.arrays.items() if name != "end"}
    for _ in range(data.draw(st.integers(0, 6))):
        array = whole[data.draw(st.sampled_from(sorted(whole)))]
        field = data.draw(st.sampled_from(array.dtype.names)) if array.dtype.names else ...
        place = tuple(data.draw(st.integers(0, size - 1)) for size in array.shape)
        array[field][place] = data.draw(st.integers(0, 255))
    after = Snapshot(m)
    rebuilt = before.buffer.copy()
    opened = views(m.config, rebuilt)
    for change in before.diff(after):
        assert change.old != change.new
        if isinstance(change.new, bytes):
            row, first = change.index
            opened[change.array][row, first : first + len(change.new)] = list(change.new)
            assert change.old[0] != change.new[0]
            assert change.old[-1] != change.new[-1]
        else:
            opened[change.array][change.field or ...][change.index] = change.new
    assert (rebuilt == after.buffer).all()
    assert before.diff(before) == []


def test_moments_of_different_machines_are_not_compared():
    """The message says why."""
    with pytest.raises(UsageError, match="different configs"):
        khosim.boot().snapshot().diff(khosim.boot(frames=128).snapshot())


def test_bits_are_the_bitmap_as_booleans():
    """One a frame; before a kernel has booted, all are False."""
    m = khosim.boot(frames=100)
    assert m.snapshot().bits.shape == (100,)
    assert m.snapshot().bits.sum() == m.config.fdt_frames + m.config.bitmap_frames
    assert not Snapshot(bare(frames=100)).bits.any()


def test_reprs_are_short_and_hold_no_address():
    """A snapshot's, and a change's even of a whole page."""
    m = khosim.boot(page_size=4096, fdt_bytes=4096)
    first = m.snapshot()
    m.os.memfd_create("file", khosim.MFD_KHO)
    for shown in [repr(first), *map(repr, first.diff(m.snapshot()))]:
        assert len(shown) <= 120
        assert "0x7" not in shown
    assert repr(first).startswith("Snapshot(kernel 1, ")


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_has_the_same_digest(seed):
    """Under another hash seed, with nothing in common but the code."""
    code = "import khosim; print(khosim.boot().snapshot().digest)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed},
        cwd=khosim.__path__[0] + "/..",
    )  # fmt: skip
    assert done.stdout.strip() == khosim.boot().snapshot().digest


def test_an_unknown_attribute_is_an_attribute_error():
    """Opening on first use does not hide a slip."""
    with pytest.raises(AttributeError):
        khosim.boot().snapshot().pages  # noqa: B018
