import numpy as np
import pytest

from khosim.errors import UsageError
from khosim.teach.answer import fitted, form, same, wrong_entry

WORDS = ("cache", "block", "bit")


@pytest.mark.parametrize(
    ("truth", "options", "said"),
    [
        (3, (), "a number"),
        (True, (), "True or False"),
        (b"ab", (), "some bytes, such as b'abc'"),
        ("bit", WORDS, "'cache' or 'block' or 'bit'"),
        ({"bit"}, WORDS, "a set of words, any of 'cache', 'block', 'bit'"),
        ([1, 2], (), "a list of 2, each a number"),
        ([1, None], (), "a list of 2, each a number, or None"),
        ({"a": True, "b": False}, (), "a dict with an entry for each of 'a', 'b', each True or False"),
    ],
)
def test_the_form_tells_how_to_answer_and_not_what(truth, options, said):
    assert form(truth, options) == said


@pytest.mark.parametrize(
    ("answer", "truth", "entry"),
    [
        (3, 3, None),
        (np.int64(3), 3, None),
        (4, 3, "your answer"),
        ([1, 5, 3], [1, 2, 3], 1),
        ((1, 2), [1, 2], None),
        ({"a": (1, 0), "b": (0, 0)}, {"a": [1, 0], "b": [0, 1]}, "b"),
        ([(1, 0), [0, 0]], [[1, 0], [0, 0]], None),
        ({"a": 1, "b": 0}, {"a": 1, "b": 2}, "b"),
        ({"bit"}, {"bit", "block"}, "block"),
        (["bit", "block"], frozenset({"bit", "block"}), None),
        (np.array([0, 0, 2]), [0, 1, 2], 1),
        (np.array([[1, 0], [0, 0]]), [[1, 0], [0, 0]], None),
        ({"a": np.True_, "b": np.False_}, {"a": True, "b": False}, None),
        (np.True_, True, None),
        (b"axc", b"abc", 1),
        (b"ab", b"abc", "its length"),
    ],
)
def test_the_entry_that_is_wrong_is_named(answer, truth, entry):
    assert wrong_entry(fitted(answer, truth), truth) == entry


@pytest.mark.parametrize(
    ("answer", "truth", "options", "said"),
    [
        ("3", 3, (), "write a number, not '3'; this did not count"),
        (True, 1, (), "write a number, not True"),
        (1, True, (), "write True or False, not 1"),
        ([1], [1, 2], (), "a list of 2, each a number"),
        ([1, ...], [1, 2], (), "with nothing left out"),
        ({"a": 1}, {"a": 1, "b": 2}, (), "an entry for each of 'a', 'b'"),
        ("cash", "cache", WORDS, "'cash' is not a choice here"),
        ({"cash"}, {"cache"}, WORDS, "'cash' is not a choice here"),
        ([[1]], {"bit"}, WORDS, "a set holds words or numbers"),
        ({None}, {"bit"}, WORDS, "write a set of words"),
        ({3}, {"bit"}, WORDS, "write a set of words"),
        ([None], {"bit"}, WORDS, "write a set of words"),
        ({"a": "1"}, {"a": 1}, (), "an entry for each of 'a', each a number, not {'a': '1'}"),
        ([1, None], [1, 2], (), "a list of 2, each a number"),
        ({"a": "1"}, {"a": [1]}, (), "an entry for each of 'a', each a list"),
        (np.array([1, 2]), 1, (), r"write a number, not \[1, 2\]"),
        (None, 1, (), "write a number, not None"),
        pytest.param(10**5000, b"a", (), "not this int", id="more digits than Python prints"),
        pytest.param("x" * 10**6, 1, (), r"x{79}\.\.\.;", id="longer than a line"),
    ],
)
def test_an_answer_of_another_form_is_refused_in_words(answer, truth, options, said):
    with pytest.raises(UsageError, match=said):
        fitted(answer, truth, options)


def test_true_is_not_one():
    assert same(np.int32(1), 1)
    assert not same(True, 1)
    assert not same([True], [2])
