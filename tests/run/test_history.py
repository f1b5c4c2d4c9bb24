"""Every moment can be seen again: in this process, in another, and from its choices alone."""

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import khosim
from khosim import KernelPanic, Livelock, UsageError, Warn
from khosim.run.history import Call, Cause, History
from khosim.run.moment import shorten
from khosim.user.machine import session
from tests.run.recordings import recorded, states, story
from tests.user.programs import PROGRAMS, play

ROOT = khosim.__path__[0] + "/.."


# ---- seeking and replaying


@settings(derandomize=True, max_examples=60, deadline=None)
@given(PROGRAMS, st.data())
def test_seeking_gives_what_replaying_gives(ops, data):
    """Random programs on two to four kernels; forward, backward, and at times counted from the end."""
    trace = recorded(ops)
    assert len(trace.kexecs) <= ops.count(("kexec",))
    again = trace._replay(trace, trace.choices)
    assert states(again) == states(trace)
    assert again.digest == trace.digest
    assert again.choices == trace.choices
    assert [call.text for call in again.calls] == [call.text for call in trace.calls]
    for t in data.draw(st.lists(st.integers(-len(trace), trace.steps), min_size=1, max_size=2)):
        assert trace.seek(t) == trace.replay(t)


@settings(derandomize=True, max_examples=15, deadline=None)
@given(PROGRAMS)
def test_recording_changes_nothing(ops):
    """Watched or not, a program gets the same results and leaves the same machine."""
    alone, m = play(khosim.boot(), ops)
    watched = khosim.boot()
    with watched.record():
        results, last = play(watched, ops)
    assert results == alone
    assert last.snapshot() == m.snapshot()


def test_a_recording_begins_where_it_was_begun():
    """What came before is in its first moment, and it can be replayed from there."""
    m = khosim.boot()
    fd = m.os.memfd_create("guest", khosim.MFD_KHO)
    m.os.pwrite(fd, b"before", 0)
    before = m.snapshot()
    with m.record() as trace:
        m.os.pwrite(fd, b"within", 64)
    m.os.pwrite(fd, b"afterwards", 128)
    assert trace[0].snapshot == before
    assert trace[0].sentence == "Before the first step."
    assert trace.replay(0) == before
    assert trace.replay() == trace[-1].snapshot
    assert all("afterwards" not in call.text for call in trace.calls)


def test_a_run_driven_by_hand_is_replayed_too():
    """And so is what comes after it: no choice is lost between two runs."""
    stage = session(khosim.MachineConfig(), {})
    fd = stage.call("memfd_create", "guest", khosim.MFD_KHO)
    trace = stage.record("by hand")
    run = stage.start({"a": [("pwrite", (fd, 1, b"a", 0))], "b": [("pwrite", (fd, 1, b"b", 64))]})
    while able := run.choices():
        run.take(able[-1])
    stage.call("pread", fd, 9, 0)
    stage.stop()
    assert {choice.task for choice in trace.choices} == {"a", "b", "cpu0"}
    assert states(trace._replay(trace, trace.choices)) == states(trace)


def test_there_is_no_moment_outside_the_recording(trace):
    """The message names the moments there are."""
    for t in (len(trace), -len(trace) - 1):
        with pytest.raises(UsageError, match=f"has moments 0 to {trace.steps}, not {t}"):
            trace.seek(t)


def test_a_history_is_a_sequence_of_moments(trace):
    """Indexed, sliced, counted; each moment knows its time, its kernel and its call."""
    assert [moment.t for moment in trace] == list(range(len(trace)))
    assert trace[-1].t == trace.steps == len(trace) - 1
    assert [moment.t for moment in trace[2:5]] == [2, 3, 4]
    first = trace.kexecs[0]
    assert [trace[first - 1].kernel, trace[first].kernel] == [1, 2]
    assert trace[first].step.name == "boot"
    for call in trace.calls:
        for t in range(call.first, call.last + 1):
            assert trace.calls[trace[t].call] is call


def test_between_two_moments_lies_what_changed(trace):
    """Also across the kexec, and backward with old and new exchanged."""
    a, b = 3, trace.kexecs[0] + 2
    there, back = trace.between(a, b), trace.between(b, a)
    assert there
    assert [(c.array, c.field, c.index, c.old, c.new) for c in there] == [
        (c.array, c.field, c.index, c.new, c.old) for c in back
    ]
    assert trace.between(b, b) == []


# ---- the same everywhere


CODE = """
import json, khosim
from tests.run.recordings import recorded, story
ops = [("pwrite", "a", 0, 200, 7), ("store", "plain", 64, 100, 8), ("kexec",), ("pread", "a", 0, 100),
       ("swap_out", "a", 1), ("migrate", "a", 0), ("kexec",), ("pread", "a", 0, 200), ("fallocate", "b", 3, 0, 64)]
trace = recorded(ops)
other = next(trace.fork(t, c) for t in range(len(trace)) for c in trace.alternatives(t))
print(json.dumps([story().digest, trace.digest, other.digest, list(map(str, trace.choices)), repr(trace), repr(other)]))
"""


def test_the_same_choices_have_the_same_digest_in_another_process():
    """Under two hash seeds, neither of which is ours; the representations are the same as well."""
    found = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ROOT},
        )  # fmt: skip
        found.append(json.loads(done.stdout))
    assert found[0] == found[1]
    assert found[0][0] == story().digest


