"""What the stepper says in a real browser: names, selections, lamps, text."""

import pytest

import khosim
from khosim.show.picture import picture
from tests.browser import press, t
from tests.show.bare import give, traits
from tests.show.fakes import FRAMES, write
from tests.show.tape import Tape


def test_names_for_those_who_cannot_see(page):
    page.evaluate("model.set('t', 43)")
    assert page.get_by_role("region", name="Stepper: pages that survive").count() == 1
    slider = page.get_by_role("slider", name="Step")
    words = "Step 43 of 45, ftruncate, kernel 2, violated: No stale block"
    assert slider.get_attribute("aria-valuetext") == words
    for name in ("First step", "Step back", "Play", "Step forward", "Last step"):
        assert page.get_by_role("button", name=name, exact=True).count() == 1
    assert page.get_by_role("grid", name="Physical memory, 64 frames").get_by_role("gridcell").count() == 64
    stale = page.get_by_role("gridcell", name="Frame 0x31, stale, block 5, PFN bit set, changed in this step")
    assert stale.count() == 1
    assert page.get_by_role("gridcell", name="Page cache 3, frame 0x2a, uptodate, dirty").count() == 1
    assert page.get_by_role("status").inner_text().startswith("CPU 0")
    assert "Violated: No stale block." in page.get_by_role("alert").inner_text()


def test_a_frame_is_picked_by_pointer_and_by_keyboard(page):
    page.evaluate("model.set('t', 34)")
    page.locator("[data-cell='frame 32']").click()
    assert page.inner_text(".why h4").startswith("Frame 0x20")
    assert page.get_attribute("[data-cell='frame 32']", "aria-selected") == "true"
    press(page, "Escape")
    page.locator("[data-cell='frame 0']").focus()
    press(page, "ArrowRight", "ArrowDown", "ArrowDown", "Enter")
    assert page.inner_text(".why h4").startswith("Frame 0x21")
    assert t(page) == 34


def test_a_caller_shows_its_own_line(page):
    page.evaluate("model.set('t', 2)")
    assert page.inner_text(".crumb .top") == "shmem_alloc_folio"
    page.click(".crumb [data-depth='0']")
    assert "yield from shmem_alloc_folio" in page.inner_text(".src .lit")


def test_the_step_as_text_is_complete(page):
    page.evaluate("model.set('t', 43)")
    page.click(".twin summary")
    page.wait_for_selector(".twin table")
    words = page.inner_text(".twin")
    assert "STALE: names a frame that is not this file's" in words
    assert "i_size 320, mirror 320: they agree" in words
    assert "Violated: no stale block. Block 5 names a free frame." in words


def test_the_title_is_shown(page):
    assert page.inner_text(".title") == "pages that survive"


def test_the_first_moment_says_how_to_go_on(page):
    assert "Press Right arrow, or Step forward, to begin." in page.inner_text(".src")
    page.click("[data-act=step]")
    assert "to begin" not in page.inner_text(".src")


def test_a_new_kernel_has_not_found_the_list_yet(page, lived):
    give(page, lived)
    kexec = lived["document"]["kexecs"][0]
    page.evaluate(f"model.set('t', {kexec - 1})")
    page.locator("[data-cell='block 0']").click(force=True)  # what it says lies over it
    pfn = page.inner_text(".why h4").split()[1]
    page.evaluate(f"model.set('t', {kexec})")
    assert page.inner_text(".why h4").split("\n") == ["Block 0", "not found yet"]
    assert "zeros" not in page.inner_text(".why")
    assert page.get_by_role("gridcell", name="Block 0, not found yet").count() == 1
    page.locator(f"[data-cell='frame {int(pfn, 16)}']").click(force=True)
    assert "hello, next kernel" in page.inner_text(".why dl")
    page.click(".twin summary")
    page.wait_for_selector(".twin table")
    assert "Block list and PFN bits are not found yet." in page.inner_text(".twin")
    page.evaluate(f"model.set('t', {kexec + 1})")
    assert "not found yet" not in page.inner_text(".kho")


def test_a_lamp_waits_for_the_call_to_return(page, lived):
    give(page, lived)
    waits = next(t for t, step in enumerate(lived["document"]["steps"]) if step.get("pending"))
    page.evaluate(f"model.set('t', {waits})")
    name, statement = lived["document"]["invariants"][lived["document"]["steps"][waits]["pending"][0]]
    lamp = page.locator(".lamps li.waits").first
    assert (lamp.inner_text(), lamp.get_attribute("title")) == (name, statement)
    assert lamp.get_by_role("img", name="pending").count() == 1
    assert "pending" in page.inner_text(".lamps h4")
    page.click("[data-act=end]")
    assert page.inner_text(".lamps .bad b") == "Violated: size mirrored"
    assert page.inner_text(".lamps .bad span") == "guest has 100 bytes, its KHO inode remembers 18."
    assert page.locator(".lamps li").count() == len(lived["document"]["invariants"])


