"""Which frames and blocks are in view: by buttons, keys, bars, and by what the reader selects."""

from tests.browser import press, t
from tests.show.bare import give
from tests.show.large import MILLION, memory, pfn, shown


def test_zoom_goes_from_all_to_the_cells_around_the_changed_frame(page):
    shown(page, MILLION)
    assert "share" in page.text_content("svg.fig")
    page.click("[data-zoom='4096']")
    assert memory(page).startswith("Physical memory, 1048576 frames; in view 0x91000 to 0x91fff: ")
    page.click("[data-zoom='64']")
    assert memory(page) == "Physical memory, 1048576 frames; in view 0x91640 to 0x9167f"
    assert page.get_by_role("gridcell", name="Frame 0x91667, cached, block 9, PFN bit set").count() == 1
    assert page.locator("[data-zoom='64']").get_attribute("aria-pressed") == "true"


def test_keys_zoom_and_pan(page):
    shown(page, MILLION)
    page.focus("svg.tl")
    press(page, "+", "+", "+", "+")
    assert memory(page).endswith("in view 0x91640 to 0x9167f")
    press(page, "]", "]", "[")
    assert memory(page).endswith("in view 0x91680 to 0x916bf")
    press(page, "-")
    assert memory(page).endswith("in view 0x91600 to 0x916ff")
    assert t(page) == 60


def test_the_bar_is_a_slider_that_pans_by_keys(page):
    shown(page, MILLION)
    page.click("[data-zoom='4096']")
    bar = page.get_by_role("slider", name="Frames in view")
    bar.focus()
    press(page, "ArrowRight")
    assert bar.get_attribute("aria-valuetext") == "Frames 0x92000 to 0x92fff"
    press(page, "Home", "PageDown", "ArrowLeft")
    assert bar.get_attribute("aria-valuetext") == "Frames 0xf000 to 0xffff"
    press(page, "End")
    assert bar.get_attribute("aria-valuenow") == str(MILLION - 4096)
    assert t(page) == 60


def test_the_bracket_is_dragged(page):
    shown(page, 8192)
    page.click("[data-zoom='64']")
    box = page.locator("[data-bar] .ground").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 5)
    page.mouse.down()
    assert memory(page).endswith("in view 0x00 to 0x3f")
    page.mouse.move(box["x"] + box["width"] / 2 + 1, box["y"] + 5, steps=4)
    page.mouse.up()
    assert memory(page).endswith("in view 0x1000 to 0x103f")
    page.mouse.move(box["x"] + 40, box["y"] + 5)
    assert memory(page).endswith("in view 0x1000 to 0x103f")
    bracket = page.locator(".bracket").bounding_box()
    assert abs(bracket["x"] + bracket["width"] / 2 - box["x"] - box["width"] / 2) < 6


def test_a_press_on_a_density_goes_one_level_down(page):
    shown(page, MILLION)
    box = page.locator("svg.fig .ground").last.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5 + 1, box["y"] + 20)
    assert memory(page).startswith("Physical memory, 1048576 frames; in view 0x80000 to 0x80fff")


def test_the_view_stays_when_stepping_and_follows_when_the_reader_selects(page):
    shown(page, 4096)
    page.click("[data-zoom='64']")
    before = memory(page)
    page.click("[data-act=step]")
    assert memory(page) == before
    frame = f"{pfn(10, 4096):#x}"
    assert page.get_by_role("button", name=f"show {frame}").count() == 1
    page.locator("[data-cell='block 2']").click(force=True)
    assert page.locator(f"[aria-label^='Frame {pfn(2, 4096):#x}, cached']").count() == 1


def test_arrows_walk_out_of_the_range_and_the_range_follows(page):
    shown(page, 4096)
    page.click("[data-zoom='64']")
    first = int(memory(page).split("view ")[1].split()[0], 16)
    page.locator(f"[data-cell='frame {first}']").focus()
    press(page, "ArrowUp")
    assert page.evaluate("document.activeElement.dataset.cell") == f"frame {first - 16}"
    assert page.locator("[data-cell][tabindex='0']").count() == 3


def test_a_long_file_has_a_bar_and_a_window_of_16(page):
    shown(page, 4096, pages=300, at=99)
    bar = page.get_by_role("slider", name="Blocks in view")
    assert bar.get_attribute("aria-valuetext") == "Blocks 0 to 15 of 49"
    assert page.locator("[data-cell^='block']").count() == 16
    assert bar.locator(".viol-x").count() == 1
    bar.focus()
    press(page, "ArrowRight")
    assert bar.get_attribute("aria-valuetext") == "Blocks 16 to 31 of 49"
    assert page.get_by_role("button", name="show block 0").count() == 1
    page.get_by_role("button", name="Later blocks").click()
    assert page.get_by_role("gridcell", name="Block 47, ").count() == 1
    page.locator("[data-cell='block 47']").focus()
    press(page, "ArrowRight")
    assert page.evaluate("document.activeElement.dataset.cell") == "block 48"
    page.get_by_role("button", name="show block 0").click()
    assert bar.get_attribute("aria-valuetext") == "Blocks 0 to 15 of 49"


def test_a_short_file_has_no_bar_however_long_it_could_be(page, lived):
    give(page, lived)
    assert lived["document"]["machine"]["file_pages"] > 16
    assert page.locator("[data-bar]").count() == 0