def test_another_sentence_or_state_is_another_digest(trace):
    """The digest covers every moment of the run."""
    m = khosim.boot()
    with m.record("story") as other:
        fd = m.os.memfd_create("guest", khosim.MFD_KHO)
        m.os.pwrite(fd, b"hello, next kernel", 0)
    assert len(other) < len(trace)
    assert other.digest != trace.digest
    assert states(other) == states(trace)[: len(other)]


# ---- what is seen


def test_the_stack_of_a_moment_leads_from_the_call_to_the_step(trace):
    """Outermost first; files are named from khosim/ on, and lines lie within the functions."""
    moment = next(moment for moment in trace if moment.step and moment.step.name == "bit_set" and moment.call == 1)
    assert " ".join(frame.function for frame in moment.stack) == (
        "_perform sys_pwrite64 shmem_file_write_iter shmem_write_begin shmem_get_folio shmem_get_folio_gfp "
        "shmem_alloc_and_add_folio shmem_alloc_kho_folio bitmap_set"
    )
    assert moment.stack[-1].file == "kernel/shmem_kho.py"
    with open(f"{ROOT}/khosim/{moment.stack[-1].file}") as source:  # noqa: PTH123 - one line of it
        assert 'Step("bit_set"' in source.read().splitlines()[moment.stack[-1].line - 1]


def test_a_run_that_dies_is_recorded_to_its_end():
    """Its history names the failure, replays to the same end, and can be forked before it."""
    m = khosim.boot()
    with m.record() as trace:
        fd = m.os.memfd_create("guest", khosim.MFD_KHO)
        m.os.posix_fallocate(fd, 0, 64)
        with pytest.raises(Livelock):
            m.os.pread(fd, 1, 0)
    assert isinstance(trace.failure, Livelock)
    assert "ended by Livelock" in repr(trace)
    again = trace._replay(trace, trace.choices)
    assert isinstance(again.failure, Livelock)
    assert states(again) == states(trace)
    asked = next(t for t in range(len(trace)) if trace.alternatives(t))
    assert trace.fork(asked, "cpu0=-12").failure is None


def test_complaints_of_the_kernel_are_found():
    """`warnings` are the moments whose step is a Warn."""
    m = khosim.boot()
    with m.record() as trace:
        fd = m.os.memfd_create("guest", khosim.MFD_KHO)
        m.os.pwrite(fd, b"x" * 100, 0)
        m.os.ftruncate(fd, 10)
    assert [moment.sentence for moment in trace.warnings] == ["Do not know how to handle partial folios yet"]
    assert all(isinstance(moment.step, Warn) for moment in trace.warnings)
    assert m.complaints == ("Do not know how to handle partial folios yet",)


def test_reprs_are_short_and_hold_no_address(trace):
    """A history, its moments, calls and causes; even with a long title, long bytes, a long name."""
    long = History("t" * 300, lambda past, _choices: past)
    long.moments = trace.moments
    long.failure = KernelPanic("x")
    call = Call("cpu0", "pwrite", (3,), 1, 2, "n" * 200)
    cause = Cause(123456, "shmem_alloc_and_add_folio", "sentence", "memfd_create('" + "n" * 90 + "', 128)", 0, 1 << 60)
    for thing in [trace, long, call, cause, trace.why("i_size"), *trace, *trace.calls, *trace.choices]:
        assert len(repr(thing)) <= 120
        assert not re.search(r"(object|generator|function) .*at 0x", repr(thing))
    write = trace.calls[1]
    assert repr(write) == f"Call(cpu0: pwrite(3, 18 bytes, 0), moments {write.first} to {write.last})"
    assert shorten("x" * 120) == "x" * 120
    assert shorten("x" * 121) == "x" * 117 + "..."


def test_without_a_way_to_draw_a_history_is_one_line(monkeypatch, trace):
    """What shows it is put in from outside; without it, str() and Jupyter get the short line."""
    monkeypatch.setattr(History, "_mimebundle", None)
    monkeypatch.setattr(History, "_transcript", None)
    assert str(trace) == repr(trace)
    assert trace._repr_mimebundle_(include=None, exclude=None) == {"text/plain": repr(trace)}


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda h: h.fork("3", "cpu0=0"), "moments 0 to"),
        (lambda h: h.fork(3, 7), "a choice is a task, or task=answer such as cpu0=-12, not 7"),
        (lambda h: h.fork(3, None), "not None"),
        (lambda h: h.why(9), "there is no cell 9; there are: bit, block"),
        (lambda h: h.why(["bit"], pfn=9), "there is no cell"),
        (lambda h: h.why("bit", pnf=9), "a cell has no 'pnf'; it is named by pfn, index, offset, file, ino"),
        (lambda h: h.why("bit", pfn="9"), "say which one: pfn=0 to 63, not pfn='9'"),
        (lambda h: h.why("bit", t=2.5, pfn=9), "moments 0 to"),
    ],
)
def test_a_slip_is_answered_with_what_to_write(trace, ask, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        ask(trace)


@pytest.mark.parametrize("title", [7, None, b"bytes"])
def test_a_title_is_text(title):
    with pytest.raises(UsageError, match='record takes a title as text, such as "one page crosses", not'):
        khosim.boot().record(title).__enter__()
