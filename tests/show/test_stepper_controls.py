"""The stepper's controls: every way to step has a button with a name and a key, and none of them moves."""

import re

import pytest

import khosim
from tests.show.bare import OVER, give, traits

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


def t(page):
    return int(page.get_attribute(".kho", "data-t"))


def at(page, step):
    page.evaluate(f"model.set('t', {step})")


def press(page, *keys):
    page.focus("svg.tl")
    for key in keys:
        page.keyboard.press(key)


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
        press(page, *["o"] * 40)
        assert t(page) >= last


@pytest.fixture(scope="module")
def parted():
    """A read that restores a block, and one for which the page cache has no memory: two futures."""
    machine = khosim.boot(frames=64, page_size=64)
    with machine.record("a fork") as trace:
        fd = machine.os.memfd_create("guest", khosim.MFD_KHO)
        machine.os.pwrite(fd, b"hello, next kernel", 0)
        machine.os.pwrite(fd, b"second page", 64)
    asked = [m.t for m in trace if any(str(choice) == "cpu0=-12" for choice in trace.alternatives(m.t))]
    return traits(trace.fork(asked[0], "cpu0=-12"))


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


def test_the_sentence_is_read_except_while_it_plays(page):
    live = ".say [role=status]"
    assert page.get_attribute(live, "aria-live") == "polite"
    assert page.get_attribute(live, "aria-atomic") == "true"
    page.evaluate("window.setTimeout = () => 0")  # play, and stay
    page.click("[data-act=play]")
    assert page.get_attribute(live, "aria-live") == "off"
    page.click("[data-act=play]")
    assert page.get_attribute(live, "aria-live") == "polite"


def test_a_call_label_that_does_not_fit_is_dropped_and_none_is_cut(page):
    over = """[...document.querySelectorAll(".tl text.call-t")].filter((label) => label.textContent).filter((label) => {
        const box = label.getBoundingClientRect(), middle = (box.top + box.bottom) / 2;
        const calls = [...document.querySelectorAll(".tl rect.call")].map((rect) => rect.getBoundingClientRect());
        return !calls.some((r) => r.left <= box.left && box.right <= r.right && r.top <= middle && middle <= r.bottom);
    }).map((label) => label.textContent)"""
    calls = [text for _, text, *_ in page.evaluate("model.get('document').calls")]
    for width in (358, 736, 900):
        page.set_viewport_size({"width": width + 32, "height": 900})
        page.wait_for_selector(f"svg.tl[width='{width}']")
        for step in (0, 12, 40):
            at(page, step)
            assert page.evaluate(over) == []
            names = page.evaluate("[...document.querySelectorAll('.tl text.call-t')].map((e) => e.textContent)")
            assert set(names) <= {"", *calls, *(text.split("(")[0] for text in calls)}


def test_lamps_stand_in_two_columns_and_a_long_name_widens_none(page):
    names = page.evaluate("model.get('document').invariants.map(([name]) => name)")
    assert max(len(name) for name in names) > 14
    lamps = page.locator(".lamps li")
    lefts = [round(lamps.nth(k).bounding_box()["x"]) for k in range(lamps.count())]
    assert len(set(lefts)) == 2
    assert all(lamps.nth(k).bounding_box()["height"] <= 18 for k in range(lamps.count()))


@pytest.mark.parametrize("step", [12, 43])
def test_forced_colours_keep_every_mark(page, step):
    at(page, step)
    page.emulate_media(forced_colors="active")
    lost = """(() => {
        const paper = getComputedStyle(document.querySelector(".kho")).backgroundColor;
        const seen = (e) => ["fill", "stroke"].some((name) => !["none", paper].includes(getComputedStyle(e)[name]));
        const shapes = document.querySelectorAll(".fig [data-cell^=frame] > :is(rect, path):first-child, .tl .call");
        return [shapes.length, [...shapes].filter((e) => !seen(e)).length];
    })()"""
    shapes, unseen = page.evaluate(lost)
    assert shapes > 64
    assert unseen == 0


def test_reduced_motion_has_no_transitions(page):
    moves = "(e) => getComputedStyle(e).transitionDuration !== '0s'"
    moving = f"[...document.querySelectorAll('.kho *')].filter({moves}).length"
    assert page.evaluate(moving) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(moving) > 0


def test_the_parts_of_two_futures_have_names_of_their_own(page, parted):
    give(page, parted)
    at(page, 40)
    names = page.evaluate("[...document.querySelectorAll('.kho section')].map((e) => e.ariaLabel)")
    assert len(names) == len(set(names)) == 8
    assert {"Here, what happened", "There, what could have", "Invariants, here", "Selected, there"} <= set(names)


def test_more_ways_on_a_phone_leave_every_button_where_it_is(phone):
    at(phone, 34)
    place = "[...document.querySelectorAll('.basic button, .dots3')].map((b) => [b.offsetLeft, b.offsetTop])"
    before = phone.evaluate(place)
    phone.click("[data-act=more]")
    assert phone.evaluate(place) == before
    sizes = phone.evaluate("[...document.querySelectorAll('.ways button')].map((b) => [b.offsetWidth, b.offsetHeight])")
    assert min(min(size) for size in sizes) >= 44
