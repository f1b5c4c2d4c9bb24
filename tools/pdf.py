"""Print the built book into one file: python -m tools.pdf. Chromium prints each page, with its steppers as strips.

The order is that of the contents; each page is a bookmark, and its sections below it. Links between pages stay links.
"""

import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, sync_playwright
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject

from tools.browser import FLAGS, program

HTML = Path(__file__).parent.parent / "book" / "_build" / "html"
OUT = HTML.parent / "pages-that-survive.pdf"
LEFT_OUT = {"genindex.html", "search.html"}
PAPER = {"format": "A4", "margin": {"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}}


class _Contents(HTMLParser):
    """The pages that the side bar of the first page links, in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.pages, self.inside = ["index.html"], 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        if tag == "div":
            self.inside += bool(self.inside) or "sidebar-tree" in (has.get("class") or "").split()
        page = urlsplit(has.get("href") or "").path
        if self.inside and tag == "a" and page and page not in self.pages:
            self.pages.append(page)

    def handle_endtag(self, tag: str) -> None:
        self.inside -= tag == "div" and self.inside > 0


def contents(index: str) -> list[str]:
    """Return the pages of the book in reading order, from the HTML of its first page."""
    reader = _Contents()
    reader.feed(index)
    return [page for page in reader.pages if page not in LEFT_OUT]


def printed(browser: Browser, folder: Path, pages: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (page, PDF) for each page. Raises `RuntimeError` if one of its steppers could not be drawn."""
    tab = browser.new_page(color_scheme="light", viewport={"width": 1000, "height": 1400})
    for name in pages:
        tab.goto((folder / name).resolve().as_uri())
        if tab.locator(".khosim-figure").count():
            tab.wait_for_function("document.documentElement.dataset.khosim === 'ready'")
        data = tab.pdf(print_background=True, outline=True, tagged=True, **PAPER)
        if failed := tab.locator(".khosim-figure[data-failed]").count():
            raise RuntimeError(f"{name}: {failed} steppers could not be drawn")
        yield name, data


def bind(pages: Sequence[tuple[str, bytes]], folder: Path) -> PdfWriter:
    """Return one document of the printed pages, with bookmarks, in which links to `folder` lead to its own pages."""
    book = PdfWriter()
    starts: dict[str, int] = {}
    for name, data in pages:
        starts[name] = len(book.pages)
        book.append(BytesIO(data), import_outline=True)  # its headings
    for page in book.pages:
        kept = [note for note in page.get("/Annots", ()) if not _lead(note.get_object(), folder, starts, book)]
        page[NameObject("/Annots")] = ArrayObject(kept)
    book.add_metadata({"/Title": "Pages That Survive", "/Author": "The khosim authors"})
    return book


def _lead(note: DictionaryObject, folder: Path, starts: dict[str, int], book: PdfWriter) -> bool:
    """Turn a link to a file of the book into a link within the document; tell whether it must go instead."""
    action = note.get("/A", DictionaryObject()).get_object()
    url = str(action.get("/URI", ""))
    if not url.startswith("file:"):
        return False
    path = Path(unquote(urlsplit(url).path))
    name = path.relative_to(folder.resolve()).as_posix() if path.is_relative_to(folder.resolve()) else ""
    if name not in starts:
        return True
    del note[NameObject("/A")]
    note[NameObject("/Dest")] = ArrayObject([book.pages[starts[name]].indirect_reference, NameObject("/Fit")])
    return False


def main() -> None:
    """Print the book."""
    if not program():
        sys.exit("Printing needs Chromium. On Debian or Ubuntu: apt install chromium")
    if not (HTML / "index.html").exists():
        sys.exit("There is no book yet: run make book")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program(), args=FLAGS)
        pages = list(printed(browser, HTML, contents((HTML / "index.html").read_text())))
        browser.close()
    book = bind(pages, HTML)
    book.write(OUT)
    print(f"{len(pages)} chapters and appendices on {len(book.pages)} pages: {OUT}")


if __name__ == "__main__":
    main()
