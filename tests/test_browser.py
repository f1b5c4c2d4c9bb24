"""The tests' own browser: it asks nobody outside, and tells when a page tries."""

import pytest

from tests.browser import opened
from tools.browser import served

OTHERS = {
    "a picture": "<img src='http://192.0.2.1/a.png'>",
    "a style": "<link rel=stylesheet href='https://cdn.jsdelivr.net/a.css'>",
    "a script": "<script type=module src='//unpkg.com/a.js'></script>",
    "a question": "<script>fetch('https://example.org/').catch(() => 0)</script>",
    "a socket": "<script>new WebSocket('ws://192.0.2.1/')</script>",
}


def visit(browser, body):
    page = f"<!doctype html><link rel=icon href=data:,><p>here</p>{body}"
    with served({"/": ("text/html", page.encode())}) as address, opened(browser, address, selector="p") as tab:
        tab.wait_for_load_state("networkidle")


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_a_page_that_asks_elsewhere_is_refused_and_told_of(browser, body):
    with pytest.raises(AssertionError, match=r"192\.0\.2\.1|jsdelivr|unpkg|example\.org"):
        visit(browser, body)


def test_a_page_that_complains_is_told_of(browser):
    with pytest.raises(AssertionError, match="broken"):
        visit(browser, "<script>throw new Error('broken')</script>")


def test_a_page_that_asks_nobody_passes(browser):
    visit(browser, "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' alt=''>")
