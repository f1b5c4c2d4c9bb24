"""Who goes next: any generators over any buffer; nothing here knows what a kernel is."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khosim.errors import Deadlock, KernelFailure, KernelPanic, Livelock, UsageError
from khosim.run.scheduler import Choice, Run, no_luck
from khosim.steps import Choose, Retry, Step, Wait, Warn

CELLS = 8


class Board:
    """The smallest stage: a machine of eight bytes."""

    def __init__(self):
        self.machine = SimpleNamespace(buffer=np.zeros(CELLS, "u1"))
        self.watch = None
        self.heard = []

    def complain(self, words):
        self.heard.append(words.sentence)


def put(board, *places):
    """Store 1, 2, 3 ... at `places`, a step each."""
    for value, place in enumerate(places, 1):
        board.machine.buffer[place] = value
        yield Step("put", "{value} is at {place}.", value=value, place=place)
    return places


def is_set(machine, place):
    return bool(machine.buffer[place])


def wait_for(place, *, then=None, board=None):
    yield Wait(f"cell {place} is empty", is_set, place)
    if then is not None:
        board.machine.buffer[then] = 1
        yield Step("put", "Done.")
    return place


def spin(board, until=None, touch=None):
    """Go round; `touch` is a cell that is changed and restored on the way."""
    rounds = 0
    while until is None or not board.machine.buffer[until]:
        rounds += 1
        if touch is not None:
            for _ in range(2):
                board.machine.buffer[touch] ^= 1
                yield Step("touch", "Touched.")
        yield Retry("again", "nothing changes", round=rounds)
    yield Step("through", "Through.")
    return rounds


def ask(options=(0, -12), name="luck"):
    answer = yield Choose(name, options)
    yield Step("told", "Told {answer}.", answer=answer)
    return answer


def test_a_task_is_parked_before_its_first_line():
    """Making a run stores nothing; starting a task is a choice."""
    board = Board()
    run = Run(board, {"a": put(board, 0)})
    assert not board.machine.buffer.any()
    assert run.choices() == [Choice("a")]
    assert run.take(Choice("a")).sentence == "1 is at 0."
    assert run.take(Choice("a")) is None
    assert run.done
    assert run.choices() == []


def test_an_impossible_choice_is_refused_and_nothing_moves():
    """The message names what is possible."""
    board = Board()
    run = Run(board, {"a": put(board, 0), "b": ask(), "c": wait_for(5)})
    run.take(Choice("b"))
    run.take(Choice("c"))
    for wrong in (Choice("c"), Choice("d"), Choice("a", 1), Choice("b", 5)):
        with pytest.raises(UsageError, match=r"cannot happen here; what can: a, b, b=-12"):
            run.take(wrong)
    assert run.taken == [Choice("b"), Choice("c")]
    with pytest.raises(UsageError, match="nothing; the run is over"):
        Run(board, {}).take(Choice("a"))


def test_luck_answers_through_choose_only():
    """The options are choices; the answer reaches the path; whoever does not ask is told nothing."""
    board = Board()
    run = Run(board, {"a": ask((0, -12, -17))})
    run.take(Choice("a"))
    assert run.choices() == [Choice("a", 0), Choice("a", -12), Choice("a", -17)]
    assert run.take(Choice("a", -17)).sentence == "Told -17."
    assert run.finish() == {"a": -17}
    assert Run(board, {"a": ask()}).finish() == {"a": 0}
    assert Run(board, {"a": ask()}).finish(luck=lambda question: question.options[-1]) == {"a": -12}
    assert no_luck(Choose("x", (3, 4))) == 3


def test_a_choice_reads_as_it_is_written_in_a_report():
    """`cpu0`, or `cpu0=-12`."""
    assert [str(Choice("cpu0")), str(Choice("cpu1", -12))] == ["cpu0", "cpu1=-12"]


def test_a_waiting_task_cannot_be_chosen_until_its_condition_holds():
    """It goes on as soon as another task's store makes it true."""
    board = Board()
    run = Run(board, {"a": wait_for(3), "b": put(board, 2, 3)})
    run.take(Choice("a"))
    assert run.choices() == [Choice("b")]
    run.take(Choice("b"))
    run.take(Choice("b"))
    assert run.choices() == [Choice("a"), Choice("b")]
    assert run.finish() == {"a": 3, "b": (2, 3)}


def test_finish_lets_others_go_only_as_long_as_a_task_needs():
    """In the order of the tasks, and the results are theirs."""
    board = Board()
    run = Run(board, {"a": wait_for(1, then=4, board=board), "b": put(board, 0, 1, 2)})
    order = []
    board.watch = lambda _run, task, step: order.append((task, step.name))
    assert run.finish() == {"a": 1, "b": (0, 1, 2)}
    assert order == [("b", "put"), ("b", "put"), ("a", "put"), ("b", "put")]


def test_a_deadlock_names_every_waiter():
    """Each with its reason."""
    board = Board()
    run = Run(board, {"a": wait_for(1, then=2, board=board), "b": wait_for(2, then=1, board=board)})
    with pytest.raises(Deadlock, match=r"^a waits because cell 1 is empty; b waits because cell 2 is empty$"):
        run.finish()


def test_a_retry_with_nothing_changed_is_a_livelock_at_once():
    """Two rounds are enough to know; a thousand would tell no more."""
    run = Run(Board(), {"a": spin(Board())})
    with pytest.raises(Livelock, match="nothing changes"):
        run.finish()
    assert len(run.taken) == 2


