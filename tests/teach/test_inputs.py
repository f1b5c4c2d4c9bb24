import re

import ipywidgets as w
import pytest

from khosim.errors import UsageError
from khosim.teach.answer import fitted
from khosim.teach.inputs import Inputs

WORDS = ("cache", "block", "bit")


@pytest.mark.parametrize(
    ("truth", "options", "typed", "answer"),
    [
        (7, (), {None: "0x10"}, 16),
        (b"ab", (), {None: "b'xy'"}, b"xy"),
        (True, (), {None: "False"}, False),
        ("bit", WORDS, {None: "cache"}, "cache"),
        ({"bit"}, WORDS, {"block": True, "bit": True}, {"block", "bit"}),
        (frozenset({"bit"}), WORDS, {}, set()),
        ([1, 2], (), {0: "3", 1: "4"}, [3, 4]),
        ({"a": True, "b": False}, (), {"a": "False", "b": "True"}, {"a": False, "b": True}),
        ({"a": "bit"}, WORDS, {"a": "cache"}, {"a": "cache"}),
        ({"a": None, "b": [1]}, (), {"a": "None", "b": "[1, 2]"}, {"a": None, "b": [1, 2]}),
    ],
)
def test_what_is_typed_or_picked_is_the_answer(truth, options, typed, answer):
    inputs = Inputs(truth, options)
    for entry, value in typed.items():
        inputs.entries[entry].value = value
    assert inputs.read() == answer
    assert fitted(inputs.read(), truth, options) == answer


@pytest.mark.parametrize("typed", ["x", "(", "1 +", "open('f')", "b'1'", "[1]", "True"])
def test_what_is_no_answer_is_refused_by_the_name_of_its_input(typed):
    inputs = Inputs({"page 0": 3, "page 1": 4}, ())
    inputs.entries["page 0"].value, inputs.entries["page 1"].value = "1", typed
    with pytest.raises(UsageError, match=rf"page 1: write a number, not {re.escape(typed)}\. This did not count"):
        inputs.read()


def test_every_input_that_is_still_empty_is_named():
    inputs = Inputs([1, 2, 3], ())
    inputs.entries[1].value = "3"
    with pytest.raises(UsageError, match="Nothing stands yet in 0, 2"):
        inputs.read()


def test_two_truths_of_one_form_have_the_same_inputs():
    def sent(truth):
        return [field.get_state()["description"] for field in Inputs(truth, ()).entries.values()]

    assert sent([1, 2]) == sent([8, 9])
    assert all(isinstance(field, w.Text) and not field.value for field in Inputs([1, 2], ()).entries.values())
