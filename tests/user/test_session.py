"""Tasks side by side on one machine: whose turn it is, is a list that can be kept, taken again and shortened."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import khosim
from khosim import KernelPanic, Livelock, MachineConfig, MachineGone, UsageError
from khosim.run.scheduler import Choice
from khosim.state import page_cache
from khosim.state.blocks import load_block
from khosim.user.machine import session
from khosim.user.session import Session

KHO = khosim.MFD_KHO
READ = ("pread", (3, 64, 0))


def restored():
    """A session whose file has one block that no task has brought back since the kexec."""
    stage = session(MachineConfig(), {})
    stage.call("memfd_create", "guest", KHO)
    stage.call("pwrite", 3, 64, b"A" * 64, 0)
    stage.call("kexec")
    assert stage.call("memfd_create", "guest", KHO) == 3
    return stage


def turns(text):
    """`a b*3` as choices."""
    found = []
    for word in text.split():
        task, _, times = word.partition("*")
        found += [Choice(task)] * int(times or 1)
    return found


def test_a_call_is_a_run_of_one_task():
    """Its result is the kernel's: a number, a negative errno, or bytes with one."""
    stage = restored()
    assert stage.call("pread", 3, 3, 0) == (b"AAA", 0)
    assert stage.call("pread", 9, 3, 0) == (b"", -9)
    assert stage.call("close", 9) == -9


def test_tasks_give_their_results_in_order():
    """Each task makes its calls one after the other."""
    stage = restored()
    done = stage.together({"a": [READ, ("pwrite", (3, 1, b"B", 0)), READ], "b": [("fstat", (3,))]})
    assert done["a"][:2] == [(b"A" * 64, 0), 1]
    assert done["a"][2] == (b"B" + b"A" * 63, 0)
    assert done["b"][0][0] == 64


def reading_together(choices):
    stage = restored()
    found = stage.together({"a": [READ], "b": [READ]}, choices)
    return stage, found


def test_two_readers_of_one_block_in_turn_are_fine():
    """B02 needs both to look before either has inserted the page."""
    stage, found = reading_together([])
    assert found == {"a": [(b"A" * 64, 0)], "b": [(b"A" * 64, 0)]}
    assert stage.complaints == []


def losing_choices():
    """The shortest list `b` n times, then `a` to its end, on which a reader loses the page of the other (B02)."""
    for count in range(1, 60):
        try:
            reading_together(turns(f"b*{count}"))
        except (Livelock, KernelPanic) as failure:
            return turns(f"b*{count}"), failure
    raise AssertionError


def test_two_readers_of_one_block_can_meet_so_that_the_loser_tears_down_the_winners_page():
    """B02: both claim the block, the second to insert fails, and frees block, bit and page of the first."""
    choices, failure = losing_choices()
    stage = restored()
    kho, frame = stage.machine.inode.kho[0], load_block(stage.machine, stage.machine.inode.kho[0], 0) // 64
    trace = stage.record("B02")
    with pytest.raises(type(failure)):
        stage.together({"a": [READ], "b": [READ]}, choices)
    names = [(moment.task, moment.step.name) for moment in trace[1:]]
    winner = next(task for task, name in names if name == "cache_add")
    loser = next(task for task, name in names if name == "add_conflict")
    assert {winner, loser} == {"a", "b"}
    assert load_block(trace[-1].snapshot, kho, 0) == 0
    assert not trace[-1].snapshot.bits[frame]
    assert trace.why("block", index=0).call == "pread(3, 64, 0)"
    assert page_cache.load(trace[-1].snapshot, 0, 0) == frame
    assert trace[trace.why("bit", pfn=frame).t].task == loser


def test_the_list_of_choices_is_the_bug_report():
    """Taken again it ends the same way, at the same step, in the same state."""
    choices, failure = losing_choices()
    seen = []
    for _ in range(2):
        stage = restored()
        with pytest.raises(type(failure), match=r"refcount 0|VM_BUG_ON|repeating"):
            stage.together({"a": [READ], "b": [READ]}, choices)
        seen.append(stage.machine.snapshot().digest)
    assert seen[0] == seen[1]


@settings(derandomize=True, max_examples=80, deadline=None)
@given(st.data())
def test_two_readers_of_an_ordinary_file_never_disturb_each_other(data):
    """However they take turns, each reads what was written, the kernel has no complaint, no reference is left over."""
    stage = session(MachineConfig(), {})
    stage.call("memfd_create", "plain", 0)
    stage.call("pwrite", 3, 64, b"A" * 64, 0)
    run = stage.start({"a": [READ], "b": [READ, ("fstat", (3,))]})
    for _ in range(data.draw(st.integers(0, 40))):
        if able := run.choices():
            run.take(data.draw(st.sampled_from(able)))
    found = run.finish()
    assert found["a"][0] == found["b"][0] == (b"A" * 64, 0)
    assert stage.complaints == []
    assert stage.machine.page.refcount[page_cache.load(stage.machine, 0, 0)] == 1


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.data())
def test_a_locked_inode_makes_writers_wait(data):
    """Two writes of one place, in any order of steps: the file holds one of them whole, never a mixture."""
    stage = session(MachineConfig(), {})
    stage.call("memfd_create", "plain", 0)
    stage.call("pwrite", 3, 1, b"-", 0)
    writes = {name: [("pwrite", (3, 130, name.encode() * 130, 0))] for name in "ab"}
    run = stage.start(writes)
    for _ in range(data.draw(st.integers(0, 60))):
        if able := [choice for choice in run.choices() if not choice.answer]:
            run.take(data.draw(st.sampled_from(able)))
    assert run.finish() == {"a": [130], "b": [130]}
    assert stage.call("pread", 3, 200, 0)[0] in (b"a" * 130, b"b" * 130)