def test_a_task_that_goes_round_is_freed_by_another_tasks_store():
    """As long as another can act, going round is only waiting."""
    board = Board()
    run = Run(board, {"a": spin(board, until=5), "b": put(board, 4, 5)})
    assert run.finish()["a"] >= 2


def test_a_spinner_that_was_given_up_may_be_freed_by_choices_too():
    """While nothing changes it is no choice; after a store it is one again."""
    board = Board()
    run = Run(board, {"a": spin(board, until=5), "b": put(board, 5)})
    run.take(Choice("a"))
    run.take(Choice("a"))
    assert run.choices() == [Choice("b")]
    run.take(Choice("b"))
    assert Choice("a") in run.choices()


def test_bad_luck_twice_is_no_livelock():
    """A task that luck alone keeps back goes on when luck relents; if it never does, that is found out too."""

    def hungry():
        while (yield Choose("alloc", (0, -12))):
            yield Retry("again", "no memory")
        yield Step("fed", "Fed.")

    bad = iter([-12] * 50)
    assert Run(Board(), {"a": hungry()}).finish(luck=lambda _question: next(bad, 0)) == {"a": None}
    with pytest.raises(Livelock, match="no memory"):
        Run(Board(), {"a": hungry()}).finish(luck=lambda _question: -12)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@settings(derandomize=True, max_examples=25, deadline=None)
@given(data=st.data())
def test_spinners_that_disturb_each_other_are_a_livelock_and_not_a_hang(count, data):
    """Each changes and restores a cell on its way, so each sees the others' steps; wherever they stand at first."""
    board = Board()
    run = Run(board, {str(n): spin(board, touch=n) for n in range(count)})
    for _ in range(data.draw(st.integers(0, 20))):
        if able := run.choices():
            run.take(data.draw(st.sampled_from(able)))
    with pytest.raises(Livelock):
        run.finish()
    assert len(run.taken) < 2000


def tasks(board):
    return {
        "a": put(board, 0, 1, 2),
        "b": wait_for(1, then=6, board=board),
        "c": ask(),
        "d": spin(board, until=6),
        "e": put(board, 2, 1, 0),
    }


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.data())
def test_the_same_choices_give_the_same_run(data):
    """Any way through, taken again, shows the same events, states and results; the order of choices() too."""
    board = Board()
    run = Run(board, tasks(board), mark=True)
    seen = []
    while able := run.choices():
        assert len(set(able)) == len(able)
        event = run.take(data.draw(st.sampled_from(able)))
        seen.append((repr(event), board.machine.buffer.tobytes(), run.choices()))
    assert run.done
    board = Board()
    again = Run(board, tasks(board))
    for choice, expected in zip(run.taken, seen, strict=True):
        assert (repr(again.take(choice)), board.machine.buffer.tobytes(), again.choices()) == expected
    assert [t.result for t in again.tasks.values()] == [t.result for t in run.tasks.values()]
    for at, able in run.points.items():
        assert run.taken[at] in able
        assert len(able) > 1


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.data())
def test_finish_takes_choices_that_can_be_taken_again(data):
    """What finish() decided by itself is written down like everything else."""
    board = Board()
    run = Run(board, tasks(board))
    for _ in range(data.draw(st.integers(0, 12))):
        if able := run.choices():
            run.take(data.draw(st.sampled_from(able)))
    run.finish()
    other = Board()
    again = Run(other, tasks(other))
    for choice in run.taken:
        again.take(choice)
    assert again.done
    assert (other.machine.buffer == board.machine.buffer).all()


def test_complaints_are_heard_and_steps_are_watched():
    """A Warn is both; a Choose and a Wait are neither."""
    board = Board()
    board.machine.buffer[1] = 1
    watched = []
    board.watch = lambda run, task, step: watched.append((task, step.name, len(run.taken)))

    def path():
        yield Step("one", "One.")
        yield Choose("x", (0, 1))
        yield Wait("w", is_set, 1)
        yield Warn("two", "BUG")

    Run(board, {"a": path()}).finish()
    assert board.heard == ["BUG"]
    assert watched == [("a", "one", 1), ("a", "two", 4)]


def test_what_a_path_raises_comes_through_with_its_choice_written_down():
    """The last choice is the one that killed it."""
    board = Board()

    def path():
        yield Step("one", "One.")
        raise KernelPanic("words of the kernel")

    run = Run(board, {"a": path()})
    with pytest.raises(KernelFailure, match="words of the kernel"):
        run.finish()
    assert run.taken == [Choice("a"), Choice("a")]


def test_reprs_hold_no_address():
    """Neither a run's nor a task's."""
    board = Board()
    run = Run(board, {"a": put(board, 0)})
    assert repr(run) == "Run(0 choices taken, 0 of 1 task(s) done)"
    assert " at 0x" not in repr(run.tasks)


def forever():
    while True:
        yield Step("again", "Again.")


def words():
    yield "hello"


def test_a_path_that_never_ends_is_a_livelock_and_not_a_hang():
    run = Run(Board(), {"cpu0": forever()})
    with pytest.raises(Livelock, match="200,000 steps"):
        run.finish()


def test_what_is_no_event_is_refused_in_words_that_teach():
    with pytest.raises(UsageError, match=r"yields Step.*not 'hello'"):
        Run(Board(), {"cpu0": words()}).finish()
