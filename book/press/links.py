"""Links that Markdown cannot say by itself: to a step of a figure, a function, an element or a bug of the patch."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from book.press.names import Names

__all__ = ["References", "StepLinks"]

log = logging.getLogger(__name__)
Link = Callable[[str, str, nodes.Node], nodes.reference]

CODE_PAGE = "generated/code"
NEW_TERMS = "New terms:"
CALL = re.compile(r"([A-Za-z_][\w.]*)\(\)")
NUMBER = re.compile(r"\b([BP]\d\d)\b")
FIGURE = re.compile(r'<div class="khosim-figure" id="([^"]+)"')


class StepLinks(SphinxTransform):
    """`[step 12](#one-page-crosses@12)`: MyST looks for headings only, so figures are told to it here.

    That the step exists is read from the built page, as for every other link.
    """

    default_priority = 870  # before MyST resolves what begins with #

    def apply(self, **_kwargs: Any) -> None:
        """Make links to this page's figures, and to steps of another page's, plain links."""
        here = {name for raw in self.document.findall(nodes.raw) for name in FIGURE.findall(raw.astext())}
        for link in self.document.findall(nodes.reference):
            place = unquote(link.get("refuri", ""))[1:].partition("@")[0]
            if link.get("id_link") and place in here:
                del link["id_link"]
        for there in list(self.document.findall(addnodes.pending_xref)):
            if there.get("refdomain") == "doc" and "@" in (there.get("reftargetid") or ""):
                page = self.app.builder.get_relative_uri(self.env.docname, there["reftarget"])
                plain = nodes.reference("", "", *there.children, refuri=f"{page}#{there['reftargetid']}")
                there.replace_self(plain)


class References:
    """Makes links of what a text names: functions in backticks, P01 and B01, and the new terms of a chapter."""

    def __init__(self, names: Names, pages: Mapping[str, str]) -> None:
        """Take the functions, and for every P01 and B01 the page that it is on."""
        self.names, self.pages = names, pages

    def __call__(self, app: Sphinx, doctree: nodes.document, page: str) -> None:
        """Go through one page; a name that leads nowhere is a warning."""

        def link(target: str, place: str, node: nodes.Node) -> nodes.reference:
            return nodes.reference(
                "", "", node, refuri=f"{app.builder.get_relative_uri(page, target)}#{place}", internal=True
            )

        for literal in list(doctree.findall(nodes.literal)):
            self._function(literal, link)
        for text in list(doctree.findall(nodes.Text)):
            self._numbers(text, link)
        for paragraph in list(doctree.findall(nodes.paragraph)):
            if paragraph.astext().startswith(NEW_TERMS):
                self._terms(app.env, paragraph, link)

    def _function(self, literal: nodes.literal, link: Link) -> None:
        call = CALL.fullmatch(literal.astext())
        if call is None:
            return
        place = self.names.find(call[1])
        if place is None:
            log.warning("%s() is no function of the model, and not in data/names.yml", call[1], location=literal)
        elif place and not _inside(literal, nodes.reference, nodes.title):
            literal.replace_self(link(CODE_PAGE, place, literal.deepcopy()))

    def _numbers(self, text: nodes.Text, link: Link) -> None:
        if _inside(text, nodes.reference, nodes.title, nodes.literal, nodes.literal_block, nodes.raw, nodes.comment):
            return
        words = NUMBER.split(text.astext())
        if len(words) == 1:
            return
        new: list[nodes.Node] = []
        for word in filter(None, words):
            if NUMBER.fullmatch(word) and word not in self.pages:
                log.warning("there is no %s", word, location=text.parent)
            known = NUMBER.fullmatch(word) and word in self.pages
            new.append(link(self.pages[word], word.lower(), nodes.Text(word)) if known else nodes.Text(word))
        text.parent.replace(text, new)

    def _terms(self, env: BuildEnvironment, paragraph: nodes.paragraph, link: Link) -> None:
        objects = env.domains.standard_domain.objects
        known = {name.lower(): (page, place) for (kind, name), (page, place) in objects.items()
                 if kind == "term"}  # fmt: skip
        new: list[nodes.Node] = [nodes.Text(NEW_TERMS + " ")]
        for word in paragraph.astext().removeprefix(NEW_TERMS).strip(" .\n").split(","):
            term = " ".join(word.split())
            if term.lower() not in known:
                log.warning("the new term %r is not in the glossary", term, location=paragraph)
                continue
            new += [nodes.Text(", " * (len(new) > 1)), link(*known[term.lower()], nodes.Text(term))]
        paragraph.children = []
        paragraph.extend([*new, nodes.Text(".")])


def _inside(node: nodes.Node, *kinds: type[nodes.Node]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False
