"""The stepper's controls: every way to step has a button with a name and a key, and none of them moves."""

import pytest

from tests.browser import focus, press, t
from tests.show.bare import at, give

WAYS = {
    "Previous call": "PageUp", "Next call": "PageDown", "Step back over": "Shift+O", "Step over": "o",
    "Step back out": "Shift+U", "Step out": "u", "Previous violation": "Shift+V", "Next violation": "v",
    "Previous kexec": "Shift+K", "Next kexec": "k",
}  # fmt: skip
TOYS = """import("/stepper.js").then((m) => {
    const stack = (...names) => names.map((fn) => ({ fn: fn[0], line: +fn.slice(1) }));
    const a = {}, b = {}, told = [
        ["", null], ["CPU 0", a, "f1"], ["CPU 0", a, "f2", "g1"], ["CPU 1", b, "h1"], ["CPU 0", a, "f2", "g1", "k1"],
        ["CPU 0", a, "f2", "g2"], ["CPU 0", a, "f3"], ["CPU 0", a, "f4", "g1"], ["CPU 1", b, "h2"], ["CPU 0", {}, "f1"],
    ];
    const states = told.map(([cpu, call, ...names], t) => ({ t, cpu, call, stack: stack(...names) }));
    const toy = { states, last: 9, violations: [{ first: 4 }], doc: { kexecs: [8], calls: [[0, "", 1, 7, ""]] } };
    return [...states.keys()].map((t) => m.ways(toy, t, null));
})"""


def test_a_step_over_or_out_stays_on_its_cpu_and_knows_another_activation(page):
    ways = page.evaluate(TOYS)
    pick = lambda name: [way.get(name) for way in ways]  # noqa: E731
    assert pick("over") == [1, 6, 5, 8, 5, 6, 9, 9, None, None]
    assert pick("overBack") == [None, 0, 1, 0, 2, 2, 1, 6, 3, 7]
    assert pick("out") == [1, 9, 6, None, 5, 6, 9, 9, None, None]
    assert pick("outBack") == [None, 0, 1, 0, 2, 1, 0, 6, 0, 7]


@pytest.mark.parametrize("start", [0, 8, 31, 45])
def test_a_button_and_its_key_go_to_the_same_step(page, start):
    at(page, start)
    page.set_viewport_size({"width": 932, "height": 900})
    page.get_by_role("button", name="More ways to step").click()
    for name, key in WAYS.items():
        at(page, start)
        button = page.get_by_role("button", name=name, exact=True)
        button.click(force=True)
        gone = t(page)
        at(page, start)
        focus(page)
        press(page, key)
        assert t(page) == gone


def test_a_way_that_leads_nowhere_says_so(page):
    page.set_viewport_size({"width": 932, "height": 900})
    page.get_by_role("button", name="More ways to step").click()
    off = "[...document.querySelectorAll('.ways button')].filter((b) => b.ariaDisabled).map((b) => b.ariaLabel)"
    assert page.evaluate(off) == [name for name in WAYS if "revious" in name or "back" in name]
    at(page, 45)
    assert "Next violation" in page.evaluate(off)


def test_more_ways_stand_in_the_same_row(page):
    box = "(({ y, height }) => [y, height])(document.querySelector('.transport').getBoundingClientRect())"
    basic = "[...document.querySelectorAll('.basic button, .dots3')].map((b) => b.getBoundingClientRect().x)"
    for width in (700, 736, 900):
        page.set_viewport_size({"width": width + 32, "height": 900})
        page.wait_for_selector(f"svg.tl[width='{width}']")
        for step in (0, 9, 10, 45):
            at(page, step)
            before = page.evaluate(box), page.evaluate(basic)
            page.click("[data-act=more]")
            assert (page.evaluate(box), page.evaluate(basic)) == before
            row, transport = (page.locator(c).bounding_box() for c in (".ways", ".transport"))
            assert row["x"] + row["width"] <= transport["x"] + transport["width"] + 0.1
            page.click("[data-act=more]")


def test_a_block_changes_where_its_slot_or_its_frame_does(page):
    at(page, 45)
    page.locator("[data-cell='block 5']").click(force=True)
    seen = []
    while page.get_attribute("[data-act=changeBack]", "aria-disabled") is None:
        page.get_by_role("button", name="Previous change of block 5").click()
        seen.append(t(page))
    assert seen == [43, 42, 35, 31, 22, 19, 17]


def test_keys_are_named_once(page):
    same = page.evaluate("""import("/stepper.js").then((m) =>
        [["o", false], ["O", true], ["O", false], ["?", true], [" ", false], ["ArrowLeft", true], ["End", false]]
            .map(([key, shiftKey]) => m.keyName({ key, shiftKey })))""")
    assert same == ["O", "Shift+O", "O", "?", "Space", "Shift+Left", "End"]


def test_steps_over_lead_to_the_end_of_each_call(page, lived):
    give(page, lived)
    spans = [(first, last) for _, _, first, last, _ in lived["document"]["calls"]]
    for first, last in spans:
        at(page, first)
        focus(page)
        press(page, *["o"] * 40)
        assert t(page) >= last


def test_the_sentence_is_read_except_while_it_plays(page):
    live = ".say [role=status]"
    assert page.get_attribute(live, "aria-live") == "polite"
    assert page.get_attribute(live, "aria-atomic") == "true"
    page.evaluate("window.setTimeout = () => 0")  # play, and stay
    page.click("[data-act=play]")
    assert page.get_attribute(live, "aria-live") == "off"
    page.click("[data-act=play]")
    assert page.get_attribute(live, "aria-live") == "polite"


def test_more_ways_on_a_phone_leave_every_button_where_it_is(phone):
    at(phone, 34)
    place = "[...document.querySelectorAll('.basic button, .dots3')].map((b) => [b.offsetLeft, b.offsetTop])"
    before = phone.evaluate(place)
    phone.click("[data-act=more]")
    assert phone.evaluate(place) == before
    sizes = phone.evaluate("[...document.querySelectorAll('.ways button')].map((b) => [b.offsetWidth, b.offsetHeight])")
    assert min(min(size) for size in sizes) >= 44
