"""The figure from 64 to 1,048,576 frames: levels, zoom, pan, marks that no average hides, and how long a step takes."""

from itertools import pairwise

import pytest

from khosim.show.frame import states
from khosim.show.owners import Role
from tests.browser import press, t
from tests.show.bare import give
from tests.show.large import large, pfn

MILLION = 1 << 20
KEY = ["cached", "not uptodate", "held", "KHO", "kernel", "scratch", "PFN bit"]
MODULE = "async (given) => { const m = await import('/stepper.js'); return (%s)(m, given); }"


@pytest.fixture(scope="module")
def million():
    return {"document": large(MILLION, pages=300), "sources": {}}


def shown(page, frames, pages=16, at=60):
    given = {"document": large(frames, pages=pages), "sources": {}}
    give(page, given)
    page.evaluate(f"model.set('t', {at})")
    return given["document"]


def pure(page, code, given=None):
    return page.evaluate(MODULE % code, given)


def memory(page):
    return page.locator("svg.fig [aria-label^='Physical memory']").get_attribute("aria-label")


def test_rows_of_any_length_are_rebuilt_cell_for_cell(page):
    doc = large(4096, steps=30)
    code = """({ decode }, doc) => decode(doc).states.map(({ rows }) =>
        Object.values(rows).map((row) => [...row.slice(0, row.length)]))"""
    rebuilt = pure(page, code, doc)
    for state, rows in zip(states(doc), rebuilt, strict=True):
        assert [plane.tolist() for plane in state.planes.values()] == rows


def test_a_step_shares_the_chunks_that_it_leaves_alone(page, million):
    shared = """({ decode }, { document }) => {
        const all = decode(document).states;
        const changed = (a, b) => b.filter((x, c) => x !== a[c] && typeof x !== "number");
        const own = all.slice(1).map(({ rows }, k) => changed(all[k].rows.role.chunks, rows.role.chunks).length);
        return Math.max(...own.filter((_, k) => k + 1 !== 50)); // a kexec touches every page of the file
    }"""
    assert pure(page, shared, million) == 1


def test_counts_and_runs_of_a_row_agree_with_its_cells(page):
    agree = """({ unpack, differences }) => {
        const row = unpack([3, 1000, 0, 5000, 7, 1, 2, 3000]).write([990, 40, 9, 4000, 1, 11, 1024, 1024, 5]);
        const other = row.write([0, 1, 3, 2048, 1024, 1, 8999, 2, 4]), cells = [...row.slice(0, row.length)];
        const times = (v, a, b) => cells.slice(a, b).filter((x) => x === v).length;
        const count = (a, b) => Array.from({ length: 16 }, (_, v) => times(v, a, b));
        const runs = [...row.runs(980, 4100)], changed = [...differences(row, other)];
        const spans = [[0, 9001], [0, 1024], [1000, 4001], [1023, 1025], [5, 5]];
        return [
            spans.every(([a, b]) => count(a, b).join() === [...row.tally(a, b)].join()),
            runs.every(([a, b, v]) => a < b && times(v, a, b) === b - a) && runs.at(-1)[1] === 4100,
            runs.every(([a, , v], k) => !k || (runs[k - 1][1] === a && runs[k - 1][2] !== v)),
            row.find(5, 2000).length === 1024 && row.find(11, 9).join() === "4000",
            changed.every(([a, b, was]) => times(was, a, b) === b - a),
            changed.every(([a, b, was, is]) => other.tally(a, b)[is] === b - a && was !== is),
            changed.reduce((sum, [a, b]) => sum + b - a, 0) === cells.filter((x, n) => x !== other.at(n)).length,
            row.at(-1) === -1 && row.at(9001) === -1,
        ];
    }"""
    assert pure(page, agree) == [True] * 8


def test_ranges_lie_side_by_side_and_each_within_one_of_the_next_level(page):
    found = """({ zooms, shownRange, wider }) => [zooms(64), zooms(256), zooms(300), zooms(4096), zooms(1 << 20),
        shownRange(70, 64, 300), shownRange(299, 64, 300), wider(shownRange(0x91667, 64, 1 << 20), 1 << 20)]"""
    small, full, odd, four, all_, inner, end, above = pure(page, found)
    assert (small, full, odd, four) == ([64], [256], [64, 256, 300], [64, 256, 4096])
    assert all_ == [64, 256, 4096, MILLION]
    assert inner == {"first": 64, "last": 128, "zoom": 64}
    assert end == {"first": 256, "last": 300, "zoom": 64}
    assert above == [
        {"first": 0, "last": MILLION, "zoom": MILLION},
        {"first": 0x91000, "last": 0x92000, "zoom": 4096},
    ]


def test_columns_of_a_density_cover_each_frame_once(page):
    found = pure(page, "({ columnRange }) => Array.from({ length: 128 }, (_, c) => columnRange(c, 128, 0, 1000003))")
    assert found[0][0] == 0
    assert found[-1][1] == 1000003
    assert all(a[1] == b[0] for a, b in pairwise(found))


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


@pytest.mark.parametrize("frames", [256, 4096, MILLION])
def test_a_step_is_drawn_within_a_frame(page, frames):
    shown(page, frames, at=0)
    draws = """() => {
        const times = [];
        for (let t = 1; t < 100; t++) {
            const from = performance.now();
            model.set("t", t);
            times.push(performance.now() - from);
        }
        return times.sort((a, b) => a - b)[50];
    }"""
    assert page.evaluate(draws) < 16.7


def test_a_large_recording_is_decoded_within_a_glance(page, million):
    code = """({ decode }, { document }) => {
        const from = performance.now();
        decode(document);
        return performance.now() - from;
    }"""
    assert min(pure(page, code, million) for _ in range(3)) < 300
