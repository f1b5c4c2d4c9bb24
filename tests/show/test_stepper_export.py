"""What leaves the figure: pictures and texts of steps, links to them, paper."""

import io

import pytest

import khosim
from tests.kernel.rig import opened
from tests.show.bare import give, recorded, traits

IMAGE = """(text) => new Promise((done, fail) => {
    const image = new Image();
    image.onload = () => done([image.naturalWidth, image.naturalHeight]);
    image.onerror = () => fail("no picture");
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
})"""


ATTRS = """(text) => {
    const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    const [title, desc, sheet] = ["title", "desc", "rect"].map((tag) => svg.querySelector(`:scope > ${tag}`));
    const size = ["width", "height"].map((name) => +svg.getAttribute(name));
    return [title.textContent, desc.textContent, sheet.getAttribute("fill"), ...size];
}"""


# How the title is drawn in the file itself: where it starts, and how strong its first word is.
DRAWN = """(text) => {
    const holder = document.body.appendChild(document.createElement("div"));
    holder.innerHTML = text;
    const title = [...holder.querySelectorAll("svg > text")].find((node) => node.textContent.startsWith("pages"));
    const out = [getComputedStyle(title).textAnchor, getComputedStyle(title.firstChild).fontWeight];
    holder.remove();
    return out;
}"""


def t(page):
    return int(page.get_attribute(".kho", "data-t"))


def at(page, step):
    page.evaluate(f"model.set('t', {step})")


def saved(page, kind):
    with page.expect_download() as caught:
        page.get_by_role("button", name=kind, exact=True).click()
    path = caught.value.path()
    return caught.value.suggested_filename, path.read_bytes()


