from io import BytesIO

import pytest
from playwright.sync_api import sync_playwright
from pypdf import PdfReader

from tools.pdf import bind, contents, printed

SIDE = """<a href="x.html">x</a><div class="sidebar-tree"><div><a href="a.html">A</a></div><a href="b.html#c">B</a>
<a href="genindex.html">I</a><a href="a.html">again</a></div><a href="y.html">y</a>"""


def test_the_order_is_that_of_the_side_bar():
    assert contents(SIDE) == ["index.html", "a.html", "b.html"]


@pytest.fixture
def folder(tmp_path):
    link = '<a href="{}">there</a>'.format
    outside = link("https://kernel.org/") + link((tmp_path.parent / "secret.html").as_uri())
    (tmp_path / "a.html").write_text("<h1>One</h1><h2>Part</h2>" + link("b.html#x") + outside)
    (tmp_path / "b.html").write_text('<h1>Two</h1><p style="break-before: page" id=x>' + link("a.html"))
    return tmp_path


def test_one_document_with_bookmarks_whose_links_stay_inside(folder, need):
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=need("chromium", "chromium"), args=["--no-sandbox"])
        book = bind(list(printed(browser, folder, ["a.html", "b.html"])), folder)
        browser.close()
    data = BytesIO()
    book.write(data)
    read = PdfReader(data)
    assert len(read.pages) == 3
    one, [part], two = read.outline
    assert [one.title, part.title, two.title] == ["One", "Part", "Two"]
    assert [read.get_destination_page_number(mark) for mark in (one, part, two)] == [0, 0, 1]
    first, second, *more = [note.get_object() for note in read.pages[0]["/Annots"]]
    assert first["/Dest"][0] == read.pages[1].indirect_reference
    assert second["/A"]["/URI"] == "https://kernel.org/"
    assert not more
    assert str(folder).encode() not in data.getvalue()
