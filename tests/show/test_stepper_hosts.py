"""What a notebook's or a book's styles say of their own elements does not reach the stepper."""

import pytest

from tests.browser import focus, press
from tests.show.bare import at

KINDS = """a b button caption code dd details dl dt em h4 header i input kbd label li ol option p section select span
    summary table tbody td th thead tr ul"""
LOUD = """margin: 7px 9px; padding: 5px; border: 3px solid red; background: pink; color: red; font: italic 21px/2 serif;
    letter-spacing: 2px; text-transform: uppercase; text-align: right; text-decoration: underline; list-style: square;
    border-radius: 9px; box-shadow: 0 0 4px red; float: left; white-space: nowrap; min-width: 33px; display: block"""
EVERY = ", ".join(KINDS.split())
HOST = f"""
body main {{ font: italic 21px/2 serif; letter-spacing: 2px; text-transform: uppercase; text-align: right; color: red }}
body main.host.host :is({EVERY}) {{ {LOUD} }}
body main.host.host :is({EVERY})::before {{ content: "#"; margin: 9px }}
"""
LOOK = """[...document.querySelectorAll(".kho, .kho *")].filter((e) => e.matches("svg, :not(svg *)")).map((e) => {
    const css = getComputedStyle(e), { x, y, width, height } = e.getBoundingClientRect();
    const names = ["color", "font", "letterSpacing", "textTransform", "textAlign", "textDecorationLine", "background"];
    const more = ["border", "borderRadius", "boxShadow", "listStyle"];
    return [e.outerHTML.slice(0, 60), x, y, width, height, ...[...names, ...more].map((name) => css[name])].join(" ");
})"""


@pytest.mark.parametrize("width", [358, 736])
@pytest.mark.parametrize("key", ["", "e", "?"])
def test_loud_styles_of_a_host_change_nothing(page, width, key):
    page.set_viewport_size({"width": width + 32, "height": 900})
    page.wait_for_selector(f"svg.tl[width='{width}']")
    at(page, 43)
    page.click(".twin summary")
    page.wait_for_selector(".twin table")
    if key:
        focus(page)
        press(page, key)
    else:
        page.click("[data-act=more]")
    quiet = page.evaluate(LOOK)
    page.add_style_tag(content=HOST)
    page.evaluate("document.querySelector('main').classList.add('host')")
    page.evaluate("document.querySelector('main').append(document.createElement('table'))")
    assert page.evaluate("getComputedStyle(document.querySelector('main > table')).float") == "left"
    assert [pair for pair in zip(quiet, page.evaluate(LOOK), strict=True) if len(set(pair)) > 1] == []


def test_every_kind_of_element_is_looked_at(page):
    names = "[...document.querySelectorAll('.kho *')].filter((e) => !e.closest('svg')).map((e) => e.localName)"
    seen = set()
    for key in ("", "e", "Escape", "?"):
        focus(page)
        press(page, *[key] * bool(key))
        seen |= set(page.evaluate(names))
    assert seen - {"div"} <= set(KINDS.split())
