import re

import pytest
from pygments import highlight
from pygments.lexers import PythonLexer

from book.press.tokens import DarkCode, LightCode, QuietHtml, theme
from khosim.show.palette import STYLESHEET, tokens

SMALL = """
.kho {
  --paper: #fff; --ink: #111;
  color: var(--ink);
  & b { --paper: red; }
}
.kho[data-theme="dark"] {
  --paper: #000;
}
"""


def test_reads_the_roles_of_both_themes():
    assert tokens(SMALL, dark=False) == {"paper": "#fff", "ink": "#111"}
    assert tokens(SMALL, dark=True) == {"paper": "#000", "ink": "#111"}


def test_the_book_has_the_steppers_own_paper_and_ink():
    text = STYLESHEET.read_text()
    for dark in (False, True):
        roles, worn = tokens(text, dark=dark), theme(text, dark=dark)
        assert worn["color-background-primary"] == worn["kho-paper"] == roles["paper"]
        assert worn["color-foreground-primary"] == worn["kho-ink"] == roles["ink"]
    assert tokens(text, dark=False)["paper"] != tokens(text, dark=True)["paper"]


def test_a_role_that_is_gone_is_an_error():
    with pytest.raises(KeyError):
        theme(SMALL, dark=False)


@pytest.mark.parametrize("style", [LightCode, DarkCode])
def test_code_is_written_in_colours_of_the_stepper(style):
    roles = {value.lower() for value in tokens(STYLESHEET.read_text(), dark=style is DarkCode).values()}
    hues = {f"#{found['color']}".lower() for _, found in style if found["color"]}
    assert hues
    assert hues <= {re.sub(r"^#(\w)(\w)(\w)$", r"#\1\1\2\2\3\3", role) for role in roles}


def test_only_words_that_look_different_are_elements():
    html = highlight("x = f(1)  # one", PythonLexer(), QuietHtml(style=LightCode, nowrap=True))
    assert html == 'x = f(<span class="mi">1</span>)  <span class="c1"># one</span>\n'


def test_each_look_has_one_rule():
    rules = QuietHtml(style=LightCode).get_token_style_defs(".highlight")
    assert len(rules) == len({rule.partition("{")[2] for rule in rules}) == 4
    assert ".highlight :is(.k, .kc, .kd, .kn, .kp, .kr, .kt, .ow) { font-weight: bold }" in rules
