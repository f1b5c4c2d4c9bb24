"""The figure from 64 to 1,048,576 frames: levels, marks that no average hides, and how long a step takes."""

import pytest

from khosim.show.frame import states
from khosim.show.owners import Role
from tests.show.bare import give
from tests.show.large import MILLION, pfn, shown

KEY = ["cached", "held", "KHO", "kernel", "scratch", "other", "PFN bit"]


@pytest.mark.parametrize(
    ("frames", "role"), [(64, "grid"), (256, "grid"), (4096, "img"), (8192, "img"), (MILLION, "img")]
)
def test_every_size_has_its_level_and_few_elements(page, frames, role):
    shown(page, frames)
    assert page.locator("svg.fig [aria-label^='Physical memory']").get_attribute("role") == role
    assert page.locator(".kho *").count() < 1200
    assert page.locator(".ranges").count() == (frames > 256)
    assert page.locator("[data-bar]").count() == 0


@pytest.mark.parametrize("frames", [64, 256])
def test_a_small_machine_fits_736_by_620(page, frames):
    page.set_viewport_size({"width": 736 + 32, "height": 900})
    doc = shown(page, frames)
    bottom = "document.querySelector('.twin').offsetTop - document.querySelector('.kho').offsetTop"
    for step in range(len(doc["steps"])):
        page.evaluate(f"model.set('t', {step})")
        assert page.evaluate(bottom) - 12 <= 620


@pytest.mark.parametrize("frames", [64, 4096, MILLION])
def test_the_quiet_line_counts_frames_rightly_at_every_step(page, frames):
    doc = shown(page, frames)
    for moment in states(doc):
        page.evaluate(f"model.set('t', {moment.t})")
        role = moment.planes["role"]
        free, cached, held, kho = (
            sum(int((role == r).sum()) for r in roles)
            for roles in ((Role.FREE,), (Role.CACHED, Role.FRESH), (Role.HELD,), (Role.FDT, Role.BITMAP, Role.INODE))
        )
        line = f"free {free:,}, cached {cached:,}, held {held:,}, KHO {kho:,} of {frames:,};"
        assert page.inner_text(".below").startswith(line)


@pytest.mark.parametrize("zoom", [4096, 8192, MILLION])
def test_a_violated_frame_is_never_averaged_away(page, zoom):
    shown(page, max(zoom, 8192), at=99)
    stale = f"stale, {pfn(0, max(zoom, 8192)):#x}"
    if zoom == 4096:
        page.click("[data-zoom='4096']")
    assert page.locator(".mark-t.bad").text_content() == stale
    assert page.locator(".marks .ring-bad, .marks .viol-x").count() == 1
    page.click("[data-zoom='64']")
    page.locator("[data-act=pan]").click()
    assert page.locator("[data-bar] .viol-x").count() >= 1
    page.get_by_role("button", name=f"show {stale}").click()
    assert page.locator(f"[aria-label^='Frame {pfn(0, max(zoom, 8192)):#x}, stale']").count() == 1


@pytest.mark.parametrize("frames", [4096, MILLION])
def test_changed_and_selected_frames_keep_a_ring_and_a_label(page, frames):
    shown(page, frames)
    assert page.locator(".marks .ring-now").count() == 1
    assert page.locator(".mark-t.now").text_content() == f"{pfn(9, frames):#x}"
    page.locator("[data-cell='block 3']").click(force=True)
    assert page.locator(".marks .ring-sel").count() == 1
    assert page.locator(".mark-t.sel").text_content() == f"{pfn(3, frames):#x}"


def test_pfn_bits_are_a_layer_on_demand(page):
    for frames in (4096, MILLION):
        shown(page, frames)
        assert page.locator("svg.fig .d-bit").count() == 0
        page.get_by_role("button", name="PFN bits").click()
        assert page.locator("svg.fig .d-bit").count() == 1


def test_hovering_says_what_lies_there(page):
    shown(page, 4096)
    box = page.locator("svg.fig .ground").last.bounding_box()
    spot = pfn(3, 4096)
    page.mouse.move(box["x"] + (spot % 128 + 0.5) * box["width"] / 128, box["y"] + (spot // 128) * 4 + 2)
    assert page.inner_text(".below") == f"Frame {spot:#x}, cached, block 3, PFN bit set"
    page.mouse.move(5, 5)
    assert page.inner_text(".below").startswith("free ")
    shown(page, 64)
    page.locator("[data-cell='frame 12']").hover()
    assert page.inner_text(".below") == "Frame 0x0c, KHO FDT, PFN bit set"
    shown(page, MILLION)
    page.mouse.move(box["x"] + 1, box["y"] + 20)
    assert page.inner_text(".below") == "Frames 0x00 to 0x1fff: 8,192 kernel"


def test_the_word_of_the_bitmap_is_told(page):
    doc = shown(page, 4096)
    bit = list(states(doc))[60].planes["bit"]
    spot = pfn(9, 4096)
    word = sum(int(b) << k for k, b in enumerate(bit[spot // 64 * 64 : spot // 64 * 64 + 64]))
    assert f"word {spot // 64}\n{word:016x} bit {spot % 64}" in page.inner_text(".why dl")
    page.click(".twin summary")
    page.wait_for_selector(".twin table")
    told = page.locator(".twin p", has_text="Words of the PFN bitmap").inner_text()
    words = {n: sum(int(b) << k for k, b in enumerate(bit[n * 64 : n * 64 + 64])) for n in range(64)}
    assert told == f"Words of the PFN bitmap: {'; '.join(f'{n}: {w:016x}' for n, w in words.items() if w)}."


def test_the_key_explains_what_this_story_shows(page, lived):
    give(page, lived)
    words = page.inner_text(".key").split("\n")
    assert [word for word in words if word] == KEY
    assert "F the KHO FDT" in page.locator(".key li", has_text="KHO").get_attribute("title")
