"""Recorded runs are read as they lie, and a file that is none is refused in one sentence."""

import gzip
import json

import pytest

from khosim.conform.runs import read_runs
from khosim.errors import UsageError

RUN = {"scenario": "one", "mode": "kho", "script": ["enable 16"], "outcome": "ok", "steps": []}


def test_a_plain_and_a_packed_file_hold_the_same(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(RUN) + "\n")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as packed:
        packed.write(json.dumps(RUN) + "\n")
    assert list(read_runs(tmp_path / "a.jsonl")) == list(read_runs(tmp_path / "b.jsonl.gz"))


@pytest.mark.parametrize(
    "text",
    ["not json\n", '{"scenario": 1}\n', json.dumps({**RUN, "mode": "other"}), "[]\n", json.dumps({**RUN, "script": 3})],
)
def test_a_line_that_is_no_run_is_named(tmp_path, text):
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(RUN) + "\n" + text)
    with pytest.raises(UsageError, match="line 2"):
        list(read_runs(path))


@pytest.mark.parametrize("name", ["missing.jsonl", "missing.jsonl.gz"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(UsageError, match=name):
        list(read_runs(tmp_path / name))


def test_a_packed_file_that_is_cut_off_is_named(tmp_path):
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(RUN).encode() * 50)[:60])
    with pytest.raises(UsageError, match="cut"):
        list(read_runs(path))
