"""The stepper in JupyterLab, with a live kernel."""

import io
import shutil

import pytest

from tests import hands
from tests.axe import violations
from tests.browser import focus, opened, press, shown, t
from tests.show.lab import Notebook, notebook, server

QUIET = {"debug", "info", "log", "warning"}  # JupyterLab talks; only its errors count
DEBUGGER = "Could not restore the debugger state"  # its debugger asks a kernel that is restarting


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with server(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture(scope="module")
def page(browser, lab):
    with opened(browser, f"{lab[0]}lab", 1200, ".jp-LabShell", QUIET, DEBUGGER) as page:
        page.set_default_timeout(20_000)
        page.evaluate("() => jupyterapp.restored.then(() => null)")
        yield page


@pytest.fixture(scope="module")
def chapter(page):
    tab = Notebook(page, "notebooks/00-start-here.ipynb")
    tab.run_all()
    return tab


def test_a_chapter_runs(chapter):
    kinds = [out["output_type"] for cell in chapter.cells() for out in cell.get("outputs", ())]
    assert "error" not in kinds
    assert all(cell["execution_count"] for cell in chapter.cells() if cell["cell_type"] == "code")


@pytest.mark.parametrize("hand", [*hands.ALL, hands.leaves], ids=lambda hand: hand.__name__)
def test_a_chapters_stepper_answers_to_the_readers_hands(chapter, hand):
    hand(chapter.stepper(chapter.figures()[0]))


@pytest.mark.parametrize("step", [24, 51])
def test_a_link_in_the_text_leads_to_its_step(chapter, step):
    place, link = chapter.stepper(chapter.figures()[0]), f"(#one-page-crosses@{step})"
    hands.rewind(place)
    address = chapter.page.url
    n = next(n for n, cell in enumerate(chapter.cells()) if link in cell["source"])
    chapter.cell(n).get_by_role("link", name=f"step {step}", exact=True).click()
    assert t(place) == step
    box = place.locator(".kho").bounding_box()
    assert 0 < box["y"] < 900, "the figure is out of sight"
    assert place.locator("svg.tl").evaluate("(el) => el === document.activeElement"), "keys do not go on from here"
    assert chapter.page.url == address


def test_a_fork_shows_both_futures_and_marks_what_differs(chapter):
    place = chapter.stepper(chapter.figures()[2])
    here, there = (place.locator(f"[data-side={side}]") for side in ("here", "there"))
    hands.rewind(place)
    assert here.locator(".crop").count() == 0
    press(chapter.page, "End")
    left, right = (side.locator("svg.fig").bounding_box() for side in (here, there))
    assert (left["y"], left["x"] + left["width"] < right["x"]) == (right["y"], True)
    assert here.locator(".crop").count() == there.locator(".crop").count() > 0
    assert place.locator(".tl .fork-m").count() == 1


def test_a_chapter_nobody_trusts_tells_its_steps_without_a_script(page, lab):
    shutil.copy(lab[1] / "notebooks/00-start-here.ipynb", lab[1] / "copy.ipynb")
    tab = Notebook(page, "copy.ipynb")
    n = tab.figures("text/html")[0]
    assert tab.panel.evaluate("(panel, n) => panel.content.model.cells.get(n).trusted", n) is False
    steps, state = tab.output(n).locator("details").all()
    for part in (steps, state):
        assert not part.locator("table").is_visible()
        part.locator("summary").click()
        assert part.locator("table").is_visible()
    assert steps.locator("tbody tr").count() > 50
    assert "A new kernel runs." in steps.inner_text()
    assert state.locator("thead th").all_inner_texts()[:2] == ["block", "page cache"]
    assert tab.output(n).locator(".kho").count() == 0


@pytest.fixture(scope="module")
def own(page, lab):
    """Three steppers, and cells that speak of the last."""
    notebook(lab[1] / "own.ipynb", *OWN)
    tab = Notebook(page, "own.ipynb")
    begin(tab)
    return tab


def begin(tab):
    for n in (0, A, B, W):
        tab.run(n)


OWN = [
    "two_kernels('one page crosses')",
    "two_kernels('another')",
    "w = khosim.show.stepper(two_kernels('a third'))\nw",
    "print(w.t)",
    "import pathlib\nwhile not pathlib.Path('on').exists():\n    pass",
]
A, B, W, ASK, BUSY = 1, 2, 3, 4, 5


def python_says(tab, step):
    """Ask until it is so: the browser tells Python a little later."""
    for _ in range(100):
        tab.run(ASK)
        if tab.said(ASK) == f"{step}\n":
            return
    pytest.fail(f"Python says {tab.said(ASK)!r}, not {step}")


def test_python_knows_where_the_reader_is(own):
    place = own.stepper(W)
    hands.rewind(place)
    press(own.page, "ArrowRight", "ArrowRight", "ArrowRight")
    python_says(own, 3)


SPY = """() => {
    const { send } = WebSocket.prototype;
    window.sent = [];
    WebSocket.prototype.send = function (data) {
        window.sent.push(typeof data === "string" ? data : new TextDecoder().decode(data));
        return send.call(this, data);
    };
}"""


def test_a_busy_kernel_does_not_bring_an_old_step_back(own, lab):
    place = own.stepper(W)
    own.page.evaluate(SPY)
    hands.rewind(place)
    python_says(own, 0)
    ran = own.start(BUSY)
    own.stepper(W)
    focus(place)
    press(own.page, "ArrowRight", "ArrowRight", "ArrowRight")
    own.page.wait_for_function("""() => sent.some((text) => text.includes('"state":{"t":3}'))""")
    own.page.evaluate("() => { window.later = setTimeout; window.setTimeout = (f, ms) => later(f, 20 * ms); }")
    press(own.page, "ArrowRight")
    own.page.evaluate("() => { window.setTimeout = later; }")
    (lab[1] / "on").touch()
    ran()
    own.run(ASK)
    assert own.said(ASK) == "3\n"  # Python has heard and answered that, and not what came since
    assert t(place) == 4
    python_says(own, 4)
    assert t(place) == 4


def test_two_steppers_do_not_disturb_each_other(own):
    other = own.stepper(B)
    hands.rewind(other)
    press(own.page, "ArrowRight")
    before = shown(other)
    hands.keys(own.stepper(A))
    hands.picks(own.stepper(A))
    hands.same(own.stepper(B), before, "the other stepper")


@pytest.mark.parametrize("spot", ["svg.tl", "[data-act=play]", "[data-cell='frame 0']", "summary"])
def test_a_notebooks_key_is_its_own_outside_the_stepper_only(own, spot):
    count = len(own.cells())
    own.stepper(B).locator(spot).focus()
    press(own.page, "b")
    assert len(own.cells()) == count
    own.cell(BUSY).locator(".jp-InputPrompt").click()
    press(own.page, "b")
    assert len(own.cells()) == count + 1
    press(own.page, "d", "d")
    assert len(own.cells()) == count


def test_a_new_theme_reaches_the_stepper_and_axe_finds_nothing_in_it(own):
    place = own.stepper(A)
    hands.rewind(place)
    press(own.page, "ArrowRight")
    try:
        own.wear("Dark")
        place.locator(".kho[data-theme=dark]").wait_for()
        assert violations(own) == []
    finally:
        own.wear("Light")
    place.locator(".kho[data-theme=light]").wait_for()
    assert violations(own) == []
    assert t(place) == 1


def test_the_focus_ring_of_the_timeline_is_whole(own):
    image = pytest.importorskip("PIL.Image")
    place = own.stepper(A)
    hands.rewind(place)
    box = place.locator(".tlwrap").bounding_box()
    clip = {"x": box["x"] + 42, "y": box["y"], "width": box["width"] - 42, "height": box["height"] + 3}
    drawn = image.open(io.BytesIO(own.page.screenshot(clip=clip))).convert("L")
    for side, turns in (("top", 0), ("right", 90), ("bottom", 180), ("left", 270)):
        turned = drawn.rotate(turns, expand=True)
        lines = [[turned.getpixel((x, y)) for x in range(8, turned.width - 8)] for y in (0, 1)]
        assert min(max(line) for line in lines) < 100, side


def test_a_stepper_outlives_its_kernel(own):
    place = own.stepper(A)
    hands.rewind(place)
    own.restart()
    try:
        press(own.page, "ArrowRight", "ArrowRight")
        assert t(place) == 2
        hands.buttons(place)
        hands.picks(place)
    finally:
        begin(own)
