"""The stepper in a real browser, on a bare page: no notebook, no network, no framework."""

import http.server
import json
import threading
from contextlib import contextmanager

import pytest

import khosim
from khosim.config import MachineConfig
from khosim.show import document
from khosim.show.widget import STATIC
from tests.show.fakes import Tape, story, write

playwright = pytest.importorskip("playwright.sync_api")

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>stepper</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/stepper.css"><style>body { margin: 16px }</style>
</head>
<body><main></main><script type="module">
import stepper from "/stepper.js";
const state = { document: await (await fetch("/document.json")).json(), t: 0 }, heard = {};
window.saved = [];
window.model = {
  get: (key) => state[key],
  set(key, value) { state[key] = value; (heard[`change:${key}`] ?? []).forEach((f) => f()); },
  save_changes() { window.saved.push(state.t); },
  on(name, f) { (heard[name] ??= []).push(f); },
  off(name, f) { heard[name] = (heard[name] ?? []).filter((g) => g !== f); },
};
window.heard = heard;
window.cleanup = stepper.render({ model: window.model, el: document.querySelector("main") });
</script></body></html>"""


@contextmanager
def served(files):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            kind, body = files[self.path]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def site():
    doc = json.dumps(document(story())).encode()
    files = {
        "/": ("text/html", PAGE.encode()),
        "/document.json": ("application/json", doc),
        "/stepper.js": ("text/javascript", (STATIC / "stepper.js").read_bytes()),
        "/stepper.css": ("text/css", (STATIC / "stepper.css").read_bytes()),
    }
    with served(files) as address:
        yield address


@pytest.fixture(scope="module")
def browser(need):
    path = need("chromium", "chromium")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def page(browser, site):
    yield from opened(browser, site, 800)


@pytest.fixture
def phone(browser, site):
    yield from opened(browser, site, 390)


def opened(browser, site, width):
    """A page that fails the test on any console message, and on any request to another host."""
    context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site)
    page.wait_for_selector(".kho")
    yield page
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((site, "data:"))] == []


def t(page):
    return int(page.get_attribute(".kho", "data-t"))


def shown(page):
    """The stepper's whole DOM as text; attributes have no order."""
    return page.evaluate("""(function told(node) {
        if (node.nodeType === 3) return node.data;
        const attrs = [...node.attributes].map((a) => `${a.name}=${a.value}`).sort().join(" ");
        return `<${node.nodeName} ${attrs}>${[...node.childNodes].map(told).join("")}</>`;
    })(document.querySelector(".kho"))""")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def focus(page):
    page.focus("svg.tl")


def test_as_many_steps_back_as_forward_gives_the_same_page(page):
    last = len(story()) - 1
    seen = [shown(page)]
    for _ in range(last):
        page.click("[data-act=next]")
        seen.append(shown(page))
    assert t(page) == last
    assert len(set(seen)) == last + 1
    for before in reversed(seen[:-1]):
        page.click("[data-act=prev]")
        assert shown(page) == before


def test_keys_step_and_jump(page):
    focus(page)
    press(page, "ArrowRight", "ArrowRight", "ArrowLeft")
    assert t(page) == 1
    press(page, "End")
    assert t(page) == 45
    press(page, "Home", "PageDown", "PageDown")
    assert t(page) == 2
    press(page, "PageUp")
    assert t(page) == 1
    press(page, "k")
    assert t(page) == 31
    press(page, "v")
    assert t(page) == 43


def test_keys_do_not_reach_the_notebook(page):
    page.evaluate(
        "window.keys = []; document.body.addEventListener('keydown', (e) => window.keys.push(e.key))"
    )
    focus(page)
    press(page, "ArrowRight", " ", " ", "k", "b")
    assert page.evaluate("window.keys") == ["b"]
    loud = "[...document.querySelectorAll('.kho, .kho [tabindex], .kho :is(button, a, summary)')]"
    quiet = "(e) => e.getAttribute('data-lm-suppress-shortcuts') === 'true'"
    assert page.evaluate(f"{loud}.every({quiet})")


