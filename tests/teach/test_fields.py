import json

import ipywidgets as w
import pytest

from khosim.show.widget import Stepper
from khosim.teach import check_yourself, exercise, predict
from khosim.teach.fields import Fields
from khosim.teach.progress import Progress

VIEW = "application/vnd.jupyter.widget-view+json"
pytestmark = pytest.mark.usefixtures("asked")


def press(fields, name):
    def find(box):
        for child in box.children:
            if isinstance(child, w.Button) and child.description == name:
                yield child
            elif isinstance(child, w.Box):
                yield from find(child)

    next(find(fields)).click()


def fill(fields, entry, typed):
    fields.input.entries[entry].value = typed


def state(widget):
    """All that the browser is sent for a widget and what it holds."""
    return json.dumps([widget.get_state(), *(state(child) for child in getattr(widget, "children", ()))], default=str)


def test_an_answer_in_the_field_is_judged():
    fields = Fields(predict("first-byte"))
    fill(fields, None, "b'x'")
    press(fields, "Check")
    assert "Right" in fields.said.value
    assert Progress().right == {"first-byte": [0]}


def test_a_second_wrong_answer_is_told_where_to_look():
    fields = Fields(predict("first-byte"))
    fill(fields, None, "b'q'")
    press(fields, "Check")
    assert "Where to look" not in fields.said.value
    press(fields, "Check")
    assert "Where to look" in fields.said.value


@pytest.mark.parametrize(
    ("typed", "said"),
    [("", "Nothing stands yet in Answer"), *((typed, "Answer: write some bytes") for typed in ("x", "(", "3"))],
)
def test_what_cannot_be_read_is_answered_and_does_not_count(typed, said):
    fields = Fields(predict("first-byte"))
    fill(fields, None, typed)
    press(fields, "Check")
    assert said in fields.said.value
    assert "did not count" in fields.said.value
    assert not Progress().path.exists()


def test_another_one_has_an_empty_field_and_the_next_seed():
    fields = Fields(predict("first-byte"))
    fill(fields, None, "b'q'")
    press(fields, "Check")
    press(fields, "Another one")
    assert (fields.card.seed, fields.input.entries[None].value, fields.said.value) == (1, "", "")
    assert "seed=1" in fields.words.value


def test_the_run_is_shown_on_request_and_not_before():
    fields = Fields(predict("first-byte"))
    assert not fields.run.children
    press(fields, "Show the run")
    assert isinstance(fields.run.children[0], Stepper)


def test_a_table_has_a_field_for_each_entry():
    fields = Fields(predict("cached-pages"))
    press(fields, "Check")
    assert "Nothing stands yet in page 0, page 1." in fields.said.value
    fill(fields, "page 0", "False")
    fill(fields, "page 1", "True")
    press(fields, "Check")
    assert "Right" in fields.said.value


def test_the_browser_is_sent_no_answer():
    """The same fields, whatever the answer is: what is sent does not depend on it."""
    case = predict("first-byte").item
    before = state(Fields(predict("first-byte")))
    case._known.update(dict.fromkeys(case._known, b"other"))
    assert state(Fields(predict("first-byte"))).count("other") == before.count("other")


def test_an_exercise_without_a_program_has_no_field_but_thoughts_have():
    assert not [child for child in Fields(exercise("two-kexecs")).children if isinstance(child, w.HBox)]
    fields = Fields(exercise("who-pays"))
    fields.input.value = "too short"
    press(fields, "Check")
    assert "8 words" in fields.said.value


def test_a_deck_has_fields_for_each_of_its_cards():
    bundle = check_yourself(99)._repr_mimebundle_()
    assert VIEW in bundle
    assert "text/html" in bundle
    assert repr(Fields(predict("first-byte"))) == "Fields('first-byte', seed 0)"
