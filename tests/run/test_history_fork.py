"""Every moment with a choice can be gone on from differently, and the old future stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import khosim
from khosim import UsageError
from khosim.run.history import first_difference
from khosim.run.scheduler import Choice
from khosim.user.machine import session
from tests.run.recordings import recorded, states, story
from tests.user.programs import PROGRAMS


@settings(derandomize=True, max_examples=25, deadline=None)
@given(PROGRAMS, st.data())
def test_a_fork_shares_the_past_and_names_the_first_differing_step(ops, data):
    """Random programs, a random alternative of each: the old future stays, the new one can be replayed as well."""
    trace = recorded(ops)
    before = trace.digest
    open_at = [(t, choice) for t in range(len(trace)) for choice in trace.alternatives(t)]
    if not open_at:
        return
    t, choice = data.draw(st.sampled_from(open_at))
    other = trace.fork(t, choice)
    parent, first = other.parent
    assert parent is trace
    assert trace.digest == before
    assert first > t
    assert states(other)[:first] == states(trace)[:first]
    assert first in (len(trace), len(other)) or states(other)[first] != states(trace)[first]
    assert choice in other.choices[trace[t].position :]
    assert states(other._replay(other, other.choices)) == states(other)


def test_a_failing_allocation_is_another_future(trace):
    """`cpu0=-12` where memory was asked for: the write gets ENOMEM, and the old future is what it was."""
    asked = next(t for t in range(len(trace)) if "cpu0=-12" in map(str, trace.alternatives(t)))
    other = trace.fork(asked, "cpu0=-12")
    assert other.calls[1].result == -12
    assert other[other.parent[1]].step.name == "alloc_fail"
    assert trace.calls[1].result == 18
    assert other.calls[-1].result == (b"", 0)
    again = other.fork(asked, "cpu0")
    assert states(again) == states(trace)


def test_a_choice_that_was_not_open_is_refused_with_those_that_were(trace):
    """Nor can one fork to what happened, or to what is no choice at all."""
    asked = next(t for t in range(len(trace)) if trace.alternatives(t))
    with pytest.raises(UsageError, match=r"cpu9 was not open at moment \d+; .*: cpu0=-12"):
        trace.fork(asked, "cpu9")
    with pytest.raises(UsageError, match="beside what happened: nothing"):
        trace.fork(1, "cpu0")
    with pytest.raises(UsageError, match="task=answer such as cpu0=-12, not 'cpu0=x'"):
        trace.fork(asked, "cpu0=x")
    with pytest.raises(UsageError, match="has moments"):
        trace.fork(1000, "cpu0")


def test_a_fork_bears_its_own_title_and_opens_where_the_futures_part(trace):
    """Unless it is given one, the title says where that is."""
    asked = next(t for t in range(len(trace)) if "cpu0=-12" in map(str, trace.alternatives(t)))
    other = trace.fork(asked, "cpu0=-12")
    assert other.parent == (trace, other.start)
    assert other.title == f"{trace.title}, other future at step {other.start}"
    assert trace.fork(asked, "cpu0=-12", title="refused").title == "refused"
    assert trace.start == 0


def test_two_tasks_fork_into_another_order():
    """Whose turn it is is a choice as well; the other order has another first differing step."""
    stage = session(khosim.MachineConfig(), {})
    fd = stage.call("memfd_create", "guest", khosim.MFD_KHO)
    trace = stage.record("two")
    stage.together({"a": [("pwrite", (fd, 4, b"aaaa", 0))], "b": [("pwrite", (fd, 4, b"bbbb", 0))]})
    stage.stop()
    assert trace.alternatives(0) == [Choice("b")]
    other = trace.fork(0, "b")
    assert other.parent == (trace, 1)
    assert (trace[1].task, other[1].task) == ("a", "b")


def test_two_equal_histories_differ_nowhere(trace):
    """Or rather where the shorter ends."""
    assert first_difference(trace, story()) == len(trace)
