"""The table of lookups and the recorded kernel say the same, cell by cell."""

from collections import defaultdict
from pathlib import Path

import pytest

from khosim.conform.lookups import recorded_lookups
from khosim.conform.runs import RecordedRun, read_runs
from khosim.scenarios import play
from khosim.scenarios.lookups import MODES, PAGES, lookup, outcome

TRACES = sorted((Path(__file__).parents[1] / "traces").glob("*.jsonl.gz"))
CELLS = [(page, mode) for page in PAGES for mode in MODES]
NOT_RECORDED = [("swapped", "NOALLOC"), ("swapped", "CACHE"), ("swapped", "FALLOC")]


@pytest.fixture(scope="module")
def recorded():
    found = defaultdict(list)
    for path in TRACES:
        for run in read_runs(path):
            for seen in recorded_lookups(run):
                found[seen.page, seen.mode].append(seen)
    return dict(found)


def test_every_recorded_lookup_is_a_cell_of_the_table(recorded):
    assert set(recorded) == set(CELLS) - set(NOT_RECORDED)


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_every_recorded_lookup_came_out_as_the_model_plays_it(recorded, cell):
    """A caller that fills the page hides how the lookup left it: there only the first words are compared."""
    played, seen = outcome(play(lookup(*cell))), recorded.get(cell, ())
    assert {one.outcome for one in seen if one.alone} <= {played}
    assert {one.outcome for one in seen if not one.alone} <= {played.partition(",")[0]}


def test_a_run_that_was_disturbed_tells_nothing_from_then_on():
    script = ("enable 16", "ftruncate 4096", "inject alloc 1", "getfolio 0 2")
    hole = {"i_size": 4096, "cache": [], "blocks": []}
    run = RecordedRun("x", "kho", script, "ok", "", (), tuple({"ret": 0, "state": hole} for _ in script))
    assert list(recorded_lookups(run)) == []


def test_an_ordinary_file_tells_nothing():
    runs = [run for path in TRACES for run in read_runs(path) if not run.kho]
    assert runs
    assert not any(True for run in runs for _ in recorded_lookups(run))


def test_a_call_of_several_pages_is_a_lookup_of_each():
    (run,) = (run for path in TRACES for run in read_runs(path) if run.kho and run.name == "sgp_modes_on_restored")
    seen = list(recorded_lookups(run))
    assert [(one.page, one.mode, one.outcome, one.alone) for one in seen] == [
        *[("past i_size", "WRITE", "new", False)] * 10,
        *[("held", mode, "restored", True) for mode in MODES],
    ]
