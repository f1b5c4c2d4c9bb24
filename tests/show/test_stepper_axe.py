"""axe finds nothing wrong with the stepper: at several moments, in both themes, wide and narrow."""

import pytest

from tests.axe import violations
from tests.browser import focus, press
from tests.show.bare import give

MOMENTS = ["start", "violation", "selection", "keys", "help", "share", "text", "two kernels"]


def reach(page, moment, lived):
    if moment == "two kernels":
        give(page, lived)
        page.evaluate(f"model.set('t', {lived['document']['kexecs'][0]})")
    if moment == "violation":
        page.evaluate("model.set('t', 43)")
    if moment == "selection":
        page.evaluate("model.set('t', 34)")
        page.locator("[data-cell='frame 42']").click(force=True)  # its label lies over it
    if moment == "keys":
        page.locator("[data-cell='frame 0']").focus()
        press(page, "ArrowRight", "Enter")
    if moment in {"help", "share"}:
        focus(page)
        press(page, {"help": "?", "share": "e"}[moment])
    if moment == "text":
        page.click(".twin summary")
        page.wait_for_selector(".twin table")


@pytest.mark.parametrize("moment", MOMENTS)
def test_axe_finds_nothing(page, lived, moment):
    before = page.locator(".kho").inner_text()
    reach(page, moment, lived)
    assert (page.locator(".kho").inner_text() == before) == (moment == "start")
    for width in (800, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for theme in ("dark", "light"):
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            page.wait_for_selector(f".kho[data-theme={theme}]")
            assert violations(page) == [], (width, theme)


def test_axe_can_find_something(page):
    page.evaluate("for (const a of ['aria-label', 'title']) document.querySelector('.kho button').removeAttribute(a)")
    assert [line.split(":")[0] for line in violations(page)] == ["button-name"]
