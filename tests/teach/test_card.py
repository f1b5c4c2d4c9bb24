import re

import pytest

from khosim.errors import UsageError
from khosim.run.history import History
from khosim.teach import check_yourself, exercise, predict
from khosim.teach.progress import Progress

pytestmark = pytest.mark.usefixtures("asked")


def test_a_card_says_the_same_as_text_and_as_html():
    card = predict("first-byte")
    bundle = card._repr_mimebundle_()
    assert bundle["text/plain"] == repr(card)
    for words in ("One byte is written.", "m.os.pread(fd, 1, 64)", "some bytes, such as"):
        assert words in bundle["text/plain"]
        assert words in bundle["text/html"]
    assert "predict('first-byte', ...)" in repr(card)


def test_no_card_holds_an_answer():
    """A kernel that gives another answer makes the same card."""
    card = predict("first-byte")
    text = repr(card) + card.html()
    assert "khosim-card-said" not in text
    assert not re.search(r"\bx\b(?!')", re.sub(r"b&#x27;x&#x27;|b'x'", "", text).replace("in place of", ""))


def test_html_needs_no_script_and_names_itself_to_a_screen_reader():
    html = exercise("two-kexecs").html()
    assert '<section class="khosim-card" aria-label="Exercise: change the program, two-kexecs">' in html
    assert html.count("<details><summary>Hint") == 2
    assert "<script" not in html
    assert "style=" not in html


def test_what_stands_in_a_question_is_no_html():
    card = predict("first-byte", b"<b>")
    assert "&lt;b&gt;" not in card.html()
    assert "<b>" not in card.html()


def test_an_answer_is_judged_noted_and_followed_by_another_instance():
    card = predict("first-byte", b"x")
    assert card.verdict.right
    assert "Another one: predict('first-byte', seed=1)" in repr(card)
    assert "Right: the model gives the same." in card.html()
    assert Progress().right == {"first-byte": [0]}


def test_a_wrong_answer_is_offered_more_help_and_the_run():
    card = predict("first-byte", b"\0", seed=2)
    assert "hint=2" in repr(card)
    assert "predict('first-byte', seed=2).play()" in repr(card)
    assert Progress().right == {}
    assert Progress().tries == {"first-byte": 1}


def test_the_hints_of_an_exercise_are_shown_when_asked_for():
    assert "Hint 1" not in repr(exercise("two-kexecs"))
    assert "Hint 1: one" in repr(exercise("two-kexecs", hint=1))
    assert "Hint 2" not in repr(exercise("two-kexecs", hint=1))
    assert "Hint 2: two" in repr(exercise("two-kexecs", hint=2))
    assert exercise("two-kexecs", hint=1).html().count("<details open>") == 1
    assert Progress().tries == {}


def test_a_wrong_answer_to_an_exercise_is_offered_its_next_hint():
    assert "More help: hint=1" in repr(exercise("size-by-hand", -1))
    assert "More help: hint=2" in repr(exercise("size-by-hand", -1, hint=1))
    assert "More help" not in repr(exercise("size-by-hand", -1, hint=2))


def test_looking_at_a_card_notes_nothing():
    repr(predict("first-byte"))
    predict("first-byte").play()
    check_yourself(99)
    assert not Progress().path.exists()


def test_play_gives_the_recording_of_what_is_shown():
    trace = predict("first-byte", seed=3).play()
    assert isinstance(trace, History)
    assert len(trace.kexecs) == 1
    with pytest.raises(UsageError, match="no program of its own"):
        exercise("two-kexecs").play()


@pytest.mark.parametrize("seed", [-1, 1.5, "a", True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(UsageError, match="seed is a whole number"):
        predict("first-byte", seed=seed)


def test_a_deck_holds_the_closing_questions_alone():
    deck = check_yourself(99, seed=2)
    assert [card.item.name for card in deck.cards] == ["cached-pages"]
    assert repr(deck) == repr(predict("cached-pages", seed=2)).replace("Predict", "Question 1 of 1")
    assert deck._repr_mimebundle_()["text/html"] == deck.cards[0].html()
