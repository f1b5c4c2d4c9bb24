"""A plate has the page's own ground, by day and by night, in the book and in JupyterLab; its colours keep their hue."""

import io
from pathlib import Path

import pytest
from matplotlib.image import imread

import khosim
from khosim.show import plot
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


@pytest.mark.parametrize(("light", "ground", "ink"), [("true", 255, "dark"), ("false", 17, "bright")])
def test_a_plate_that_was_run_in_jupyterlab_wears_its_theme(browser, light, ground, ink):
    html = plot.plate(khosim.boot(frames=64, page_size=64).snapshot(), plot.bitmap)._repr_mimebundle_()["text/html"]
    style = f"margin:0;background:rgb({ground} {ground} {ground})"
    text = f"""<!doctype html><html lang="en"><head><title>p</title><link rel="icon" href="data:,"></head>
    <body style="{style}" data-jp-theme-light="{light}">{html}</body></html>"""
    with served({"/": ("text/html", text.encode())}) as address, opened(browser, address, 800, "img") as page:
        seen = imread(io.BytesIO(page.locator("img").screenshot()))[..., :3] * 255
    assert abs(seen[1, 1] - ground).max() <= 2
    assert seen.min() < 50 if ink == "dark" else seen.max() > 200
