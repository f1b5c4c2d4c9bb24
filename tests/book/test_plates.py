"""A plate in the book has the page's own ground, by day and by night, and its colours keep their hue."""

import io
from pathlib import Path

import pytest
from matplotlib.image import imread

from khosim.show.palette import palette
from tests.browser import opened
from tools.browser import served

CSS = Path(__file__).parents[2] / "book/_static/book.css"
PAGE = """<!doctype html><html lang="en"><head><title>p</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/book.css"></head><body style="margin:0;background:%s" data-theme="%s">
<div class="cell_output"><img alt="" style="display:block" src="data:image/svg+xml,
<svg xmlns='http://www.w3.org/2000/svg' width='90' height='30'><rect width='30' height='30' fill='white'/>
<rect x='30' width='30' height='30' fill='%s'/><rect x='60' width='30' height='30' fill='%s'/></svg>"></div>
</body></html>"""


def drawn(browser, theme, scheme):
    """The colours of a plate's paper, of ink and of a cached frame, as they reach the eye, 0 to 255."""
    day, ground = palette(), palette(dark=theme == "dark" or (theme == "auto" and scheme == "dark"))["paper"]
    text = PAGE % (ground, theme, *(day[name].replace("#", "%23") for name in ("ink", "file")))
    files = {"/": ("text/html", text.encode()), "/book.css": ("text/css", CSS.read_bytes())}
    with served(files) as address, opened(browser, address, 90, "img", color_scheme=scheme) as page:
        seen = imread(io.BytesIO(page.screenshot()))[15, [15, 45, 75], :3] * 255
    return ground, seen


@pytest.mark.parametrize(
    ("theme", "scheme"), [("light", "light"), ("light", "dark"), ("dark", "light"), ("auto", "dark"), ("auto", "light")]
)
def test_a_plate_lies_on_the_page_and_its_ink_stands_out(browser, theme, scheme):
    ground, (paper, ink, blue) = drawn(browser, theme, scheme)
    whole = ground.removeprefix("#") if len(ground) > 4 else "".join(2 * c for c in ground[1:])
    page = [int(whole[k : k + 2], 16) for k in (0, 2, 4)]
    assert abs(paper - page).max() <= 2
    assert abs(ink - paper).min() > 150
    assert blue.argmax() == 2
    assert abs(blue - paper).max() > 120
