import re

import pytest

from book.press.lean import THEME, lighten, prune, used

CSS = (
    'body{--a:1px;--b:var(--a);--icon:url("data:x;y");color:red}.kept>p,.gone p{margin:var(--b)}'
    "@media print{.gone{top:0}}@media(max-width:9em){#kept:not(.gone){left:0}.gone{left:1px}}"
    ".gone:before{mask:var(--icon)}"
)


def test_a_rule_for_what_no_page_has_is_left_out_with_its_variables():
    kept = "body{--a:1px;--b:var(--a);color:red}.kept>p{margin:var(--b)}@media(max-width:9em){#kept:not(.gone){left:0}}"
    assert prune(CSS, {"kept"}) == kept


def test_a_style_of_which_all_is_used_stays_as_it_is():
    assert prune(CSS, {"kept", "gone"}) == CSS


def test_a_variable_that_is_asked_for_elsewhere_stays():
    assert "--icon:url" in prune(CSS, {"kept"}, "b { mask: var(--icon) }")
    assert "--icon:url" not in prune(CSS, {"kept"})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / THEME).parent.mkdir(parents=True)
    (tmp_path / THEME).write_text(CSS)
    (tmp_path / "a.html").write_text('<p class="kept one" id="two">')
    return tmp_path


def test_what_a_script_names_may_come_to_be(folder):
    (folder / "a.js").write_text('b.classList.add("gone-by")')
    assert {"kept", "one", "two", "gone-by"} <= used(folder)


def test_a_book_is_lightened_once(folder):
    lighten(folder)
    once = (folder / THEME).read_text()
    lighten(folder)
    assert (folder / THEME).read_text() == once == prune(CSS, {"kept"})


def test_no_rule_of_the_theme_is_lost_that_a_page_may_need(book):
    """Each class that a page has and the theme knew is still known."""
    names, css = used(book.html), (book.html / THEME).read_text()
    assert len(css) < 36_000
    for name in ("sidebar-drawer", "toc-tree", "headerlink", "theme-toggle", "related-pages", "search"):
        assert name in names
        assert re.search(rf"[.#]{name}[^\w-]", css)


def test_every_drawing_that_a_page_shows_is_in_it(book):
    for page in book.html.rglob("*.html"):
        text = page.read_text()
        shown = set(re.findall(r'<use href="#([\w-]+)"', text))
        assert shown
        assert shown <= set(re.findall(r'<symbol id="([\w-]+)"', text)), page.name
