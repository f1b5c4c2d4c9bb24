"""The figures of the built book, from a server and from plain files, with every question to anybody else refused."""

import re

import pytest

import khosim
from tests import hands
from tests.book.leaf import notebook
from tests.browser import opened, t
from tests.show.bare import recorded
from tests.test_notebooks import CHAPTERS, figures

START, FRAMES = "notebooks/00-start-here.html", "notebooks/01-frames-bits-and-a-buddy.html"
CUTTING = "notebooks/06-cutting-a-file-short.html"
FIGURES = [(f"notebooks/{chapter}.html", name) for chapter in CHAPTERS for name in figures(chapter)]
EVERY_HAND = {"one-page-crosses", "two-pages-one-touched", "two-frames-one-bit", "two-kexecs"}
IN_VIEW = """(id) => { const box = document.getElementById(id).querySelector(".kho").getBoundingClientRect();
    return box.top > -1 && box.top < innerHeight / 2; }"""


@pytest.fixture
def tab(browser, home):
    """Opens pages of the book: `tab(address)`, as a context."""
    return lambda address, **options: opened(browser, home + address, 1200, home=home, **options)


def drawn(page, name):
    """The figure of this name, once it is a stepper."""
    place = page.locator(f"[id='{name}']")
    place.scroll_into_view_if_needed()
    place.locator(".kho").wait_for()
    return place


def test_all_figures_of_the_book_are_in_these_tests(book):
    found = [(path, name) for path in (book.html / "notebooks").glob("*.html")
             for name in re.findall('<div class="khosim-figure" id="([^"]+)"', path.read_text())]  # fmt: skip
    assert {(path.relative_to(book.html).as_posix(), name) for path, name in found} == set(FIGURES)


@pytest.mark.parametrize(("address", "name"), FIGURES)
def test_a_reader_can_do_all_there_is_to_do(book, browser, served, address, name):
    """Each figure over file, where most is forbidden; the first of each page from a server too.

    Not every hand finds its hold on one kernel or many, on two futures, or where no page is cached at the end.
    """
    fits = hands.ALL if name in EVERY_HAND else [hands.there_and_back, hands.buttons, hands.drag]
    first = next(figure for page, figure in FIGURES if page == address)
    for home in [f"{book.html.as_uri()}/"] + [served] * (name == first):
        with opened(browser, home + address, 1200, "article", home=home) as page:
            place = drawn(page, name)
            for hand in fits:
                hand(place)


def test_both_futures_are_in_view_and_part_where_the_figure_opens(tab):
    with tab(START) as page:
        place = drawn(page, "no-frame-for-page-0")
        assert t(place) == 21
        pictures = place.locator("svg.fig")
        assert pictures.count() == 2
        assert pictures.nth(0).inner_html() != pictures.nth(1).inner_html()
        page.keyboard.press("ArrowLeft")
        place.get_by_role("button", name="Step back", exact=True).click()
        assert t(place) == 20


@pytest.mark.parametrize(
    ("address", "name", "step"),
    [(START, "no-frame-for-page-0", 20), (START, "one-page-crosses", 42), (FRAMES, "a-page-goes", 7)],
)
def test_a_link_from_elsewhere_opens_the_figure_at_its_step(tab, address, name, step):
    with tab(f"{address}#{name}@{step}") as page:
        page.locator(f"[id='{name}'] .kho[data-t='{step}']").wait_for()
        page.wait_for_function(IN_VIEW, arg=name)


def test_a_link_in_the_prose_moves_the_figure_there(tab):
    with tab(START) as page:
        place = drawn(page, "one-page-crosses")
        link = page.locator("a[href='#one-page-crosses@56']").first
        link.click()
        place.locator(".kho[data-t='56']").wait_for()
        page.wait_for_function(IN_VIEW, arg="one-page-crosses")
        assert page.url.endswith("#one-page-crosses@56")


LANDED = """async (id) => {
    const bar = document.querySelector(".mobile-header").getBoundingClientRect().bottom; // 0 where there is none
    const top = () => document.getElementById(id).querySelector("h2").getBoundingClientRect().top;
    for (let was; was !== top(); ) { was = top(); await new Promise((next) => setTimeout(next, 100)); }
    return bar <= top() && top() < innerHeight / 3;
}"""


@pytest.mark.parametrize("width", [390, 1280])
def test_a_link_to_a_section_lands_on_it(browser, book, width):
    """From outside, and from the list of contents, forwards and backwards, though figures lie between; also slowly."""
    home = f"{book.html.as_uri()}/"
    with opened(browser, f"{home}{CUTTING}#exercises", width, "[data-khosim=ready]", home=home) as page:
        assert page.evaluate(LANDED, "exercises")
        page.emulate_media(reduced_motion="no-preference")
        page.goto("about:blank")
        page.goto(f"{home}{CUTTING}#exercises")
        page.wait_for_selector("[data-khosim=ready]")
        assert page.evaluate(LANDED, "exercises")
        tall = page.evaluate("document.documentElement.scrollHeight")
        for section in ("see-it", "a-page-that-is-in-swap", "exercises"):
            page.evaluate("document.getElementById('__toc').checked = true")  # the drawer is open
            page.evaluate("(id) => document.querySelector(`.toc-tree a[href='#${id}']`).click()", section)
            assert page.evaluate(LANDED, section), section
            assert not page.evaluate("document.getElementById('__toc').checked"), "the drawer lies on it"
        page.evaluate("[...document.querySelectorAll('.khosim-figure')].map((figure) => figure.scrollIntoView())")
        assert page.evaluate("document.documentElement.scrollHeight") == tall


