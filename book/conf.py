"""How the chapters are bound into pages. What they hold is in notebooks/, executed and stored there.

Nothing on a page is fetched from elsewhere, so the book opens without a network, and from a plain file.
"""

import shutil
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

from khosim.conform.report import explain, report
from khosim.conform.verdict import Tally, judge_file

BOOK = Path(__file__).parent
GENERATED = BOOK / "generated"
CHAPTERS = BOOK / "notebooks"  # a copy: Sphinx reads one folder, and the chapters live in another

project = "Pages That Survive"
author = "The khosim authors"
copyright = "2026 The khosim authors. Text CC BY 4.0, code MIT"  # noqa: A001 - the name is Sphinx's

extensions = ["myst_nb"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"

nb_execution_mode = "off"  # the outputs are the stored ones, which the tests have compared
nb_ipywidgets_js = {}  # the default names scripts on a CDN
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]  # needs a kernel


def bring_chapters(_app: Sphinx, _config: Config) -> None:
    """Copy the executed half of each pair; the other half would say everything twice."""
    shutil.rmtree(CHAPTERS, ignore_errors=True)
    CHAPTERS.mkdir()
    for chapter in (BOOK.parent / "notebooks").glob("*.ipynb"):
        shutil.copy(chapter, CHAPTERS)


def account_for_agreement(_app: Sphinx, _config: Config) -> None:
    """Replay the recorded runs and write what came of it; a difference that nobody explained fails the build."""
    tally = Tally()
    traces = sorted((BOOK.parent / "tests" / "traces").glob("*.jsonl.gz"))
    for path in traces:
        for verdict in judge_file(path):
            tally.add(verdict)
    for found in tally.differences:
        if not explain(found):
            logging.getLogger(__name__).warning("not explained: %s", found)
    GENERATED.mkdir(exist_ok=True)
    (GENERATED / "agreement.md").write_text(report(tally, [path.name for path in traces]))


def mathml(node: nodes.math | nodes.math_block, *, block: bool) -> str:
    """Translate TeX to what browsers draw by themselves; the usual renderer is a script on a CDN."""
    try:
        return tex2mathml(node.astext(), as_block=block)
    except MathError as error:
        logging.getLogger(__name__).warning("math: %s", error, location=node)
        return ""


def visit_math(page: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line."""
    page.body.append(mathml(node, block=False))
    raise nodes.SkipNode


def visit_math_block(page: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on its own, with its number if a label asks for one."""
    page.body.append(page.starttag(node, "div", CLASS="math", STYLE="margin: 1rem 0"))
    if node["number"]:
        page.body.append(f'<span class="eqno">({node["number"]})</span>')
    page.body.append(mathml(node, block=True) + "</div>")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Join the two to Sphinx."""
    app.connect("config-inited", bring_chapters)
    app.connect("config-inited", account_for_agreement)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
