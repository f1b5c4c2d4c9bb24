import re
from html import unescape

import pytest

import khosim
from khosim.errors import UsageError
from khosim.steps import PATHS, Step
from khosim.teach import exercise
from khosim.teach.solutions import SOLUTIONS
from khosim.teach.task import TASKS, discuss
from khosim.variants import REPAIRS
from tests.teach import desk

pytestmark = pytest.mark.usefixtures("asked")


def recorded(kexecs, **shape):
    m = khosim.boot(**shape)
    with m.record("mine") as trace:
        for _ in range(kexecs):
            m = m.kexec()
    return trace


def test_a_run_is_judged_by_its_properties_and_given_back_where_it_fails():
    wrong = TASKS["two-kexecs"].judge(trace := recorded(1))
    assert not wrong.right
    assert "1 kexecs" in wrong.words
    assert wrong.trace is trace
    assert trace.start == trace.steps
    assert TASKS["two-kexecs"].judge(recorded(2)).right


def test_a_run_of_another_kernel_is_no_answer():
    with pytest.raises(UsageError, match="the kernel as posted: boot without 'i_size_write'"):
        TASKS["two-kexecs"].judge(recorded(2, variants=REPAIRS["B24"]))


def test_a_program_to_start_from_records_a_run():
    names = {}
    exec(TASKS["two-kexecs"].start, names)  # noqa: S102 - as a reader does
    assert not TASKS["two-kexecs"].judge(names["trace"]).right


def test_the_posted_kernel_gets_the_shortest_counterexample():
    posted = PATHS["i_size_write"]

    def as_posted(m, ino, size):
        yield from posted(m, ino, size)

    verdict = TASKS["mirror-the-size"].judge(as_posted)
    assert not verdict.right
    assert [call.text.partition("(")[0] for call in verdict.trace.calls] == ["memfd_create", "ftruncate"]
    assert verdict.trace.start == verdict.trace.steps > 0, "it opens where what is wrong can be seen"
    assert "64 bytes, its KHO inode remembers 0" in verdict.words


def test_the_code_to_start_from_is_the_posted_path_and_stands_on_the_card():
    start = TASKS["mirror-the-size"].start
    exec(start, names := {})  # noqa: S102 - as a reader does
    mine, posted = names["i_size_write"], TASKS["mirror-the-size"].judge(PATHS["i_size_write"])
    assert TASKS["mirror-the-size"].judge(mine).words == posted.words
    for said in (repr(exercise("mirror-the-size")), unescape(exercise("mirror-the-size").html())):
        for line in start.splitlines():
            assert line in said


def test_how_to_answer_ends_in_one_colon():
    for name in ("two-kexecs", "mirror-the-size", "who-pays"):
        assert "::" not in exercise(name).html()
        assert not re.search(r":\W+: ", exercise(name).html())


def test_a_repair_is_right_after_every_program():
    verdict = TASKS["mirror-the-size"].judge(REPAIRS["B24"])
    assert verdict.right
    assert "7 programs" in verdict.words  # none, two of one line, four of two
    assert exercise("mirror-the-size", REPAIRS["B24"]["i_size_write"]).verdict.right


def test_a_slip_in_the_readers_function_comes_with_its_program():
    def slips(m, ino, size):
        yield Step("x", "x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        TASKS["mirror-the-size"].judge(slips)
    assert "ftruncate" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("two-kexecs", 3, "with m.record"),
        ("mirror-the-size", {"kernel_kexec": None}, "about i_size_write; leave out kernel_kexec"),
        ("mirror-the-size", 3, "must be a function that yields steps"),
        ("mirror-the-size", len, "must be a function that yields steps"),
        ("who-pays", "me", "8 words or more"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_words(name, answer, said):
    with pytest.raises(UsageError, match=said):
        TASKS[name].judge(answer)


def test_thoughts_are_answered_with_ours(monkeypatch):
    monkeypatch.setitem(SOLUTIONS, "who-pays", "The first toucher.")
    verdict = TASKS["who-pays"].judge("Whoever touches the page first will have to pay.")
    assert verdict.right
    assert "The first toucher." in verdict.words


def test_a_name_is_given_once():
    with pytest.raises(TypeError, match="who-pays"):
        discuss(chapter=1, objective=1, hints=("", ""))(desk.who_pays)
