"""The built book."""

import re
from html import unescape
from pathlib import Path

import pytest

from book.press.pages import BUDGET, faults, read, weight
from tests.secrets import leaks

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.md"))


@pytest.fixture(scope="module")
def pages(book):
    return {path.relative_to(book.html).as_posix(): read(path) for path in book.html.rglob("*.html")}


def test_builds_without_a_warning(book):
    assert book.said == ""


def test_every_chapter_and_every_appendix_is_a_page(pages):
    assert {f"notebooks/{name}.html" for name in CHAPTERS} <= set(pages)
    assert {"index.html", "search.html", "generated/agreement.html", "generated/kills.html"} <= set(pages)


def test_no_page_has_a_fault(book):
    assert list(faults(book.html)) == []


def test_every_page_keeps_its_budget(pages):
    assert {name: weight(page) for name, page in pages.items() if weight(page) > BUDGET} == {}


def test_nothing_is_loaded_from_elsewhere(pages):
    assert not [url for page in pages.values() for url in page.loads if re.match(r"\w+:|//", url)]


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_chapter_has_figures_with_words_and_what_draws_them(pages, name):
    page = pages[f"notebooks/{name}.html"]
    text = page.path.read_text()
    assert page.figures
    assert text.count('<div class="khosim-words"><p><strong>') == len(page.figures)
    assert text.count('<script type="application/json" id="khosim-sources">') == 1
    loaded = {url.partition("?")[0] for url in page.loads}
    assert "../_static/figures.js" in loaded
    assert "vnd.jupyter.widget" not in text


def test_a_page_without_figures_loads_no_stepper(pages):
    assert not [url for url in pages["index.html"].loads if "stepper" in url or "figures" in url]


def test_what_a_chapter_names_is_linked(pages):
    page = pages["notebooks/00-start-here.html"]
    assert "../generated/coverage.html#p36" in page.links
    assert "../glossary.html#term-PFN-bit" in page.links
    assert "../generated/code.html#fn-shmem-alloc-kho-folio" in pages["notebooks/01-frames-bits-and-a-buddy.html"].links


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_table_at_a_glance_is_a_card(pages, name):
    text = pages[f"notebooks/{name}.html"].path.read_text()
    assert "glance" in text
    assert "<dt>Fidelity</dt>" in text


def test_every_element_and_every_bug_has_its_place(pages):
    assert {f"p{n:02}" for n in range(1, 42)} <= set(pages["generated/coverage.html"].ids)
    assert {f"b{n:02}" for n in range(1, 47)} <= set(pages["generated/catalogue.html"].ids)


def test_no_page_gives_a_solution_away(pages):
    for name, page in pages.items():
        text = page.path.read_text()
        assert leaks(f"{text} {unescape(re.sub('<[^>]*>', '', text))}") == [], name
