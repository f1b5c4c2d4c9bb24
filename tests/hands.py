"""What a reader's hands do to any stepper, in any host: each function does one thing and asserts what must follow.

A place is a page with one stepper, or a locator of what holds one. Everything asserted is read off the page.
"""

import re

from tests.browser import focus, press, shown, t


def same(place, before, words=""):
    """Compare without pytest's help: a difference is told in one line, not in thirty thousand characters."""
    now = shown(place)
    for a, b in zip(now.split("<"), before.split("<"), strict=False):
        assert a == b, f"{words}: {a!r} was {b!r}"
    assert len(now) == len(before), words


def last(place):
    return int(place.locator("svg.tl").get_attribute("aria-valuemax"))


def page_of(place):
    return getattr(place, "page", place)


def rewind(place):
    """To the first step, with nothing selected and the pointer elsewhere."""
    page_of(place).mouse.move(0, 0)
    focus(place)
    press(page_of(place), "Escape", "Home")
    assert t(place) == 0


def there_and_back(place):
    """As many steps back as forward give the same DOM: the picture, the text, all attributes."""
    rewind(place)
    end, seen = last(place), [shown(place)]
    for step in range(1, end + 1):
        press(page_of(place), "ArrowRight")
        assert t(place) == step
        seen.append(shown(place))
    assert len(set(seen)) == end + 1, "two steps look the same"
    for step in reversed(range(end)):
        press(page_of(place), "ArrowLeft")
        same(place, seen[step], f"step {step} on the way back")


def buttons(place):
    """The five buttons do as they say; play begins and pauses."""
    rewind(place)
    before = shown(place)
    for name, step in (
        ("Step forward", 1),
        ("Last step", last(place)),
        ("Step back", last(place) - 1),
        ("First step", 0),
    ):
        place.get_by_role("button", name=name, exact=True).click()
        assert t(place) == step, name
    place.get_by_role("button", name="Play", exact=True).click()
    place.locator(".kho[data-t='2']").wait_for()
    place.get_by_role("button", name="Pause", exact=True).click()
    rewind(place)
    same(place, before)


def keys(place):
    """The slider answers as a slider does; K goes to the kexec."""
    rewind(place)
    page, slider = page_of(place), place.get_by_role("slider", name="Step", exact=True)
    press(page, "ArrowRight", "ArrowRight", "ArrowLeft")
    assert (t(place), slider.get_attribute("aria-valuenow")) == (1, "1")
    press(page, "End")
    assert t(place) == last(place)
    press(page, "PageUp")
    assert 0 < t(place) < last(place)
    press(page, "Home")
    first = kernel(slider)
    press(page, "k")
    assert kernel(slider) == first + 1
    press(page, "ArrowLeft")
    assert kernel(slider) == first


def kernel(slider):
    return int(re.search(r"kernel (\d+)", slider.get_attribute("aria-valuetext"))[1])


def drag(place):
    """A pointer drawn along the timeline takes the step with it, to the end and back to where it came from."""
    rewind(place)
    before, page = shown(place), page_of(place)
    place.locator("svg.tl").scroll_into_view_if_needed()
    box = place.locator("svg.tl").bounding_box()
    x, y, end = box["x"] + 60, box["y"] + 8, box["x"] + box["width"] - 3
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + end) / 2, y)
    middle = t(place)
    page.mouse.move(end, y)
    assert 0 < middle < t(place) == last(place)
    page.mouse.move(box["x"], y)
    page.mouse.up()
    page.mouse.move(end, y)
    assert t(place) == 0, "the drag goes on after the button is up"
    rewind(place)
    same(place, before)


def picks(place):
    """A frame is picked by pointer, another by keys; what is said is of the one picked. Returns the place's words."""
    rewind(place)
    press(page_of(place), "End")
    cell = place.locator("[data-cell^='frame '][aria-label*='cached']").first
    cell.scroll_into_view_if_needed()
    cell.click(force=True)  # its label and its ring lie over it
    name = cell.get_attribute("aria-label").split(",")[0]
    assert cell.get_attribute("aria-selected") == "true"
    assert place.locator(".why h4").inner_text().startswith(name)
    words = place.locator(".why").inner_text()
    press(page_of(place), "Escape")
    assert place.locator("[role=grid] [aria-selected=true][data-cell^='frame ']").count() <= 1
    place.locator("[data-cell='frame 0']").focus()
    press(page_of(place), "ArrowRight", "ArrowDown", "Enter")
    assert place.locator(".why h4").inner_text().startswith("Frame 0x11")
    assert place.locator("[data-cell='frame 17']").evaluate("(cell) => cell === document.activeElement")
    return words


def why(place):
    """The history of a frame leads to the step that made it so, and the page's own address stays."""
    picks(place)
    rewind(place)
    press(page_of(place), "End")
    place.locator("[data-cell^='frame '][aria-label*='cached']").first.click(force=True)
    link = place.locator(".why [data-go]").first
    step = int(link.get_attribute("data-go"))
    link.click()
    assert 0 < t(place) == step < last(place)


def leaves(place):
    """A step leaves as a picture, as pixels, as text and as a link, and each of them tells the step."""
    rewind(place)
    press(page_of(place), "End")
    step, figure = last(place), place.locator(".kho").get_attribute("data-figure")
    place.get_by_role("button", name="Share this figure", exact=True).click()
    kinds = {"SVG": ("svg", "<svg"), "PNG": ("png", "\x89PNG"), "Text": ("txt", f"Step {step} of {step}")}
    for kind, (end, start) in kinds.items():
        with page_of(place).expect_download() as caught:
            place.get_by_role("button", name=kind, exact=True).click()
        assert caught.value.suggested_filename == f"{figure}-{step}.{end}"
        assert caught.value.path().read_bytes().startswith(start.encode("latin-1"))
    address, link = place.locator("[data-link]").input_value().split("#")
    assert (address in ("", page_of(place).url.split("#")[0]), link) == (True, f"{figure}@{step}")
    press(page_of(place), "Escape")
    assert place.get_by_role("dialog").count() == 0


ALL = [there_and_back, buttons, keys, drag, picks, why]
