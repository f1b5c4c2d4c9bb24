"""Links that Markdown cannot say by itself: to a step of a figure."""

import re
from typing import Any
from urllib.parse import unquote

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

__all__ = ["StepLinks"]

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
