"""Two futures of one run: side by side, with what differs marked and named."""

import re

import pytest

from tests.browser import t
from tests.show.bare import OVER, at, give


def sides(page, selector):
    return [page.locator(f"[data-side={side}] {selector}") for side in ("here", "there")]


def test_two_futures_stand_side_by_side_under_one_slider(page, parted):
    give(page, parted)
    here, there = (side.bounding_box() for side in sides(page, "svg.fig"))
    assert here["y"] == there["y"]
    assert here["x"] + here["width"] < there["x"]
    steps, other = (len(parted["document"]["steps"]), parted["document"]["other"])
    longest = max(steps, other["from"] + len(other["steps"])) - 1
    slider = page.get_by_role("slider", name="Step")
    assert slider.count() == 1
    assert slider.get_attribute("aria-valuemax") == str(longest)
    assert page.locator(".tl .fork-m").count() == 1
    assert page.locator(".futures .key").bounding_box()["height"] <= 44
    page.focus("svg.tl")
    page.keyboard.press("End")
    assert t(page) == longest
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_selector("svg.tl[width='358']")
    here, there = (side.bounding_box() for side in sides(page, "svg.fig"))
    assert here["y"] + here["height"] < there["y"]


def test_a_fork_says_where_it_parts(page, parted):
    give(page, parted)
    first = parted["document"]["other"]["from"]
    words = page.inner_text(".branch p")
    assert words.startswith(f"From step {first} on: here frame 0x")
    assert words.endswith("; there no memory for page 0.")
    at(page, first - 1)
    assert sides(page, ".say")[1].inner_text() == f"As here, until step {first}."
    assert page.locator(".crop").count() == 0
    at(page, first)
    assert sides(page, ".say span")[1].inner_text() == "No memory for page 0."


def test_what_differs_is_marked_and_named(page, parted):
    give(page, parted)
    at(page, parted["document"]["other"]["from"] + 9)
    marked = [side.count() for side in sides(page, ".crop:not(.halo)")]
    assert marked[0] == marked[1] > 0
    named = "[data-side={}] [aria-label*='differs from the other future']"
    assert [page.locator(named.format(side)).count() for side in ("here", "there")] == marked
    page.click(".twin summary")
    page.get_by_text("The two futures differ in frame").wait_for()
    assert page.locator(".twin table").count() == 2
    at(page, 0)
    page.get_by_text("The two futures are the same at this step.").wait_for()


@pytest.mark.parametrize("width", [358, 700, 736, 900])
def test_a_fork_fits_its_container_in_every_view(page, parted, width):
    give(page, parted)
    page.set_viewport_size({"width": width + 32, "height": 900})
    page.wait_for_selector(f"svg.tl[width='{width}']")
    for show in ("There", "Here", "Both"):
        page.get_by_role("button", name=show, exact=True).click()
        assert page.locator("svg.fig").count() == (2 if show == "Both" else 1)
        for step in (0, 25, 60):
            at(page, step)
            assert page.evaluate(OVER) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width + 32


def test_one_future_alone_is_a_whole_figure(page, parted):
    give(page, parted)
    page.get_by_role("button", name="There", exact=True).click()
    other = parted["document"]["other"]
    page.focus("svg.tl")
    page.keyboard.press("End")
    assert t(page) == other["from"] + len(other["steps"]) - 1
    assert page.locator(".rail .why").count() == 1
    page.keyboard.press("Home")
    assert t(page) == 0


def test_a_pick_in_one_future_is_a_pick_in_both(page, parted):
    give(page, parted)
    at(page, parted["document"]["other"]["from"] + 9)
    page.locator("[data-side=there] [data-cell='frame 32']").click()
    assert [side.inner_text().split("\n")[0] for side in sides(page, ".why h4")] == ["Frame 0x20"] * 2
    page.locator("[data-side=there] [data-cell='frame 0']").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.closest('[data-side]').dataset.side") == "there"


def test_both_futures_leave_together(page, parted):
    give(page, parted)
    at(page, parted["document"]["other"]["from"] + 9)
    page.get_by_role("button", name="Share this figure").click()
    for kind, words in (("SVG", "There, what could have"), ("Text", "The two futures differ in frame")):
        with page.expect_download() as caught:
            page.get_by_role("button", name=kind, exact=True).click()
        told = caught.value.path().read_text()
        assert words in re.sub(r"<[^>]*>", "", told)
    page.emulate_media(media="print")
    page.wait_for_selector(".paper svg")
    assert page.locator(".paper svg.strip").count() == 2


def test_the_parts_of_two_futures_have_names_of_their_own(page, parted):
    give(page, parted)
    at(page, 40)
    names = page.evaluate("[...document.querySelectorAll('.kho div[role=group]:not(.btns)')].map((e) => e.ariaLabel)")
    assert len(names) == len(set(names)) == 8
    assert {"Here, what happened", "There, what could have", "Invariants, here", "Selected, there"} <= set(names)
