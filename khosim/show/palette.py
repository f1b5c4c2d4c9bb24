"""The colours of every picture: the tokens of the stepper's stylesheet, read from it, so there is one list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

__all__ = ["STYLESHEET", "Palette", "palette", "soft", "tokens"]

STYLESHEET = Path(__file__).parent / "static" / "stepper.css"
RULE = re.compile(r'^\.kho(?P<dark>\[data-theme="dark"\])? \{(?P<body>[^{}]*)', re.MULTILINE)
TOKEN = re.compile(r"--([\w-]+):\s*([^;]+);")

Palette = Mapping[str, str]
"""Token -> colour as #rgb or #rrggbb: "paper", "ink", "file", "file-wash", "bad" ..."""


def tokens(css: str, *, dark: bool) -> dict[str, str]:
    """Return the custom properties of a stepper's stylesheet in one of its themes, without their dashes."""
    found: dict[str, str] = {}
    for rule in RULE.finditer(css):
        if rule["dark"] is None or dark:
            found |= {name: value.strip() for name, value in TOKEN.findall(rule["body"])}
    return found


@cache
def palette(*, dark: bool = False) -> Palette:
    """Return the colour of each token, for light or for dark paper."""
    told = tokens(STYLESHEET.read_text(encoding="utf-8"), dark=dark)
    return MappingProxyType({name: value for name, value in told.items() if value.startswith("#")})


def soft(colours: Palette) -> Palette:
    """Return the palette for what is wrong only within a call: no violation yet, so amber and not vermilion."""
    return {**colours, "bad": colours["now"], "bad-wash": colours["now-wash"]}
