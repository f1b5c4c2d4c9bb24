"""The page on the recording's format says what is written."""

import json
import re
from pathlib import Path

from khosim.show.frame import SCHEMA, document, states
from khosim.show.picture import PLANES

PAGE = (Path(__file__).parents[2] / "book" / "format.md").read_text()
TABLES = [re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) for part in PAGE.split("|---|---|")[1:]]


def test_the_page_names_every_key(forked):
    doc = document(forked[1])
    document_keys, step_keys = TABLES
    assert set(document_keys) == {*doc, "kernel"}  # a fork that begins in the first kernel has no need of it
    assert {key for step in doc["steps"] for key in step} <= set(step_keys) == {
        "d", "say", "cpu", "stack", "bad", "pending", "warn",
    }  # fmt: skip
    nested = [*doc["machine"], *doc["functions"][0], *doc["other"], *(name for name, _ in doc["planes"])]
    assert [key for key in nested if f"`{key}`" not in PAGE] == []
    assert f"`{SCHEMA}`" in PAGE


def test_the_example_can_be_read():
    doc = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL).group(1))
    assert set(doc) == set(TABLES[0]) - {"start", "kernel", "other"}
    assert [name for name, _ in doc["planes"]] == list(PLANES)
    before, taken, listed = states(doc)
    assert before.planes["role"].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert (taken.planes["role"][5], taken.stack) == (10, (("alloc_pages", "kernel/page_alloc.py", 42),))
    assert (listed.planes["blocks"].tolist(), listed.cpu, listed.stack) == ([5, -1, -1, -1], "CPU 0", ())
