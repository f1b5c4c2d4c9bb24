import pytest

from khosim.errors import UsageError
from khosim.teach import check_yourself, exercise, names, predict, progress, solution
from khosim.teach.progress import decoded
from khosim.teach.solutions import SOLUTIONS
from khosim.variants import REPAIRS

pytestmark = pytest.mark.usefixtures("asked")


@pytest.mark.parametrize(
    ("verb", "name", "said"),
    [
        (predict, "first-bite", "did you mean 'first-byte'"),
        (predict, "zzz", "there are: first-byte, cached-pages"),
        (predict, "two-kexecs", r"asked by exercise\('two-kexecs'\)"),
        (predict, "size-by-hand", r"asked by exercise"),
        (exercise, "first-byte", r"asked by predict\('first-byte'\)"),
        (solution, "first-byte", r"asked by predict"),
        (check_yourself, 7, "chapter 7 has no closing questions; there are those of 99"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_one(verb, name, said):
    with pytest.raises(UsageError, match=said):
        verb(name)


def test_there_are_two_levels_of_help():
    with pytest.raises(UsageError, match="hint is 1 or 2"):
        predict("first-byte", b"", hint=3)
    with pytest.raises(UsageError, match="a hint to a prediction is about an answer"):
        predict("first-byte", hint=2)
    assert "Where to look" not in repr(predict("first-byte", b""))
    assert "Where to look" in repr(predict("first-byte", b"", hint=2))
    assert "More help" not in repr(predict("first-byte", b"", hint=2))


def test_an_exercise_by_hand_has_seeds():
    assert exercise("size-by-hand", 1).verdict.right
    assert exercise("size-by-hand") is not None


def test_progress_counts_by_chapter_and_fits_a_code():
    predict("first-byte", b"x")
    predict("cached-pages", {"page 0": True, "page 1": True})
    report = progress()
    assert report.chapters == {99: (1, 6)}
    assert repr(report).splitlines()[0] == "chapter 99  #.....  1 of 6"
    assert decoded(report.code, names()) == {"first-byte"}


def test_a_solution_is_shown_on_request(monkeypatch):
    monkeypatch.setitem(SOLUTIONS, "who-pays", "Whoever comes first.")
    monkeypatch.setitem(SOLUTIONS, "mirror-the-size", REPAIRS["B24"]["i_size_write"])
    assert repr(solution("who-pays")) == "Whoever comes first."
    assert "def i_size_write_mirrored" in solution("mirror-the-size")
    assert solution("size-by-hand").startswith("The model answers: 1")
