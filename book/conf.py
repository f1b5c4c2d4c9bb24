"""How the chapters are bound into pages. What they say is in notebooks/; book/press runs them and makes their figures.

Nothing on a page is fetched from elsewhere, so the book opens without a network, and from a plain file.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

BOOK = Path(__file__).parent
ROOT = BOOK.parent
sys.path.insert(0, str(ROOT))  # for the press, and for the model beside it

from sphinx.application import Sphinx  # noqa: E402
from sphinx.config import Config  # noqa: E402
from sphinx.highlighting import PygmentsBridge  # noqa: E402
from sphinx.util import logging  # noqa: E402

from book.press.card import Card  # noqa: E402
from book.press.chapters import KEPT, press  # noqa: E402
from book.press.embed import loader  # noqa: E402
from book.press.generate import appendices, names, numbers  # noqa: E402
from book.press.lean import Lean, lighten  # noqa: E402
from book.press.links import References, StepLinks  # noqa: E402
from book.press.mathml import visit_math, visit_math_block  # noqa: E402
from book.press.pages import faults  # noqa: E402
from book.press.tokens import QuietHtml, theme  # noqa: E402

GENERATED = BOOK / "generated"
CHAPTERS = BOOK / "notebooks"  # made here: Sphinx reads one folder, and the chapters live in another
STEPPER = ROOT / "khosim" / "show" / "static"

IDLE = {"mystnb", "furo-extensions"}  # stylesheets for outputs and extensions that our pages never hold
SEARCHING = {"documentation_options", "doctools", "sphinx_highlight"}  # scripts that serve the search alone

log = logging.getLogger(__name__)
css = (STEPPER / "stepper.css").read_text()

project = "Pages That Survive"
author = "The khosim authors"
copyright = "2026 The khosim authors. Text CC BY 4.0, code MIT"  # noqa: A001 - the name is Sphinx's

extensions = ["myst_nb", "sphinxcontrib.bibtex"]
exclude_patterns = ["_build", "_static", "_templates", "data", "press"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3

bibtex_bibfiles = ["references.bib"]

html_theme = "furo"
html_title = project
templates_path = ["_templates"]
html_static_path = ["_static/book.css", "generated/static"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # a summary is fetched, and from a plain file nothing can be
html_math_renderer = "mathml"
html_theme_options = {
    "light_css_variables": theme(css, dark=False),
    "dark_css_variables": theme(css, dark=True),
}
PygmentsBridge.html_formatter = QuietHtml
pygments_style = "book.press.tokens.LightCode"
pygments_dark_style = "book.press.tokens.DarkCode"

nb_execution_mode = "off"  # the press has run them
nb_render_markdown_format = "myst"  # a table that a cell makes is a table; the default leaves its bars as text
nb_ipywidgets_js = {}  # the default names scripts on a CDN


def make_pages(_app: Sphinx, _config: Config) -> None:
    """Run the chapters, replay the recorded kernel, and write what Sphinx is to read."""
    for folder in (CHAPTERS, GENERATED):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    chapters = press((ROOT / "notebooks").glob("*.md"), KEPT)
    for chapter in chapters:
        (CHAPTERS / f"{chapter.name}.ipynb").write_text(chapter.text)
        for line in chapter.wrong:
            log.warning(line)
    for name, (text, wrong) in appendices(chapters, KEPT).items():
        (GENERATED / f"{name}.md").write_text(text)
        for line in wrong:
            log.warning("%s: %s", name, line)
    static = GENERATED / "static"
    static.mkdir()
    carried = loader(STEPPER / "stepper.js", STEPPER / "stepper.css", BOOK / "_static" / "figures.js")
    (static / "figures.js").write_text(carried)


def dress(app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: Any) -> None:
    """Load the stepper where there is one, and the search on its page. What our pages never use stays away."""
    if doctree is not None and "khosim-figure" in context.get("body", ""):
        app.add_js_file("figures.js", loading_method="defer")
    context["css_files"] = [file for file in context["css_files"] if not IDLE & set(_words(file))]
    if page != "search":
        context["script_files"] = [file for file in context["script_files"] if not SEARCHING & set(_words(file))]


def _words(file: Any) -> list[str]:
    return re.split(r"[/.]", str(file.filename))


def check(app: Sphinx, failed: Exception | None) -> None:
    """Leave out of the theme's style what no page uses, and read the pages once more, as a browser would."""
    if failed is None and app.builder.name == "html":
        lighten(Path(app.outdir))
        for line in faults(Path(app.outdir)):
            log.warning(line)


def setup(app: Sphinx) -> None:
    """Join the press to Sphinx."""
    app.connect("config-inited", make_pages)
    app.connect("html-page-context", dress)
    app.connect("build-finished", check)
    app.connect("doctree-resolved", References(names(), numbers()))
    app.add_transform(StepLinks)
    app.add_transform(Card)
    app.set_translator("html", Lean)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