def test_no_more_choices_are_taken_than_the_tasks_need():
    """What is left of an iterator belongs to whoever comes next; also when there is nothing to run at all."""
    stage = restored()
    rest = iter(turns("cpu0*500"))
    assert stage.together({}, rest) == {}
    stage.together({"cpu0": [READ]}, rest)
    left = len(list(rest))
    assert 400 < left < 500


def test_a_choice_that_is_not_open_is_refused():
    """With those that are."""
    with pytest.raises(UsageError, match=r"c cannot happen here; what can: a, b"):
        reading_together(turns("c"))


def test_luck_is_asked_through_one_door():
    """Of a session or of one run; without it nothing interferes."""
    stage = session(MachineConfig(), {})
    stage.call("memfd_create", "plain", 0)
    asked = []

    def unlucky(question):
        asked.append((question.name, question.options))
        return question.options[-1]

    write = {"cpu0": [("pwrite", (3, 1, b"x", 0))]}
    assert stage.together(write, luck=unlucky) == {"cpu0": [-12]}
    assert asked == [("alloc", (0, -12))]
    stage.luck = unlucky
    assert stage.call("pwrite", 3, 1, b"x", 0) == -12
    del stage.luck
    stage.luck = lambda question: question.options[0]
    assert stage.call("pwrite", 3, 1, b"x", 0) == 1


def test_a_dead_kernel_makes_no_more_calls():
    """The words of its death are in the message."""
    choices, failure = losing_choices()
    stage = restored()
    with pytest.raises(type(failure)):
        stage.together({"a": [READ], "b": [READ]}, choices)
    assert stage.failure is not None
    with pytest.raises(MachineGone, match="this kernel is dead"):
        stage.call("fstat", 3)
    assert repr(stage) == "Session(kernel 2, dead)"


def test_a_session_can_begin_at_any_moment():
    """Its machine is the moment's; what it does changes neither the moment nor the machine it was taken of."""
    stage = restored()
    moment = stage.machine.snapshot()
    other = Session.at(moment, {}, stage.make)
    assert other.machine.snapshot() == moment
    assert other.call("pread", 3, 64, 0) == stage.call("pread", 3, 64, 0) == (b"A" * 64, 0)
    assert moment.inode.nrpages[0] == 0
    assert repr(other) == "Session(kernel 2, alive)"


def test_a_recording_of_two_tasks_knows_whose_step_each_was():
    """And which call it belongs to."""
    stage = restored()
    trace = stage.record("two")
    stage.together({"a": [READ], "b": [("fstat", (3,))]}, turns("a b a b"))
    stage.stop()
    assert {trace.calls[moment.call].task for moment in trace[1:] if moment.task == "b"} == {"b"}
    assert [(call.task, call.name) for call in trace.calls] == [("a", "pread"), ("b", "fstat")]
    again = trace._replay(trace, trace.choices)
    assert [moment.task for moment in again] == [moment.task for moment in trace]


def test_a_path_can_be_had_for_a_run_put_together_by_hand():
    """It has not started."""
    stage = restored()
    path = stage.path("fstat", 3)
    assert path.gi_code.co_name == "sys_fstat"
    assert not path.gi_suspended


def test_a_kexec_ends_every_other_task_where_it_is():
    stage = session(MachineConfig(), {})
    stage.call("memfd_create", "guest", KHO)
    run = stage.start({"cpu0": [("pwrite", (3, 64, b"x" * 64, 0))], "cpu1": [("kexec", ())]})
    for _ in range(4):
        run.take(Choice("cpu0"))
    while not run.tasks["cpu1"].done:
        run.take(Choice("cpu1"))
    assert run.done
    assert stage.machine.boots == 2


def test_a_choice_that_is_not_open_leaves_no_lock_behind():
    stage = session(MachineConfig(), {})
    stage.call("memfd_create", "guest", KHO)
    with pytest.raises(UsageError, match="cannot happen"):
        stage.together({"cpu0": [("pwrite", (3, 1, b"x", 0))]}, [Choice("cpu0"), Choice("cpu0"), Choice("cpu9")])
    assert not any(stage.machine.inode.rwsem)
    assert stage.call("pread", 3, 1, 0) == (b"x", 0)
