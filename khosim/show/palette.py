"""The colours of every picture: the tokens of the stepper's stylesheet, read from it, so there is one list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

__all__ = ["STYLESHEET", "Palette", "palette", "soft"]

STYLESHEET = Path(__file__).parent / "static" / "stepper.css"
BLOCK = {False: r"^\.kho \{(.*?)^\}", True: r"^\.kho\[data-theme=\"dark\"\] \{(.*?)^\}"}
TOKEN = re.compile(r"--([\w-]+):\s*(#[0-9a-f]{3,6})\b")

Palette = Mapping[str, str]
"""Token -> colour as #rgb or #rrggbb: "paper", "ink", "file", "file-wash", "bad" ..."""


@cache
def palette(*, dark: bool = False) -> Palette:
    """Return the colour of each token, for light or for dark paper."""
    found = re.search(BLOCK[dark], STYLESHEET.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return MappingProxyType(dict(TOKEN.findall(found[1] if found else "")))


def soft(colours: Palette) -> Palette:
    """Return the palette for what is wrong only within a call: no violation yet, so amber and not vermilion."""
    return {**colours, "bad": colours["now"], "bad-wash": colours["now-wash"]}
