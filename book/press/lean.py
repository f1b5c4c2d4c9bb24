"""What a page need not carry: words of elements that nobody reads, and rules of a theme that no page uses."""

import re
from collections.abc import Container
from html.parser import HTMLParser
from pathlib import Path

from docutils import nodes
from sphinx.writers.html5 import HTML5Translator

__all__ = ["Lean", "lighten", "prune", "used"]

THEME = "_static/styles/furo.css"

RULE = re.compile(r"([^{}]+)\{((?:[^{}]|\{[^{}]*\})*)\}")
NAME = re.compile(r"[.#]([A-Za-z_][\w-]*)")
NOT = re.compile(r":not\([^)]*\)")
VARIABLE = re.compile(r"""(?<![\w-])(--[\w-]+):((?:"[^"]*"|'[^']*'|[^;{}"'])*);?""")
VALUE = re.compile(r"var\((--[\w-]+)")


class Lean(HTML5Translator):
    """Sphinx's own, with one element and one class for words in code."""

    def visit_literal(self, node: nodes.Element) -> None:
        """Write all of it."""
        self.body.append(f'<code class="literal">{self.encode(node.astext())}</code>')
        raise nodes.SkipNode


class _Names(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element's name, classes and id."""
        self.found.add(tag)
        for name, value in attrs:
            if name in ("class", "id"):
                self.found.update((value or "").split())


def lighten(folder: Path) -> None:
    """Prune the theme's stylesheet of a built book. It may be done again: what is gone is not missed."""
    theme = folder / THEME
    asking = [*folder.rglob("*.html"), *(css for css in (folder / "_static").glob("*.css"))]
    theme.write_text(prune(theme.read_text(), used(folder), "".join(path.read_text() for path in asking)))


def used(folder: Path) -> set[str]:
    """Return every class and id of the pages in a folder, and every word of their scripts, which may make some."""
    reader = _Names()
    for page in folder.rglob("*.html"):
        reader.feed(page.read_text())
    for script in folder.rglob("*.js"):
        reader.found.update(re.findall(r"[\w-]+", script.read_text()))
    return reader.found


def prune(css: str, names: Container[str], elsewhere: str = "") -> str:
    """Return a stylesheet without rules for classes and ids that are not among `names`, and without idle variables.

    It is minified, as a theme's is: no brace in a text, and no rule deeper than one `@media`. `elsewhere` is all other
    text that may ask for its variables.
    """

    def rule(found: re.Match[str]) -> str:
        head, body = found.groups()
        if head.startswith("@"):
            inside = RULE.sub(rule, body)
            return f"{head}{{{inside}}}" if inside else ""
        alive = [one for one in head.split(",") if all(name in names for name in NAME.findall(NOT.sub("", one)))]
        return f"{','.join(alive)}{{{body}}}" if alive else ""

    css = RULE.sub(rule, css)
    while idle := {name for name, _ in VARIABLE.findall(css)} - {*VALUE.findall(css), *VALUE.findall(elsewhere)}:
        css = VARIABLE.sub(lambda found: "" if found[1] in idle else found[0], css)
    return css