def block_set(page, lived):
    give(page, lived)
    page.evaluate("model.set('t', model.get('document').steps.findIndex((s) => s.say?.startsWith('Block 0 names')))")


def test_the_store_is_lit_that_the_sentence_tells_of(page, lived):
    block_set(page, lived)
    assert "store_block(m, kho" in page.inner_text(".src .lit")
    assert 'yield Step("block_set"' in page.inner_text(".src .told[aria-current]")


def test_lines_are_named_by_the_file_they_are_in_and_by_what_they_model(page, lived):
    block_set(page, lived)
    assert page.inner_text(".where") == "khosim/kernel/shmem_kho.py \u00b7 Linux: mm/shmem.c"


def test_lines_that_a_short_function_leaves_show_its_caller(page, lived):
    give(page, lived)
    words = "The bitmap word of frame"
    page.evaluate(f"model.set('t', model.get('document').steps.findIndex((s) => s.say?.startsWith('{words}')))")
    assert page.inner_text(".crumb .top") == "bitmap_set"
    assert page.inner_text(".src .caller.waits code").strip() == "yield from bitmap_set(m, pfn)"
    assert page.locator(".src [aria-current]").count() == 1
    assert "bitmap_read" in page.inner_text(".src [aria-current]")
    lines = page.locator(".src i").all_inner_texts()
    assert len(lines) == 7
    assert all(lines)


def test_a_bit_before_its_block_preserves_a_frame_that_no_block_names(page, lived):
    give(page, lived)
    says = [step.get("say", "") for step in lived["document"]["steps"]]
    bit = says.index("PFN bit of frame 0x1b is set: the next kernel must not touch it.")
    for step, tag in ((bit, "preserved"), (bit + 1, "held")):
        page.evaluate(f"model.set('t', {step})")
        page.locator("[data-cell='frame 27']").click(force=True)
        assert page.inner_text(".why h4").split("\n")[1] == tag


def test_a_page_that_was_cut_away_is_not_said_to_be_in_another_file(page):
    m = khosim.boot(frames=64, page_size=64)
    fd = m.os.memfd_create("kept", khosim.MFD_KHO)
    m.os.pwrite(fd, b"A" * 64, 0)
    with m.record("cut to nothing") as trace:
        m.os.ftruncate(fd, 0)
    give(page, traits(trace))
    page.evaluate(f"model.set('t', {trace.why('cache', index=0).t})")
    page.locator("[data-cell='frame 27']").click(force=True)
    assert page.inner_text(".why dl").split("\n")[:2] == ["holds", "a page, not in this file"]


def test_a_cached_frame_with_no_reference_left_says_so(page):
    tape = Tape("one reference too few")
    tape.open()
    write(tape, 0)
    tape.m.arrays["page"]["refcount"][0x20] = 0
    tape.step("The last reference to frame 0x20 is gone.")
    give(page, traits(tape.history))
    page.click("[data-act=end]")
    page.locator("[data-cell='frame 32']").click(force=True)
    assert "refs\n0\n" in page.inner_text(".why dl")
    page.locator("[data-cell='frame 33']").click(force=True)
    assert "refs" not in page.inner_text(".why dl")


def test_every_frame_of_a_huge_page_tells_the_references_of_its_first():
    m = khosim.boot(frames=64, page_size=64)
    m.huge(force=True)
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, b"A", 0)
    told = picture(m.snapshot(), "plain")
    refs = told["refs"][told["cache"][told["cache"] >= 0]]
    assert refs.size > 1
    assert refs[0] > 0
    assert set(refs.tolist()) == {int(refs[0])}


BEGINS = """(() => {
    const line = document.querySelector(".lead:not(.halo)"), rings = document.querySelectorAll(".rings rect.ring-sel");
    const b = [...rings].at(-1).getBBox(), middle = { x: b.x + b.width / 2, y: b.y + b.height / 2 };
    const inside = ({ x, y, width, height }, p) => x < p.x && p.x < x + width && y < p.y && p.y < y + height + 3;
    const box = (kind) => document.querySelector(`[data-cell="${kind} 2"] .hitbox`).getBBox();
    return [line.getPointAtLength(0), middle].flatMap((p) => ["cache", "block"].filter((kind) => inside(box(kind), p)));
})()"""


@pytest.mark.parametrize(("named", "cell"), [(FRAMES[2], "block"), (0, "cache"), (FRAMES[1], "cache")])
def test_ring_and_line_are_at_the_cell_that_names_the_frame(page, named, cell):
    """Block 2 names it, or nothing, or another frame; the page cache names it throughout."""
    tape = Tape("who names it")
    tape.open()
    write(tape, 2)
    tape.block(2, named)
    tape.step("Block 2 is set.")
    tape.step("Nothing changes.")
    give(page, traits(tape.history))
    page.click("[data-act=end]")
    page.locator("[data-cell='cache 2']").click(force=True)
    for width in (358, 736):
        page.set_viewport_size({"width": width + 32, "height": 900})
        page.wait_for_selector(f"svg.tl[width='{width}']")
        assert page.evaluate(BEGINS) == [cell, cell]
