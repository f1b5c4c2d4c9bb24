"""The words of a path, and the mark that makes a function one."""

import subprocess
import sys

import pytest

from khosim.config import MachineConfig
from khosim.kernel.shmem_kho import bitmap_set
from khosim.state.machine import MachineState
from khosim.steps import PATHS, Choose, Retry, Step, Wait, Warn, path


def test_a_function_that_never_yields_is_refused_at_import():
    """The message says what to do about it."""
    with pytest.raises(TypeError, match="never_yields is marked @path but never yields; drop the mark or yield a Step"):

        @path
        def never_yields(m):
            return m

    assert "never_yields" not in PATHS


def test_a_function_that_only_returns_a_path_is_refused_too():
    """To hand a generator on is not to be one: the call stack would not show it."""
    with pytest.raises(TypeError, match="never yields"):

        @path
        def hands_on(m):
            return bitmap_set(m, 1)


def test_a_name_is_taken_once():
    """The first owner keeps it."""
    owner = PATHS["bitmap_set"]
    with pytest.raises(TypeError, match="two paths are named bitmap_set"):

        @path
        def bitmap_set(_m, _pfn):
            yield Step("x", "x")

    assert PATHS["bitmap_set"] is owner


def test_a_refusal_really_happens_at_import(tmp_path):
    """A module with such a function cannot be imported at all."""
    (tmp_path / "slip.py").write_text("from khosim.steps import path\n@path\ndef slip(m):\n    return 1\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import slip"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "TypeError: slip is marked @path but never yields" in done.stderr


def test_calling_a_path_runs_nothing_yet():
    """A path starts when the run says so, and what is handed out is the function's own generator."""
    m = MachineState(MachineConfig())
    m.bitmap_phys = 128
    before = m.buffer.copy()
    started = bitmap_set(m, 3)
    assert (m.buffer == before).all()
    assert started.gi_code.co_name == "bitmap_set"
    assert started.gi_code is PATHS["bitmap_set"].__code__


def test_a_machine_brings_its_variant():
    """Two machines, one buggy and one not, may stand side by side."""

    def quiet(_m, pfn):
        yield Step("nothing", "Nothing happens to {pfn}.", pfn=pfn)

    plain, other = MachineState(MachineConfig()), MachineState(MachineConfig(), {"bitmap_set": quiet})
    assert [event.name for event in bitmap_set(plain, 3)] == ["bitmap_read", "bit_set"]
    assert [event.name for event in bitmap_set(other, 3)] == ["nothing"]


def test_a_step_makes_its_sentence_when_asked():
    """The name is for machines, the sentence for people."""
    step = Step("bit_set", "Bit of frame {pfn:#x} is set.", pfn=26)
    assert step.sentence == "Bit of frame 0x1a is set."
    assert repr(step) == "Step('bit_set', 'Bit of frame 0x1a is set.')"
    assert step.args == {"pfn": 26}
    assert repr(Warn("warn", "BUG")) == "Warn('warn', 'BUG')"


def test_every_event_has_a_short_repr_without_an_address():
    """What a debugger prints can be compared between two runs."""
    events = [Choose("alloc", (0, -12), index=3), Wait("frame 0x9 is locked", lambda _m: True), Retry("r", "Again.")]
    assert [repr(event) for event in events] == [
        "Choose('alloc', (0, -12))",
        "Wait('frame 0x9 is locked')",
        "Retry('r', 'Again.')",
    ]