def test_play_stops_at_the_first_violation(page):
    page.evaluate("window.setTimeout = ((later) => (f, ms) => later(f, ms / 100))(window.setTimeout)")
    page.evaluate("model.set('t', 38)")
    page.click("[aria-label=Play]")
    page.wait_for_function("document.querySelector('.kho').dataset.t === '43'")
    page.wait_for_selector("[aria-label=Play]")
    assert t(page) == 43


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


def test_a_step_of_a_history_is_a_way_to_it(page):
    page.evaluate("model.set('t', 34)")
    page.locator("[data-cell='frame 42']").click()
    page.click(".why [data-go='31']")
    assert t(page) == 31
    page.click("[data-act=after]")
    assert t(page) == 34


def test_a_caller_shows_its_own_line(page):
    page.evaluate("model.set('t', 2)")
    assert page.inner_text(".crumb .top") == "shmem_alloc_folio"
    page.click(".crumb [data-depth='0']")
    assert "yield from shmem_alloc_folio" in page.inner_text(".src .lit")


def test_a_drag_on_the_timeline_scrubs(page):
    box = page.locator("svg.tl").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 60, steps=5)
    page.mouse.up()
    assert t(page) == 45


def test_python_hears_where_it_rests_and_nothing_else(page):
    focus(page)
    press(page, *["ArrowRight"] * 5)
    page.wait_for_timeout(400)
    assert page.evaluate("window.saved") == [5]


def test_the_step_as_text_is_complete(page):
    page.evaluate("model.set('t', 43)")
    page.click(".twin summary")
    page.wait_for_selector(".twin table")
    words = page.inner_text(".twin")
    assert "STALE: names a frame that is not this file's" in words
    assert "i_size 320, mirror 320: they agree" in words
    assert "Violated: no stale block. Block 5 names a free frame." in words


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
OVER = """() => {
    const root = document.querySelector(".kho"), box = root.getBoundingClientRect();
    const scrolls = ".hidden, .src, .twin, .crumb"; // what scrolls inside, or is cut with an ellipsis
    const over = (b) => b.width > 0 && Math.max(b.right - box.right, box.left - b.left) > 0.1;
    const all = [...root.querySelectorAll("*")].filter((e) => !e.closest(scrolls) && over(e.getBoundingClientRect()));
    return all.map((e) => e.outerHTML.slice(0, 80));
}"""


@pytest.mark.parametrize("width", [260, LAB, 358, 700, 736, 900])
@pytest.mark.parametrize("size", [64, 256])
def test_nothing_is_cut_at_any_width(page, width, size):
    page.evaluate("(d) => model.set('document', d)", document(real(size)) if size == 256 else document(story()))
    page.set_viewport_size({"width": width + 32, "height": 900})
    page.wait_for_selector(f"svg.tl[width='{width}']")
    for step in range(page.evaluate("model.get('document').steps.length")):
        page.evaluate(f"model.set('t', {step})")
        assert page.evaluate(OVER) == []


def real(frames):
    machine = khosim.boot(frames=frames, page_size=64)
    with machine.record("two kernels, and a size that is not mirrored") as trace:
        fd = machine.os.memfd_create("guest", khosim.MFD_KHO)
        machine.os.pwrite(fd, b"hello, next kernel", 0)
        machine = machine.kexec()
        fd = machine.os.memfd_create("guest", khosim.MFD_KHO)
        machine.os.pread(fd, 18, 0)
        machine.os.ftruncate(fd, 100)
    return trace


@pytest.fixture(scope="module")
def lived():
    return document(real(64))


