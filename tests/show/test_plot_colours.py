"""The drawings for print have the stepper's colours and forms."""

import re

import pytest

from khosim.show.owners import Role
from khosim.show.palette import STYLESHEET, palette
from khosim.show.picture import Verdict
from khosim.show.plot.file import SLOTS
from khosim.show.plot.memory import FORMS
from khosim.show.plot.timeline import LINES

CSS = STYLESHEET.read_text()


@pytest.mark.parametrize("dark", [False, True])
def test_the_palette_has_the_tokens_of_the_stylesheet(dark):
    selector = '.kho[data-theme="dark"] {' if dark else ".kho {"
    block = CSS[CSS.index(f"\n{selector}") :].split("}", 1)[0]
    told = dict(re.findall(r"--([a-z0-9-]+): (#\w+);", block))
    assert palette(dark=dark) == told
    assert len(told) >= 17


def test_light_and_dark_name_the_same_tokens():
    assert palette().keys() == palette(dark=True).keys()
    assert all(palette()[name] != palette(dark=True)[name] for name in palette())


def css_form(selector):
    rule = re.search(rf"\.{selector}\)? \{{([^}}]*)\}}|:is\([^)]*\.{selector}\b[^)]*\) \{{([^}}]*)\}}", CSS)
    words = dict(part.strip().split(": ", 1) for part in (rule[1] or rule[2]).strip(" ;").split(";"))
    token = {key: value.removeprefix("var(--").removesuffix(")") for key, value in words.items()}
    fill, edge = token.get("fill", ""), token.get("stroke", "")
    dash = tuple(float(part) for part in token.get("stroke-dasharray", "").split())
    return fill.replace("none", ""), edge, float(token.get("stroke-width", 1)), dash


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.name)
def test_every_owner_has_the_form_it_has_in_the_stepper(role):
    name = "meta" if role in (Role.FDT, Role.BITMAP, Role.INODE) else role.name.lower()
    assert FORMS[role] == css_form(f"f-{name}")


@pytest.mark.parametrize(
    ("verdict", "name"), [(Verdict.HELD, "held"), (Verdict.STALE, "stale"), (Verdict.UNLISTED, "lost")]
)
def test_a_slot_of_the_block_list_has_the_form_it_has_in_the_stepper(verdict, name):
    assert SLOTS[verdict] == css_form(f"f-{name}")


@pytest.mark.parametrize(("verdict", "name"), [(Verdict.CACHED, "c"), (Verdict.FRESH, "n"), (Verdict.HELD, "h"),
                                               (Verdict.SWAPPED, "w"), (Verdict.STALE, "s")])  # fmt: skip
def test_a_life_has_the_line_it_has_in_the_stepper(verdict, name):
    assert LINES[verdict] == css_form(f"run-{name}")[1:]
