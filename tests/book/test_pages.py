import pytest

from book.press.pages import BUDGET, faults, read, weight

FIGURE = '<div class="khosim-figure" id="a" data-t="0" data-steps="3"></div>'


@pytest.fixture
def folder(tmp_path):
    def write(**files):
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        return tmp_path

    return write


def test_a_good_book_has_no_fault(folder):
    links = '<a href="#a@3">3</a> <a href="b.html#top">b</a> <a href="https://kernel.org">k</a> <a href="#">up</a>'
    links += '<script src="s.js?v=1"></script><img src="data:image/png;base64,iVBORw0KGgo=">'
    assert list(faults(folder(a_html=FIGURE + links, b_html='<p id="top">', s_js=""))) == []


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<script src="https://cdn.example/x.js"></script>', "a.html: loads https://cdn.example/x.js from elsewhere"),
        ('<img src="//cdn.example/x.png">', "a.html: loads //cdn.example/x.png from elsewhere"),
        ('<link rel="stylesheet" href="gone.css">', "a.html: loads gone.css, which is not there"),
        ('<p id="a"><p id="a">', "a.html: two elements have the id a"),
        ('<a href="#b">', "a.html: #b leads nowhere"),
        ('<a href="c.html">', "a.html: c.html leads nowhere"),
        (FIGURE + '<a href="#a@4">', "a.html: #a@4 leads nowhere"),
        (FIGURE + '<a href="#a@x">', "a.html: #a@x leads nowhere"),
        ('<p id="b"><a href="#b@1">', "a.html: #b@1 leads nowhere"),
        (FIGURE + " " * BUDGET, "a.html: 300 KiB with its steppers, 300 are allowed"),
    ],
)  # fmt: skip
def test_a_fault_is_named(folder, html, fault):
    assert list(faults(folder(a_html=html))) == [fault]


def test_a_stylesheet_that_asks_elsewhere_is_a_fault(folder):
    css = '@import "https://x.example/f.css"; p { background: url(//x.example/y.png) }'
    found = [fault.split()[2] for fault in faults(folder(a_html="", a_css=css))]
    assert found == ["https://x.example/f.css", "//x.example/y.png"]


def test_a_page_weighs_what_it_loads_and_each_file_once(folder):
    html = '<script src="s.js"></script><script src="s.js?again"></script><a href="b.html">'
    here = folder(a_html=html, s_js="12345", b_html="x" * 99)
    page = read(here / "a.html")
    assert weight(page) == (here / "a.html").stat().st_size + 5
