"""What holds of every page of the built book, read from the HTML itself."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["BUDGET", "Page", "faults", "read", "weight"]

BUDGET = 300 * 1024
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}
LOADING_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}


@dataclass(slots=True)
class Page:
    """One page: the ids in it, its links, what it loads, and its figures with their last steps."""

    path: Path
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        has = {name: value or "" for name, value in attrs}
        if has.get("id"):
            self.page.ids.append(has["id"])
        if "khosim-figure" in has.get("class", "").split():
            self.page.figures[has["id"]] = int(has["data-steps"])
        if tag == "a" and "href" in has:
            self.page.links.append(has["href"])
        if (source := has.get(LOADS.get(tag, ""), "")) and not source.startswith("data:"):  # a picture in its own words
            self.page.loads.append(source)
        if tag == "link" and LOADING_LINKS & set(has.get("rel", "").split()):
            self.page.loads.append(has["href"])


def read(path: Path) -> Page:
    """Read one page."""
    page = Page(path)
    _Reader(page).feed(path.read_text())
    return page


def weight(page: Page) -> int:
    """Return the bytes of a page and of all that it loads."""
    return sum(path.stat().st_size for path in {page.path, *(_file(page, url) for url in page.loads)})


def faults(folder: Path) -> Iterator[str]:
    """Say what is wrong in a built book: weight, ids, what is loaded from elsewhere, links that lead nowhere."""
    pages = {path.resolve(): read(path) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(folder.resolve()).as_posix()
        outside = [url for url in page.loads if urlsplit(url).scheme or url.startswith("//")]
        yield from (f"{name}: loads {url} from elsewhere" for url in outside)
        yield from (f"{name}: two elements have the id {i}" for i, n in Counter(page.ids).items() if n > 1)
        missing = [url for url in page.loads if url not in outside and not _file(page, url).exists()]
        yield from (f"{name}: loads {url}, which is not there" for url in missing)
        if page.figures and not missing and (bytes_ := weight(page)) > BUDGET:
            yield f"{name}: {bytes_ / 1024:.0f} KiB with its steppers, {BUDGET // 1024} are allowed"
        yield from (f"{name}: {url} leads nowhere" for url in page.links if not _leads(pages, page, url))
    for css in sorted(folder.rglob("*.css")):
        for url in re.findall(r"url\([\"']?((?:https?:)?//[^)]+)|@import [\"'](http[^\"']+)", css.read_text()):
            yield f"{css.name}: loads {''.join(url)} from elsewhere"


def _file(page: Page, url: str) -> Path:
    return (page.path.parent / unquote(urlsplit(url).path)).resolve() if urlsplit(url).path else page.path.resolve()


def _leads(pages: dict[Path, Page], page: Page, url: str) -> bool:
    """Whether a link that stays in the book arrives."""
    parts = urlsplit(url)
    if parts.scheme or url.startswith("//"):
        return True
    target = pages.get(_file(page, url))
    if target is None:
        return _file(page, url).exists()
    place, _, step = unquote(parts.fragment).partition("@")
    if not place:
        return True
    return place in target.ids and (not step or (step.isdigit() and int(step) <= target.figures.get(place, -1)))