def share(page):
    page.get_by_role("button", name="Share this figure").click()
    page.get_by_role("dialog", name="Share this figure").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_step_as_svg_stands_alone_in_the_current_theme(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.wait_for_selector(f".kho[data-theme={scheme}]")
    at(page, 43)
    share(page)
    name, data = saved(page, "SVG")
    assert name == "pages-that-survive-43.svg"
    text = data.decode()
    title, words, ground, *size = page.evaluate(ATTRS, text)
    assert title == "pages that survive, step 43 of 45"
    assert "Violated: no stale block." in words
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(19, 20, 22)"}[scheme]
    assert not any(word in text for word in ("class=", "var(", "data-cell", "tabindex", "<style", "href"))
    assert page.evaluate(IMAGE, text) == size
    assert page.evaluate(DRAWN, text) == ["start", "700"]
    assert page.locator(".kho > svg").count() == 0


def test_a_step_as_png_is_twice_as_large_and_looks_like_the_figure(page):
    image = pytest.importorskip("PIL.Image")
    at(page, 34)
    share(page)
    name, data = saved(page, "PNG")
    assert name == "pages-that-survive-34.png"
    drawn = image.open(io.BytesIO(data)).convert("RGB")
    assert drawn.size[0] == 2 * (568 + 2 * 12)
    colours = {colour for n, colour in drawn.getcolors(1 << 24) if n > 100}
    assert {(255, 255, 255), (0x0B, 0x68, 0xAD), (0x9A, 0x56, 0x00)} <= colours
    assert (0, 0, 0) not in colours  # what has lost its style is black


def test_a_step_as_text_is_its_table(page):
    at(page, 43)
    share(page)
    name, data = saved(page, "Text")
    assert name == "pages-that-survive-43.txt"
    lines = data.decode().splitlines()
    assert lines[0] == "Step 43 of 45. CPU 0: Frame 0x31 returns to the free list, yet block 5 still names it."
    assert lines[1].split() == ["Block", "Page", "cache", "Block", "list", "PFN", "bit", "Verdict"]
    (stale,) = [line for line in lines if line.startswith("5 ")]
    assert stale.endswith("STALE: names a frame that is not this file's")
    assert "Violated: no stale block. Block 5 names a free frame." in data.decode()


def test_a_range_is_a_strip_and_a_transcript(page):
    share(page)
    page.get_by_label("Take").select_option("range")
    page.get_by_label("First step of the range").fill("30")
    page.get_by_label("Last step of the range").fill("32")
    name, data = saved(page, "SVG")
    assert name == "pages-that-survive-30-32.svg"
    assert "Step 31: Kernel 2 boots" in page.evaluate(ATTRS, data.decode())[1]
    name, data = saved(page, "Text")
    assert data.decode().splitlines() == [
        "pages that survive",
        "CPU 0: kexec()",
        "  30  The old kernel stops. Only bytes in memory cross.",
        "===== kexec: kernel 2 =====",
        "  31  Kernel 2 boots in what was scratch; it must not touch frames with a PFN bit.",
        "CPU 0: memfd_create('guest', MFD_KHO)",
        "  32  Guest is found again: ten blocks name frames, the page cache is empty.",
    ]


def test_kernels_are_counted_from_the_first_of_the_chain_wherever_the_recording_begins(page):
    machine = khosim.boot(frames=64, page_size=64).kexec()
    with machine.record("from the second") as trace:
        opened(machine)
        opened(machine.kexec())
    give(page, traits(trace))
    for step in (trace.kexecs[0], 0):
        at(page, step)
        words = page.get_by_role("slider", name="Step", exact=True).get_attribute("aria-valuetext")
        assert f"kernel {trace[step].kernel}" in words
    page.set_viewport_size({"width": 932, "height": 900})
    assert page.locator(".tl text.ax", has_text="kernel").all_text_contents() == ["kernel 2", "kernel 3"]
    share(page)
    page.get_by_label("Take").select_option("range")
    _, data = saved(page, "Text")
    assert "===== kexec: kernel 3 =====" in data.decode()


def test_typing_in_a_field_does_not_step(page):
    share(page)
    page.get_by_label("Take").select_option("range")
    page.get_by_label("First step of the range").fill("")
    page.keyboard.type("12")
    page.keyboard.press("Home")
    assert t(page) == 0
    page.keyboard.press("Escape")
    assert page.locator(".panel").count() == 0


def test_a_link_is_copied_or_at_least_selected(page):
    at(page, 12)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    share(page)
    page.get_by_role("button", name="Copy", exact=True).click()
    page.get_by_text("The link is copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.url + "#pages-that-survive@12"
    page.evaluate("navigator.clipboard.writeText = () => Promise.reject(); document.execCommand = () => false")
    page.get_by_role("button", name="Copy", exact=True).click()
    page.get_by_text("The link is selected: copy it from the field.").wait_for()
    chosen = "(({ selectionStart: a, selectionEnd: b, value }) => value.slice(a, b))(document.activeElement)"
    assert page.evaluate(chosen).endswith("#pages-that-survive@12")


@pytest.mark.parametrize(("hash_", "step"), [("@12", 12), ("@999", 45), ("@-4", 0), ("@x", 0), ("", 0)])
def test_a_page_opens_at_the_step_of_its_address(page, hash_, step):
    page.goto(page.url + "#pages-that-survive" + hash_)
    page.reload()
    page.wait_for_selector(".kho")
    assert t(page) == step


def test_a_link_in_the_page_leads_to_its_step(page):
    page.evaluate("""document.body.insertAdjacentHTML("afterbegin", `<a href='#pages-that-survive@34'>there</a>
        <a href='#elsewhere@3'>elsewhere</a><div style='height:3000px'></div>`)""")
    page.get_by_text("there", exact=True).click()
    assert t(page) == 34
    page.wait_for_function("document.querySelector('.kho').getBoundingClientRect().top < innerHeight")
    page.evaluate("location.hash = '#pages-that-survive@7'")
    page.wait_for_selector(".kho[data-t='7']")
    page.evaluate("location.hash = '#elsewhere@3'")
    page.evaluate("scrollTo(0, 0)")
    page.get_by_text("elsewhere", exact=True).click()
    assert t(page) == 7


def test_a_notebook_does_not_take_a_link_away(page):
    page.evaluate("""document.body.dataset.jpThemeLight = "true";
        document.body.insertAdjacentHTML("afterbegin", "<a href='#pages-that-survive@34'>there</a>");
        document.querySelector("a").addEventListener("click", (event) => { event.stopPropagation(); });""")
    page.get_by_text("there", exact=True).click()
    assert t(page) == 34
    assert page.evaluate("location.hash") == ""


def test_paper_gets_a_strip_of_telling_steps(page):
    at(page, 35)
    page.emulate_media(media="print")
    page.wait_for_selector(".paper svg")
    assert page.locator(".paper svg.strip").get_attribute("aria-label") == "pages that survive: steps 0, 31, 35, 43"
    assert page.locator("svg.fig").is_visible() is False
    colours = page.evaluate("""[...new Set([...document.querySelectorAll(".paper *")].flatMap((e) => {
        const css = getComputedStyle(e);
        return [css.fill, css.stroke];
    }))].filter((c) => c !== "none")""")
    channels = [[x.strip() for x in colour[4:-1].split(",")] for colour in colours]
    assert all(len(set(rgb)) == 1 for rgb in channels), colours
    page.emulate_media(media="screen")
    page.wait_for_selector(".paper", state="detached")


def test_pinned_steps_are_printed_and_marked(page):
    for step in (3, 20):
        at(page, step)
        page.focus("svg.tl")
        page.keyboard.press("p")
    assert page.get_by_role("button", name="Pin this step").get_attribute("aria-pressed") == "true"
    assert page.get_attribute(".tl .pinned", "d").count("M") == 2
    at(page, 43)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".paper svg.strip").get_attribute("aria-label") == "pages that survive: steps 3, 20"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".paper").count() == 0
    at(page, 20)
    page.keyboard.press("p")
    assert page.get_attribute(".tl .pinned", "d").count("M") == 1


