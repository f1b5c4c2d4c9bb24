"""Whole pages of the built book: for every reader, on every screen, on paper."""

import io
import re

import pytest
from playwright.sync_api import expect

from tests.axe import violations
from tests.browser import opened

START, FRAMES = "notebooks/00-start-here.html", "notebooks/01-frames-bits-and-a-buddy.html"


@pytest.fixture
def tab(browser, book):
    """Opens pages of the book from their files: `tab(address)`, as a context."""
    home = f"{book.html.as_uri()}/"
    return lambda address, width=1200, selector="h1", **options: opened(
        browser, home + address, width, selector, home=home, **options
    )


def all_pages(book):
    return sorted(path.relative_to(book.html).as_posix() for path in book.html.rglob("*.html"))


@pytest.mark.parametrize("address", [START, FRAMES])
def test_without_scripts_every_step_can_be_read(tab, address):
    with tab(address, java_script_enabled=False) as page:
        figures = page.locator(".khosim-figure")
        for k in range(figures.count()):
            every = figures.nth(k).locator("details").first
            every.locator("summary").click()
            last = figures.nth(k).get_attribute("data-steps")
            assert every.locator("tbody tr:last-child th").inner_text() == last
            assert every.locator("tbody tr:last-child").is_visible()
            assert figures.nth(k).locator("details").count() >= 2
        assert page.locator(".khosim-figure .kho").count() == 0


def test_no_page_scrolls_sideways_on_a_phone(tab, book):
    with tab("index.html", 390) as page:
        wide = {}
        for address in all_pages(book):
            page.goto(f"{book.html.as_uri()}/{address}")
            if page.locator(".khosim-figure").count():
                page.wait_for_function("document.documentElement.dataset.khosim === 'ready'")
            extra = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
            if extra > 0:
                wide[address] = extra
        assert wide == {}


def test_the_pages_own_switch_changes_its_steppers(tab):
    with tab(START, color_scheme="light", quiet=["log"]) as page:
        page.locator(".khosim-figure").first.scroll_into_view_if_needed()
        seen = set()
        for _ in range(3):
            page.locator(".theme-toggle:visible").first.click()
            mode = page.evaluate("document.body.dataset.theme")
            theme = "dark" if mode == "dark" else "light"
            expect(page.locator(".kho").first).to_have_attribute("data-theme", theme)
            paper = page.locator(".kho").first.evaluate("(e) => getComputedStyle(e).getPropertyValue('--paper')")
            seen.add((mode, paper.strip()))
        assert seen == {("auto", "#fff"), ("light", "#fff"), ("dark", "#131416")}


def test_the_search_finds_a_term_in_plain_files(tab):
    with tab("search.html?q=buddy", selector="#search-results li") as page:
        hits = page.locator("#search-results li a")
        assert any("01-frames-bits-and-a-buddy" in hit.get_attribute("href") for hit in hits.all())


def test_paper_gets_strips_and_no_buttons(tab):
    pypdf = pytest.importorskip("pypdf")
    with tab(START, selector=".kho") as page:
        words = " ".join(" ".join(p.extract_text().split()) for p in pypdf.PdfReader(io.BytesIO(page.pdf())).pages)
        assert words.count("of 63") >= 1
        assert "This step as text" not in words
        page.emulate_media(media="print")
        assert page.locator(".khosim-figure .kho").count() == page.locator(".khosim-figure").count()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator(".paper svg").count() >= page.locator(".khosim-figure").count()
        assert not any(bar.is_visible() for bar in page.locator(".transport").all())


THEIRS = {
    ("aria-required-attr", r'\.caption\[role="heading"\].*'): "Furo's side bar gives a caption no level",
    ("landmark-unique", r"\.sidebar-drawer"): "Furo has a side bar on either side, and names neither",
    ("aria-allowed-role", r"#id\d+"): "docutils calls an entry of a bibliography doc-biblioentry",
    ("aria-deprecated-role", r"#id\d+"): "docutils calls an entry of a bibliography doc-biblioentry",
    ("aria-required-children", r"\.citation-list"): "docutils puts such entries into a list",
}
"""(rule, selector) of what is not the book's to mend -> why."""


def ours(line):
    rule, selector = re.match(r"([\w-]+): \['(.*?)'\] ", line).groups()
    return not any(rule == name and re.fullmatch(where, selector) for name, where in THEIRS)


@pytest.mark.parametrize("address", [START, "index.html", "bibliography.html"])
def test_axe_finds_nothing_on_a_page(browser, served, address):
    """The steppers have a test of their own. Between the themes, only colours differ."""
    place = {"include": [["html"]], "exclude": [[".khosim-figure"]]}
    with opened(browser, served + address, 1200, "article", color_scheme="light") as page:
        found = violations(page, place)
        page.emulate_media(color_scheme="dark")
        found += violations(page, place, runOnly=["color-contrast"])
        assert [line for line in found if ours(line)] == []
