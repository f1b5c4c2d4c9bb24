"""The stepper in JupyterLab, with a live kernel."""

import pytest

from tests import hands
from tests.browser import focus, opened, press, t
from tests.show.lab import Notebook, notebook, server

QUIET = {"debug", "info", "log", "warning"}  # JupyterLab talks; only its errors count


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with server(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture(scope="module")
def page(browser, lab):
    with opened(browser, f"{lab[0]}lab", 1200, ".jp-Launcher", QUIET) as page:
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


@pytest.mark.parametrize("hand", hands.ALL, ids=lambda hand: hand.__name__)
def test_a_chapters_stepper_answers_to_the_readers_hands(chapter, hand):
    hand(chapter.stepper(chapter.figures()[0]))


@pytest.fixture(scope="module")
def own(page, lab):
    """Three steppers: two of one run, one of another; and cells that speak of the last."""
    notebook(lab[1] / "own.ipynb", *OWN)
    tab = Notebook(page, "own.ipynb")
    tab.run(0)
    for n in (1, 2, 3):
        tab.run(n)
    return tab


OWN = [
    "first = two_kernels('one page crosses')\nfirst",
    "two_kernels('another')",
    "w = khosim.show.stepper(first)\nw",
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
