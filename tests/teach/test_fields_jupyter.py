"""A question's fields in JupyterLab, by keyboard, with a live kernel."""

import json

import pytest

from khosim.teach.question import QUESTIONS
from tests.browser import opened
from tests.show.lab import Notebook, notebook, server

QUIET = {"debug", "info", "log", "warning"}
PICKED, TYPED = "one-flipped-bit", "frames-kept-out"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with server(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture(scope="module")
def tab(browser, lab):
    address, root = lab
    notebook(root / "cards.ipynb", "from khosim.teach import predict", f"predict({PICKED!r})", f"predict({TYPED!r})")
    with opened(browser, f"{address}lab", 1200, ".jp-LabShell", QUIET) as page:
        page.set_default_timeout(20_000)
        page.evaluate("() => jupyterapp.restored.then(() => null)")
        tab = Notebook(page, "cards.ipynb")
        tab.run_all()
        yield tab


def truth(name):
    question = QUESTIONS[name]
    return question.truth(question.case(0))


def test_a_word_is_picked_and_judged_by_keyboard(tab):
    place, right = tab.output(2), truth(PICKED)
    options = QUESTIONS[PICKED].case(0).options
    for word, said in ((next(o for o in options if o != right), "Not yet"), (right, "Right")):
        place.get_by_role("radio", name=word).focus()
        tab.page.keyboard.press("Space")
        place.get_by_role("button", name="Check").focus()
        tab.page.keyboard.press("Enter")
        place.get_by_role("status").filter(has_text=said).wait_for()


def test_a_number_is_typed_and_the_next_instance_has_an_empty_field(tab):
    place = tab.output(3)
    field = place.get_by_label("Answer")
    field.fill(str(truth(TYPED)))
    place.get_by_role("button", name="Check").click()
    place.get_by_role("status").filter(has_text="Right").wait_for()
    place.get_by_role("button", name="Another one").click()
    place.get_by_text("seed=1").wait_for()
    assert place.get_by_label("Answer").input_value() == ""


def test_the_run_is_shown_as_a_stepper(tab):
    place = tab.output(2)
    place.get_by_role("button", name="Show the run").click()
    place.locator(".kho").wait_for()


def test_what_was_right_is_kept_beside_the_notebook(tab, lab):
    test_a_word_is_picked_and_judged_by_keyboard(tab)
    kept = json.loads((lab[1] / "khosim-progress.json").read_text())
    assert 0 in kept["right"][PICKED]
