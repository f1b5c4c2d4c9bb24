"""The book wears the stepper's colours: its stylesheet is the one place where they are written."""

import re
from collections.abc import Iterable, Iterator
from typing import TextIO

from pygments.formatters import HtmlFormatter
from pygments.style import Style
from pygments.token import Comment, Error, Generic, Keyword, Number, Operator, String, Token, _TokenType

from khosim.show.palette import palette, tokens

__all__ = ["DarkCode", "LightCode", "QuietHtml", "theme"]

KIND = re.compile(r"(?P<where>.*) (?P<kind>\.\w+) \{ (?P<look>.*?) \}")

FURO = {
    "color-foreground-primary": "ink", "color-foreground-secondary": "ink2", "color-foreground-muted": "ink2",
    "color-foreground-border": "line", "color-background-primary": "paper", "color-background-secondary": "wash",
    "color-background-hover": "wash", "color-background-border": "line", "color-background-item": "line",
    "color-brand-primary": "file", "color-brand-content": "file", "color-brand-visited": "file",
    "color-inline-code-background": "wash", "color-code-background": "wash", "color-code-foreground": "ink",
    "color-card-background": "paper", "color-card-border": "line", "color-admonition-background": "wash",
    "color-highlight-on-target": "now-wash", "color-problematic": "bad", "color-toc-item-text": "ink2",
    "color-announcement-background": "wash", "color-announcement-text": "ink",
}  # fmt: skip
"""Furo's variable -> the role that the stepper's stylesheet gives a colour to."""


def theme(css: str, *, dark: bool) -> dict[str, str]:
    """Return Furo's variables, and the roles themselves as `kho-ROLE`. Raises `KeyError` for a role that is gone."""
    roles = tokens(css, dark=dark)
    fonts = {} if dark else {"font-stack": roles["sans"], "font-stack--monospace": roles["mono"]}
    named = {f"kho-{name}": value for name, value in roles.items() if value.startswith("#")}
    return {name: roles[role] for name, role in FURO.items()} | fonts | named


def _style(*, dark: bool) -> dict[object, str]:
    """Code in ink: weight and one quiet hue, as colours in this book mean something else."""
    role = {name: _six(value) for name, value in palette(dark=dark).items()}
    return {
        Comment: role["ink2"], Keyword: "bold", Operator.Word: "bold", String: role["file"], Number: role["file"],
        Generic.Prompt: role["ink2"], Error: role["bad"],
    }  # fmt: skip


def _six(colour: str) -> str:
    return "#" + "".join(c * 2 for c in colour[1:]) if len(colour) == len("#abc") else colour


class LightCode(Style):
    """Code on light paper."""

    background_color = palette()["wash"]
    styles = _style(dark=False)


class DarkCode(Style):
    """Code on dark paper."""

    background_color = palette(dark=True)["wash"]
    styles = _style(dark=True)


class QuietHtml(HtmlFormatter):
    """Code as HTML with an element around those words only that look different: a third of the usual bytes."""

    def format_unencoded(self, tokensource: Iterable[tuple[_TokenType, str]], outfile: TextIO) -> None:
        """Write the code."""
        super().format_unencoded(self._seen(tokensource), outfile)

    def get_token_style_defs(self, arg: str | None = None) -> list[str]:
        """Return one rule for each look, where Pygments has one for each kind of word."""
        looks: dict[tuple[str, str], list[str]] = {}
        for rule in super().get_token_style_defs(arg):
            if found := KIND.match(rule):
                looks.setdefault((found["where"], found["look"]), []).append(found["kind"])
        return [f"{where} :is({', '.join(kinds)}) {{ {look} }}" for (where, look), kinds in looks.items()]

    def get_linenos_style_defs(self) -> list[str]:
        """Return nothing: no code of the book has line numbers."""
        return []

    def _seen(self, words: Iterable[tuple[_TokenType, str]]) -> Iterator[tuple[_TokenType, str]]:
        looks = {str(self.style.style_for_token(Token)): Token.Text}
        for kind, text in words:  # words of one look are one kind: side by side they are one element
            yield looks.setdefault(str(self.style.style_for_token(kind)), kind), text
