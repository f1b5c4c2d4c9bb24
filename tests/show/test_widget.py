import re
import subprocess
import sys

import pytest

from khosim import UsageError, show
from tests.show.fakes import story

WIDGET = "application/vnd.jupyter.widget-view+json"


def test_the_bundle_has_text_html_and_the_widget():
    pytest.importorskip("anywidget")
    bundle = show.mimebundle(story())
    assert set(bundle) == {"text/plain", "text/html", WIDGET}
    assert bundle["text/plain"] == show.plain(story())


def test_the_bundle_is_the_same_every_time_but_for_the_model():
    first, second = show.mimebundle(story()), show.mimebundle(story())
    assert {**first, WIDGET: 0} == {**second, WIDGET: 0}


def test_the_bundle_works_without_anywidget(monkeypatch):
    monkeypatch.setattr(show, "find_spec", lambda _: None)
    assert set(show.mimebundle(story())) == {"text/plain", "text/html"}


def test_html_keeps_to_what_a_notebook_lets_through():
    html = show.mimebundle(story())["text/html"]
    tags = set(re.findall(r"<(\w+)", html))
    assert tags <= {
        "p",
        "strong",
        "code",
        "details",
        "summary",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "pre",
    }
    assert not re.search(r"\b(style|class|id|on\w+)=", html)
    assert "A new kernel runs." in html
    assert "Violated: No stale block" in html


def test_a_stepper_says_what_it_shows_without_an_address():
    pytest.importorskip("anywidget")
    history = story()
    widget = show.stepper(history, t=3)
    assert repr(widget) == f"Stepper('pages that survive', 45 steps, digest {history.digest})"
    assert widget.t == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda h: (h[0].snapshot,), "stepper shows a recording, `with m.record() as trace: ...`, not a Snapshot"),
        (lambda _: (None,), "not a NoneType"),
        (lambda h: (h, "gest"), "no file of the recording is named 'gest'; there are: guest"),
        (lambda h: (h, None, "3"), "the recording has moments 0 to 45, not '3'"),
        (lambda h: (h, None, 46), "the recording has moments 0 to 45, not 46"),
    ],
)
def test_a_stepper_says_what_it_can_show(given, words):
    pytest.importorskip("anywidget")
    with pytest.raises(UsageError, match=re.escape(words)):
        show.stepper(*given(story()))


def test_a_stepper_opens_where_its_history_says():
    pytest.importorskip("anywidget")
    history = story()
    assert show.stepper(history).t == 0
    assert "start" not in show.document(history)
    history.start = 7
    assert show.document(history)["start"] == show.stepper(history).t == 7
    assert show.stepper(history, t=0).t == 0


def test_importing_show_loads_no_widget_and_no_plotting():
    code = "import khosim.show, sys; print({'anywidget', 'ipywidgets', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
