from itertools import pairwise

import pytest

from khosim.errors import UsageError
from khosim.teach.question import QUESTIONS, ask
from khosim.variants.mistakes import MISTAKES
from tests.teach import desk

pytestmark = pytest.mark.usefixtures("asked")


def test_the_models_answer_is_right_and_every_other_is_not():
    question = QUESTIONS["first-byte"]
    for seed in range(20):
        truth = question.truth(question.case(seed))
        assert question.judge(seed, truth).right
        assert not question.judge(seed, truth + b"!").right


def test_seeds_side_by_side_have_different_instances_and_keep_them():
    question = QUESTIONS["size-by-hand"]  # of nine
    programs = [question.case(seed).program for seed in range(100)]
    assert all(one != other for one, other in pairwise(programs))
    assert programs == [question.case(seed).program for seed in range(100)]
    assert len({*programs}) == 9


def test_a_question_of_one_instance_has_it_for_every_seed():
    ask(chapter=99, objective=1)(desk.only_one)
    assert [QUESTIONS["only-one"].case(seed).asks for seed in range(4)] == ["**Is it?**"] * 4


def test_an_answer_is_computed_by_the_model_of_the_day():
    """Nothing is stored: another kernel, another answer."""
    question = QUESTIONS["first-byte"]
    case = question.case(0)
    assert question.under(case, "forget-the-block") == b"\0"
    assert question.truth(case) == b"x"


def test_a_planted_mistake_is_told_apart_by_its_name():
    verdict = QUESTIONS["first-byte"].judge(0, b"\0")
    assert verdict.belief == "forget-the-block"
    assert MISTAKES["forget-the-block"].belief in verdict.words


def test_a_misreading_is_told_apart_by_its_words():
    verdict = QUESTIONS["first-byte"].judge(0, b"?")
    assert verdict.belief == "the page cache crosses empty"


def test_feedback_names_the_entry_and_the_rule_and_not_the_answer():
    question = QUESTIONS["cached-pages"]
    truth = question.truth(question.case(0))
    wrong = dict.fromkeys(truth, True)
    first, second = question.judge(0, wrong), question.judge(0, wrong, hint=2)
    assert "'page 0'" in first.words
    assert "Rule: page 0 is put back when it is used." in first.words
    assert "Press End." not in first.words
    assert "Press End." in second.words
    assert repr(truth) not in second.words


def test_a_kernel_that_dies_answers_nothing(monkeypatch):
    def dies(m, ino, index, sgp):
        raise RuntimeError
        yield

    monkeypatch.setitem(MISTAKES["forget-the-block"].paths, "shmem_alloc_kho_folio", dies)
    question = QUESTIONS["first-byte"]
    assert question.under(question.case(0), "forget-the-block") == "no answer"


def test_an_answer_of_another_form_does_not_count():
    with pytest.raises(UsageError, match="some bytes"):
        QUESTIONS["first-byte"].judge(0, 3)


def test_a_name_is_given_once():
    with pytest.raises(TypeError, match="first-byte"):
        ask(chapter=1, objective=1)(desk.first_byte)


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("first-byte", b"", "something else for 'its length'."),
        ("size-by-hand", 77, "something else.\n"),
        ("cached-pages", {"page 0": True, "page 1": True}, "something else for 'page 0'."),
    ],
)
def test_the_place_of_a_slip_is_told_in_words(name, wrong, said):
    assert said in QUESTIONS[name].judge(0, wrong).words
