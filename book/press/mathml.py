"""Formulas as MathML, which browsers draw by themselves; the usual renderer is a script on a CDN."""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

__all__ = ["visit_math", "visit_math_block"]


def mathml(node: nodes.math | nodes.math_block, *, block: bool) -> str:
    """Translate the TeX of a node; what cannot be translated is a warning."""
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
    page.body.append(page.starttag(node, "div", CLASS="math"))
    if node["number"]:
        page.body.append(f'<span class="eqno">({node["number"]})</span>')
    page.body.append(mathml(node, block=True) + "</div>")
    raise nodes.SkipNode