def test_a_pdf_holds_the_strip(page):
    pypdf = pytest.importorskip("pypdf")
    at(page, 43)
    words = pypdf.PdfReader(io.BytesIO(page.pdf())).pages[0].extract_text()
    assert "KEXEC" in words
    assert "steps 0, 31, 43 of 45" in words
    assert "This step as text" not in words


def test_a_large_machine_prints_too(page):
    give(page, traits(recorded(4096)))
    page.emulate_media(media="print")
    page.wait_for_selector(".paper svg.mini")
    assert page.locator(".paper svg.mini.whole").count() == 3
    assert page.locator(".paper svg.mini.whole .d-kernel").count() > 0


def test_help_takes_the_focus_and_gives_it_back(page):
    page.focus("svg.tl")
    page.keyboard.press("?")
    panel = page.get_by_role("dialog", name="Keys and marks")
    panel.wait_for()
    assert page.evaluate("document.activeElement.className") == "panel help"
    words = panel.inner_text()
    for name, statement in page.evaluate("model.get('document').invariants"):
        assert name in words
        assert statement in words
    for part in ("Shift O", "Step back over", "0xAA", "0xA5", "scratch", "PFN bitmap", "KHO inode", "hatched"):
        assert part in words
    page.keyboard.press("Escape")
    assert panel.count() == 0
    assert page.evaluate("document.activeElement.dataset.act") == "help"


def test_keys_go_on_from_where_a_link_led(page):
    page.evaluate("document.body.insertAdjacentHTML('afterbegin', '<a href=\"#pages-that-survive@7\">step 7</a>')")
    page.click("a[href$='@7']")
    page.keyboard.press("ArrowLeft")
    assert t(page) == 6


def test_a_link_given_in_jupyterlab_is_for_its_notebook(page):
    """JupyterLab keeps the page's address to itself."""
    page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    page.click("[data-act=share]")
    assert page.input_value("[data-link]") == "#pages-that-survive@0"
    assert "[step 0](#pages-that-survive@0)" in page.inner_text(".sharing")
