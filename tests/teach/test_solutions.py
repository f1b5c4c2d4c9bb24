import pytest

import khosim
from khosim.run.history import History
from khosim.teach import solution
from khosim.teach.solutions import SOLUTIONS
from khosim.teach.task import TASKS


def recorded(program):
    """A program's run on a machine as it comes, or the run that a solution has recorded itself."""
    m = khosim.boot()
    with m.record("a solution") as trace:
        made = program(m)
    return made if isinstance(made, History) else trace


def test_every_solution_is_of_an_exercise():
    assert set(SOLUTIONS) == set(TASKS)


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_what_is_shown_as_a_solution_passes_when_it_is_pasted(task):
    found, text = SOLUTIONS[task.name], str(solution(task.name))
    if task.grade == 4:
        assert 60 <= len(text.split()) <= 220
        answer = "These are the thoughts of somebody who has read the chapter."
    else:
        cell = {}
        exec(compile(text, "<cell>", "exec"), cell)  # noqa: S102 - it is our own
        answer = cell[found.__name__]
        if task.grade == 2:
            answer = recorded(answer)
    assert task.judge(answer).right


@pytest.mark.parametrize("task", [t for t in TASKS.values() if t.grade == 2], ids=lambda task: task.name)
def test_a_run_in_which_nothing_happens_is_no_answer(task):
    assert not task.judge(recorded(lambda m: m.os.memfd_create("nothing"))).right
