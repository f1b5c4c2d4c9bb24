"""The table under "At a glance" as a card: readers in Jupyter see the table, readers of the page the card."""

from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from book.press.model import BUG, elements

__all__ = ["ROWS", "Card", "faults"]

ROWS = ("Time", "Necessary", "Helpful", "Seed elements", "Bugs", "Fidelity")


def faults(rows: Mapping[str, str]) -> Iterator[str]:
    """Say what is missing in a card, or cannot be true of it; `rows` are its lines as text."""
    if tuple(rows) != ROWS:
        yield f"the rows are {', '.join(rows)}; they must be {', '.join(ROWS)}"
        return
    if "minute" not in rows["Time"]:
        yield "the time is not in minutes"
    if not elements(rows["Seed elements"]) and not rows["Seed elements"].startswith("none"):
        yield "seed elements are named as P01, or there are none"
    if not BUG.search(rows["Bugs"]) and not rows["Bugs"].startswith("none"):
        yield "bugs are named as B01, or there are none"


class Card(SphinxTransform):
    """Make the card, and check it. That the elements and bugs in it exist is checked with all others in the text."""

    default_priority = 400

    def apply(self, **_kwargs: Any) -> None:
        """Replace the table of this page, if it has one."""
        for section in self.document.findall(nodes.section):
            if section[0].astext() != "At a glance":
                continue
            table = next(iter(section.findall(nodes.table)), None)
            if table is None:
                logging.getLogger(__name__).warning("At a glance: no table follows", location=section)
                continue
            rows = [[entry.children for entry in row.findall(nodes.entry)] for row in next(table.findall(nodes.tbody))]
            texts = {key[0].astext(): " ".join(c.astext() for c in said) for key, said in rows}
            for fault in faults(texts):
                logging.getLogger(__name__).warning("At a glance: %s", fault, location=table)
            table.replace_self(_card(rows))


def _card(rows: list[list[list[nodes.Node]]]) -> nodes.container:
    items = [
        nodes.definition_list_item("", nodes.term("", "", *key[0].children), nodes.definition("", *said))
        for key, said in rows
    ]
    return nodes.container("", nodes.definition_list("", *items), classes=["glance"])