def test_the_figure_ends_within_620_pixels(page, lived):
    bottom = "document.querySelector('.twin').offsetTop - document.querySelector('.kho').offsetTop"
    page.set_viewport_size({"width": 736 + 32, "height": 900})
    for told in (document(story()), lived):
        page.evaluate("(d) => model.set('document', d)", told)
        for step in range(len(told["steps"])):
            page.evaluate(f"model.set('t', {step})")
            assert page.evaluate(bottom) - 12 <= 620


def test_the_title_is_shown(page):
    assert page.inner_text(".title") == "pages that survive"


def test_the_first_moment_says_how_to_go_on(page):
    assert "Press Right arrow, or Step forward, to begin." in page.inner_text(".src")
    page.click("[data-act=next]")
    assert "to begin" not in page.inner_text(".src")


def test_a_new_kernel_has_not_found_the_list_yet(page, lived):
    page.evaluate("(d) => model.set('document', d)", lived)
    kexec = lived["kexecs"][0]
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
    page.evaluate("(d) => model.set('document', d)", lived)
    waits = next(t for t, step in enumerate(lived["steps"]) if step.get("pending"))
    page.evaluate(f"model.set('t', {waits})")
    name, statement = lived["invariants"][lived["steps"][waits]["pending"][0]]
    lamp = page.locator(".lamps li.waits").first
    assert (lamp.inner_text(), lamp.get_attribute("title")) == (name, statement)
    assert lamp.get_by_role("img", name="pending").count() == 1
    assert "pending" in page.inner_text(".lamps h4")
    page.click("[data-act=last]")
    assert page.inner_text(".lamps .bad b") == "Violated: size mirrored"
    assert page.inner_text(".lamps .bad span") == "guest has 100 bytes, its KHO inode remembers 18."
    assert page.locator(".lamps li").count() == len(lived["invariants"])


def test_what_is_wrong_within_a_call_is_not_drawn_as_a_violation(page, lived):
    page.evaluate("(d) => model.set('document', d)", lived)
    assert page.locator(".tl .run-s").count() == 0


def test_a_document_says_where_to_open(page, lived):
    only = "model.get = (key) => ({ document: { ...d, start: 7 } })[key]"
    page.evaluate(f"(d) => {{ {only}; model.set('document', {{}}); }}", lived)
    assert t(page) == 7


def test_the_playhead_stays_inside_and_off_the_kexec_tag(page):
    for step in (0, 30, 31, 45):
        page.evaluate(f"model.set('t', {step})")
        pill, tag, line = (page.locator(c).bounding_box() for c in (".head-p", ".kx-tag", "svg.tl"))
        assert line["x"] <= pill["x"]
        assert pill["x"] + pill["width"] <= line["x"] + line["width"] + 0.1
        assert pill["x"] >= tag["x"] + tag["width"] or pill["x"] + pill["width"] <= tag["x"]


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
        return page.locator("[data-act=next]").bounding_box()

    first = place()
    for _ in range(45):
        page.click("[data-act=next]")
        assert place() == first


def test_four_thousand_frames_are_drawn_as_runs(page):
    tape = Tape("large", MachineConfig(frames=4096, file_pages=16))
    tape.open()
    for i in (0, 1, 2, 3):
        write(tape, i)
    page.evaluate("(d) => model.set('document', d)", document(tape.history))
    page.click("[data-act=last]")
    name = page.get_by_role("img", name="Physical memory, 4096 frames").get_attribute("aria-label")
    assert ", 4 cached" in name
    assert page.locator("svg.fig *").count() < 500
    box = page.locator("svg.fig").bounding_box()
    page.mouse.click(box["x"] + 48 + 3.5 * 0x2A + 1, box["y"] + box["height"] - 6 - 4 * 32 + 1)
    assert page.inner_text(".why h4").startswith("Frame 0x2a")


def test_leaving_leaves_nothing(page):
    page.evaluate("cleanup()")
    assert page.inner_html("main") == ""
    assert page.evaluate("Object.values(heard).flat().length") == 0