@pytest.mark.parametrize(("width", "seen"), [(390, False), (1280, True)])
def test_no_button_lies_on_a_figure_of_a_narrow_screen(browser, book, width, seen):
    home = f"{book.html.as_uri()}/"
    with opened(browser, f"{home}{CUTTING}#exercises", width, "[data-khosim=ready]", home=home) as page:
        page.evaluate("scrollBy(0, -500)")
        page.locator(".show-back-to-top").wait_for(state="attached")  # Furo's button comes when one scrolls up
        assert page.locator(".back-to-top").is_visible() is seen


def test_nobody_is_scrolled_slowly_who_asked_for_less_motion(browser, book):
    home = f"{book.html.as_uri()}/"
    with opened(browser, home + CUTTING, 1280, "[data-khosim=ready]", home=home) as page:
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
        moved = "document.querySelector(`.toc-tree a[href='#exercises']`).click(), scrollY"
        assert page.evaluate(f"({moved})") > 900


COVERED = """(line) => { const { left, top, width, height } = line.getBoundingClientRect();
    const at = (x, y) => document.elementFromPoint(left + (x * width) / 20, top + (y * height) / 4);
    return [...Array(19).keys()].flatMap((x) => [1, 2, 3].map((y) => at(x + 1, y)))
        .filter((seen) => !line.contains(seen)).map((seen) => seen?.className ?? "nothing"); }"""


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_of_the_page_covers_the_timeline_that_a_link_leads_to(browser, home, width):
    with opened(browser, home + START, width, "h1", home=home) as page:
        place = drawn(page, "one-page-crosses")
        page.get_by_role("heading", name="What you can now say").scroll_into_view_if_needed()
        page.locator("a[href='#one-page-crosses@56']").last.click()
        place.locator(".kho[data-t='56']").wait_for()
        if width > 1000:
            page.locator(".show-back-to-top").wait_for(state="attached")  # Furo's button comes when one scrolls up
        page.wait_for_function(IN_VIEW, arg="one-page-crosses")
        assert place.locator("svg.tl").evaluate(COVERED) == []


def test_a_figure_can_be_taken_away(tab):
    with tab(START, accept_downloads=True) as page:
        place = drawn(page, "one-page-crosses")
        place.locator("svg.tl").focus()
        page.keyboard.press("End")
        place.get_by_role("button", name="Share this figure").click()
        starts = {"SVG": b"<svg", "PNG": b"\x89PNG", "Text": b"Step 63 of 63."}
        for kind, start in starts.items():
            with page.expect_download() as caught:
                place.get_by_role("button", name=kind, exact=True).click()
            assert caught.value.suggested_filename.startswith("one-page-crosses-63.")
            assert caught.value.path().read_bytes().startswith(start)
        link = place.locator("[data-link]").input_value()
        assert link == page.url + "#one-page-crosses@63"
        page.goto("about:blank")
        page.goto(link)
        page.locator("[id='one-page-crosses'] .kho[data-t='63']").wait_for()


def two_futures():
    machine = khosim.boot(frames=64, page_size=64)
    with machine.record("one write") as trace:
        fd = machine.os.memfd_create("guest", khosim.MFD_KHO)
        machine.os.pwrite(fd, b"hello", 0)
    choice = next(t for t in range(trace.steps) if trace.alternatives(t))
    other = trace.fork(choice, "cpu0=-12")
    other.title = trace.title
    return trace, other


def test_a_fork_on_the_page_of_its_parent_is_shared_under_its_own_name(tab, leaf):
    address = leaf(notebook(*two_futures()))
    with tab(address) as page:
        place = drawn(page, "one-write-fork")
        assert drawn(page, "one-write").locator("svg.fig").count() == 1
        place.locator("svg.tl").focus()
        page.keyboard.press("End")
        step = t(place)
        place.get_by_role("button", name="Share this figure").click()
        link = place.locator("[data-link]").input_value()
        assert link == f"{page.url}#one-write-fork@{step}"
        page.goto("about:blank")
        page.goto(link)
        page.locator(f"[id='one-write-fork'] .kho[data-t='{step}']").wait_for()
        assert t(page.locator("[id='one-write']")) == 0


def test_a_figure_that_cannot_be_drawn_keeps_its_words_and_harms_no_other(browser, book, leaf):
    broken = notebook(recorded(64), mend=lambda traits: traits["document"].update(planes=None, id="broken"))
    address, home = leaf(broken, notebook(*two_futures()[:1])), f"{book.html.as_uri()}/"
    with opened(browser, home + address, 1200, home=home, quiet=["error"]) as page:
        drawn(page, "one-write")
        assert page.locator("[id='broken'] .kho").count() == 0
        assert page.locator("[id='broken'] .khosim-words").is_visible()
        assert page.locator("[id='one-write'] .khosim-words").is_visible() is False
