"""axe finds nothing wrong with the stepper: at several moments, in both themes, wide and narrow."""

import pytest

from tests.axe import violations
from tests.browser import focus, opened, press
from tests.show.bare import at, give, traits
from tests.show.fakes import story
from tests.show.large import large


@pytest.fixture(scope="module")
def shared(browser, site):
    with opened(browser, site) as page:
        page.set_default_timeout(10_000)
        yield page


@pytest.fixture(scope="module")
def runs(lived, parted):
    million = {"document": large(1 << 20, pages=300), "sources": {}}
    return {"story": traits(story()), "two kernels": lived, "fork": parted, "million": million}


@pytest.fixture
def show(shared, runs):
    """Show a run afresh, at a step; nothing is selected and no panel is open."""

    def show(name, step):
        shared.set_viewport_size({"width": 800, "height": 900})
        give(shared, runs[name])
        at(shared, step)
        shared.wait_for_selector(f".kho[data-figure='{runs[name]['document']['id']}'][data-t='{step}']")
        return shared

    return show


def no_violations(page):
    for width, form in ((800, ".kho:not(.narrow)"), (390, ".kho.narrow")):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_selector(form)
        for theme in ("dark", "light"):
            page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
            page.wait_for_selector(f".kho[data-theme={theme}]")
            assert violations(page) == [], (width, theme)


@pytest.mark.parametrize(("run", "step"), [("story", 0), ("story", 43), ("two kernels", 42), ("fork", 30)])
def test_axe_finds_nothing_in_a_run(show, run, step):
    no_violations(show(run, step))


@pytest.mark.parametrize("zoom", [None, 64, 4096])
def test_axe_finds_nothing_in_a_million_frames(show, zoom):
    page = show("million", 60)
    if zoom:
        page.click(f"[data-zoom='{zoom}']")
    no_violations(page)


def selection(page):
    page.locator("[data-cell='frame 42']").click(force=True)  # its label lies over it


def keys(page):
    page.locator("[data-cell='frame 0']").focus()
    press(page, "ArrowRight", "Enter")


def panel(key):
    def opens(page):
        focus(page)
        press(page, key)
        page.wait_for_selector(".panel")

    return opens


def text(page):
    page.click(".twin summary")
    page.wait_for_selector(".twin table")


ACTS = {"selection": selection, "keys": keys, "help": panel("?"), "share": panel("e"), "text": text}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_axe_finds_nothing_after_an_act(show, act):
    page = show("story", 34)
    before = page.locator(".kho").inner_text()
    act(page)
    assert page.locator(".kho").inner_text() != before
    no_violations(page)


def test_axe_can_find_something(show):
    page = show("story", 0)
    page.evaluate("for (const a of ['aria-label', 'title']) document.querySelector('.kho button').removeAttribute(a)")
    assert [line.split(":")[0] for line in violations(page)] == ["button-name"]
