"""Moving through a history in a real browser: buttons, keys, pointer, play."""

from tests.browser import focus, press, shown, t
from tests.show.fakes import story


def test_as_many_steps_back_as_forward_gives_the_same_page(page):
    last = len(story()) - 1
    seen = [shown(page)]
    for _ in range(last):
        page.click("[data-act=step]")
        seen.append(shown(page))
    assert t(page) == last
    assert len(set(seen)) == last + 1
    for before in reversed(seen[:-1]):
        page.click("[data-act=stepBack]")
        assert shown(page) == before


def test_keys_step_and_jump(page):
    focus(page)
    press(page, "ArrowRight", "ArrowRight", "ArrowLeft")
    assert t(page) == 1
    press(page, "End")
    assert t(page) == 45
    press(page, "Home", "PageDown", "PageDown")
    assert t(page) == 2
    press(page, "PageUp")
    assert t(page) == 1
    press(page, "k")
    assert t(page) == 31
    press(page, "v")
    assert t(page) == 43


def test_keys_do_not_reach_the_notebook(page):
    page.evaluate(
        "window.keys = []; document.body.addEventListener('keydown', (e) => window.keys.push(e.key))"
    )
    focus(page)
    press(page, "ArrowRight", " ", " ", "k", "b")
    assert page.evaluate("window.keys") == ["b"]
    loud = "[...document.querySelectorAll('.kho, .kho [tabindex], .kho :is(button, a, summary)')]"
    quiet = "(e) => e.getAttribute('data-lm-suppress-shortcuts') === 'true'"
    assert page.evaluate(f"{loud}.every({quiet})")


def test_play_stops_at_the_first_violation(page):
    page.evaluate("window.setTimeout = ((later) => (f, ms) => later(f, ms / 100))(window.setTimeout)")
    page.evaluate("model.set('t', 38)")
    page.click("[aria-label=Play]")
    page.wait_for_function("document.querySelector('.kho').dataset.t === '43'")
    page.wait_for_selector("[aria-label=Play]")
    assert t(page) == 43


def test_a_drag_on_the_timeline_scrubs(page):
    box = page.locator("svg.tl").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 60, steps=5)
    page.mouse.up()
    assert t(page) == 45


def test_python_hears_where_it_rests_and_nothing_else(page):
    page.evaluate("for (let k = 0; k < 5; k++) document.querySelector('[data-act=step]').click()")
    page.wait_for_function("window.saved.length > 0")
    assert page.evaluate("window.saved") == [5]


def test_a_document_says_where_to_open(page, lived):
    only = "model.get = (key) => ({ document: { ...d, start: 7 } })[key]"
    page.evaluate(f"(d) => {{ {only}; model.set('document', {{}}); }}", lived["document"])
    assert t(page) == 7


def test_a_step_of_a_history_is_a_way_to_it(page):
    page.evaluate("model.set('t', 34)")
    page.locator("[data-cell='frame 42']").click()
    page.click(".why [data-go='31']")
    assert t(page) == 31
    page.click("[data-act=change]")
    assert t(page) == 34


def test_a_document_of_another_version_is_refused_in_one_sentence(page):
    page.evaluate("model.set('document', { ...model.get('document'), schema: 'khosim/1' })")
    words = page.inner_text("main")
    assert words == (
        "This figure was recorded in the format khosim/1, and this page reads khosim/2: run its cell again to see it."
    )
    page.evaluate("model.set('document', { ...model.get('document'), schema: 'khosim/2' })")
    assert page.get_attribute(".kho", "data-figure") == "pages-that-survive"
    page.evaluate("model.set('document', {})")
    assert "in no format it knows" in page.inner_text("main")


def test_leaving_leaves_nothing(page):
    page.evaluate("cleanup()")
    assert page.inner_html("main") == ""
    assert page.evaluate("Object.values(heard).flat().length") == 0
