"""How the stepper lies on a page in a real browser: widths, heights, themes, sizes of machines."""

from itertools import pairwise

import pytest

import khosim
from khosim.config import MachineConfig
from tests.kernel.rig import crossed, opened
from tests.show.bare import OVER, at, give, recorded, traits
from tests.show.fakes import story, write
from tests.show.tape import Tape


@pytest.mark.parametrize("signal", ["book", "lab", "code", "system"])
def test_the_theme_follows_its_host(page, signal):
    assert page.get_attribute(".kho", "data-theme") == "light"
    if signal == "system":
        page.emulate_media(color_scheme="dark")
    else:
        key = {"book": "theme", "lab": "jpThemeLight", "code": "vscodeThemeKind"}[signal]
        value = {"book": "dark", "lab": "false", "code": "vscode-dark"}[signal]
        page.evaluate(f"document.body.dataset.{key} = '{value}'")
    page.wait_for_selector(".kho[data-theme=dark]")


LAB = 268  # what JupyterLab leaves of a phone's 390 pixels


@pytest.mark.parametrize("width", [260, LAB, 358, 700, 736, 900])
@pytest.mark.parametrize("size", [64, 256])
def test_nothing_is_cut_at_any_width(page, width, size):
    give(page, traits(recorded(size) if size == 256 else story()))
    page.set_viewport_size({"width": width + 32, "height": 900})
    page.wait_for_selector(f"svg.tl[width='{width}']")
    for step in range(page.evaluate("model.get('document').steps.length")):
        page.evaluate(f"model.set('t', {step})")
        assert page.evaluate(OVER) == []


def test_the_figure_ends_within_620_pixels(page, lived):
    bottom = "document.querySelector('.twin').offsetTop - document.querySelector('.kho').offsetTop"
    page.set_viewport_size({"width": 736 + 32, "height": 900})
    for told in (traits(story()), lived):
        give(page, told)
        for step in range(len(told["document"]["steps"])):
            page.evaluate(f"model.set('t', {step})")
            assert page.evaluate(bottom) - 12 <= 620


def test_nothing_sticks_out_below_so_no_host_scrolls(page):
    for width in (358, 736, 900):
        page.set_viewport_size({"width": width + 32, "height": 900})
        page.wait_for_selector(f"svg.tl[width='{width}']")
        assert page.locator(".kho").evaluate("(kho) => kho.scrollHeight - kho.clientHeight") == 0


def test_what_is_wrong_within_a_call_is_not_drawn_as_a_violation(page, lived):
    give(page, lived)
    assert page.locator(".tl .run-s").count() == 0


def test_the_playhead_stays_inside_and_off_the_kexec_tag(page):
    for step in (0, 30, 31, 45):
        page.evaluate(f"model.set('t', {step})")
        pill, tag, line = (page.locator(c).bounding_box() for c in (".head-p", ".kx-tag", "svg.tl"))
        assert line["x"] <= pill["x"]
        assert pill["x"] + pill["width"] <= line["x"] + line["width"] + 0.1
        assert pill["x"] >= tag["x"] + tag["width"] or pill["x"] + pill["width"] <= tag["x"]


FROM_TO = """(names) => names.map((name) => [...document.querySelectorAll(name)]
    .map((e) => e.getBoundingClientRect()).map((box) => [box.left, box.right]))"""


@pytest.mark.parametrize("room", [1, 20, 300])
def test_tags_of_near_kexecs_are_one_tag_and_every_kexec_has_its_line(phone, room):
    machine = khosim.boot(frames=64, page_size=64)
    with machine.record("three kernels") as trace:
        fd = opened(machine)
        machine.os.pwrite(fd, b"x" * room, 0)
        machine, fd = crossed(machine)
        machine, fd = crossed(machine)
        machine.os.pread(fd, room, 0)
    give(phone, traits(trace))
    for step in range(trace.steps + 1):
        phone.evaluate(f"model.set('t', {step})")
        tags, words, lines = phone.evaluate(FROM_TO, [".tl .kx-tag", ".tl .kx-t", ".tl .kx"])
        assert len(lines) == 2
        assert all(a[1] < b[0] for a, b in pairwise(sorted(tags)))
        assert all(any(a[0] < word[0] and word[1] < a[1] for a in tags) for word in words)
        assert len(words) == len(tags)


def test_nothing_is_wider_than_a_phone(phone):
    assert "narrow" in phone.get_attribute(".kho", "class")
    for step in (0, 20, 34, 43):
        phone.evaluate(f"model.set('t', {step})")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    sizes = phone.evaluate(
        "[...document.querySelectorAll('.btns button')].map((b) => b.getBoundingClientRect().height)"
    )
    assert min(sizes) >= 44


def test_buttons_stay_under_the_pointer(page):
    def place():
        return page.locator("[data-act=step]").bounding_box()

    first = place()
    for _ in range(45):
        page.click("[data-act=step]")
        assert place() == first


def test_four_thousand_frames_are_drawn_as_runs(page):
    tape = Tape("large", MachineConfig(frames=4096, file_pages=16))
    tape.open()
    for i in (0, 1, 2, 3):
        write(tape, i)
    give(page, traits(tape.history))
    page.click("[data-act=end]")
    name = page.get_by_role("img", name="Physical memory, 4096 frames").get_attribute("aria-label")
    assert ", 4 cached" in name
    assert page.locator("svg.fig *").count() < 500
    box = page.locator("svg.fig").bounding_box()
    page.mouse.click(box["x"] + 48 + 3.5 * 0x2A + 1, box["y"] + box["height"] - 6 - 4 * 32 + 1)
    assert page.inner_text(".why h4").startswith("Frame 0x2a")


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


def test_the_end_of_the_file_strikes_no_number_through(page, lived):
    """The line is followed pixel by pixel: it enters no box of a number."""
    struck = """(() => {
        const line = document.querySelector(".eof");
        if (!line) return 0;
        const numbers = [...document.querySelectorAll(".fig .labels text")].map((text) => text.getBBox());
        const points = [...Array(Math.ceil(line.getTotalLength())).keys()].map((k) => line.getPointAtLength(k));
        const off = (at, start, size) => Math.abs(at - start - size / 2);
        const inside = ({ x, y }, b) => off(x, b.x, b.width) < b.width / 2 && off(y, b.y, b.height) < 4;
        return points.filter((point) => numbers.some((box) => inside(point, box))).length;
    })()"""
    give(page, lived)
    for width in (268, 358, 736):
        page.set_viewport_size({"width": width + 32, "height": 900})
        page.wait_for_selector(f"svg.tl[width='{width}']")
        for step in range(len(lived["document"]["steps"])):
            at(page, step)
            assert page.evaluate(struck) == 0
