import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import browser, calls, canvas, conform, snapshots, stepper
from bench.model import DictOs
from bench.program import bind, perform, program
from bench.table import Case, Effort, Row, interleave, number, ratio, shares
from khosim.show.owners import Role

ROOT = Path(__file__).resolve().parent.parent
LINES = [
    "steps, not recorded",
    "steps, recorded",
    "calls, not recorded",
    "one recorded step",
    *(
        f"{size:,} frames: {what}"
        for size in snapshots.SIZES
        for what in ("a snapshot", "a recorded step", "kept per step")
    ),
    "simulated os",
    "host memfd",
    "dict of bytes",
    *(f"{name}: replayed" for name in conform.FILES),
]
DRAWN = ["stepper, click to painted", "matplotlib, a redraw", "stepper in JupyterLab, click to painted",
         "ipycanvas, click to painted", "stepper, scrubbed", "stepper, time to usable", "document",
         "a step of the document"]  # fmt: skip
FAST = ("steps", "snapshots", "calls", "conform")


def bench(*words):
    return subprocess.run(
        [sys.executable, "-m", "bench", "--quick", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )


@pytest.fixture(scope="module")
def quick():
    """One quick run of all that needs no browser, for all that looks at it."""
    return bench(*(word for name in FAST for word in ("--only", name)))


def test_a_quick_run_prints_every_row(quick):
    names = [line.split("|")[1].strip() for line in quick.stdout.splitlines() if line.startswith("|")]
    assert [name for name in names[2:] if not name.startswith("**")] == LINES


def test_every_row_has_as_many_cells_as_the_head(quick):
    table = [line for line in quick.stdout.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {table[0].count("|")}


def test_what_is_going_on_is_told_on_standard_error(quick):
    assert "measuring steps" in quick.stderr
    assert "measuring" not in quick.stdout.replace("not measured", "")


def test_json_has_the_numbers_of_every_round():
    found = json.loads(bench("--json", "--only", "steps").stdout)
    assert [row["name"] for row in found["rows"]] == LINES[:4]
    for row in found["rows"]:
        assert len(row["rounds"]) == found["rounds"]
        assert min(row["rounds"]) <= row["median"] <= max(row["rounds"])
        assert row["ratio"] > 0


@pytest.fixture(scope="module")
def drawn(need):
    """One quick run of one size in the browser, in a process of its own: a browser's driver shares none."""
    need("chromium", "chromium")
    code = ("from bench import stepper\nfrom bench.__main__ import main\nstepper.SIZES = (256,)\n"
            "main(['--quick', '--json', '--only', 'stepper'])")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return {row["name"]: row for row in json.loads(done.stdout)["rows"]}


def test_the_same_memory_is_drawn_three_ways(drawn):
    assert list(drawn) == [*(f"256 frames: {what}" for what in DRAWN), "a page of the book"]
    for what in DRAWN:
        row = drawn[f"256 frames: {what}"]
        assert len(row["rounds"]) == (1 if "document" in what else 2), row
        assert min(row["rounds"]) > 0


def test_what_drew_in_jupyterlab_is_compared_within_a_round(drawn):
    for kind in ("stepper", "stepper in JupyterLab", "ipycanvas"):
        assert "95 of 100 within" in drawn[f"256 frames: {kind}, click to painted"]["bound"]
    clicked = drawn["256 frames: ipycanvas, click to painted"]
    beside = drawn["256 frames: stepper in JupyterLab, click to painted"]
    ratios = [a / b for a, b in zip(clicked["rounds"], beside["rounds"], strict=True)]
    assert min(ratios) <= clicked["ratio"] <= max(ratios)


def test_what_is_not_installed_is_named_and_its_rows_are_empty(monkeypatch):
    monkeypatch.setattr(browser, "program", lambda: "")
    assert browser.missing("no_such_package") == "the Python package no_such_package and Chromium (package chromium)"
    monkeypatch.setattr(stepper, "SIZES", (64,))
    rows = stepper.measure(Effort(1, 0.01, ROOT))
    assert [row.name for row in rows[:-1]] == [f"64 frames: {what}" for what in DRAWN]
    unseen = [row for row in rows if not row.seconds]
    assert len(unseen) == 6
    assert all(row.bound.startswith("not measured: needs") and "Chromium" in row.bound for row in unseen)
    assert all(row.cells for row in rows)


@pytest.mark.parametrize("frames", [64, 256, 4096, 16_384])
def test_a_canvas_shows_the_owners_of_all_frames(frames):
    role = np.arange(frames) // 40 % len(Role)
    x, y, width, height, owner = canvas.bars(role).T
    assert min(x.min(), y.min()) >= 0
    for code in set(role.tolist()) - ({Role.FREE, Role.SCRATCH, Role.UNCLAIMED} if frames > canvas.DOTS else set()):
        mine, count = owner == code, (role == code).sum()
        if frames <= canvas.CELLS:
            assert mine.sum() == count
        elif frames <= canvas.DOTS:
            assert width[mine].sum() / 3.5 == count
        else:
            assert height[mine].sum() == pytest.approx(count / frames * canvas.COLUMNS * canvas.TALL)


def test_missing_recordings_are_named_not_an_error(tmp_path):
    assert "there is no huge.jsonl.gz" in bench("--only", "conform", "--traces", str(tmp_path)).stdout


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        bench("--only", "speed")
    assert "snapshots" in stopped.value.stderr


def test_the_dict_model_answers_a_small_file_as_written_by_hand():
    file = DictOs(64)
    assert file.pwrite(0, b"abc", 62) == 3
    assert file.pread(0, 9, 61) == b"\0abc"
    file.posix_fallocate(0, 128, 64)
    assert file.lseek(0, 0, 4) == 128
    file.ftruncate(0, 63)
    file.ftruncate(0, 66)
    assert file.pread(0, 9, 62) == b"a\0\0\0"
    assert file.lseek(0, 0, 3) == 0


def test_a_different_answer_is_named():
    answers = perform(bind(DictOs(calls.PAGE), 0, program(calls.PAGE)))
    assert not calls._difference(answers, answers)
    assert calls._difference([None, 7, *answers[2:]], answers).startswith("here pwrite(0) gives 7, simulated")


def test_cases_take_turns():
    seen = []
    found = interleave({name: Case(lambda name=name: seen.append(name), 1) for name in "ab"}, 3)
    assert "".join(seen) == "ab" + "ab" + "ba" + "ab"
    assert [len(times) for times in found.values()] == [3, 3]


def test_ratios_and_shares_are_taken_within_a_round():
    assert ratio([2, 20, 400], [1, 10, 100]) == 2
    assert shares([10, 100], {"a": [2, 20]}, "rest") == "rest 80%, a 20%"


def test_a_row_is_shown_in_its_unit():
    assert Row("", "/s", [0.001, 0.002, 0.004], 0.034, "", "").cells[1:4] == ("500 /s", "75%", "0.034 x")
    assert Row("", "µs", [0.001], None, "", "").cells[1] == "1,000 µs"
    assert Row("", "ms", [0.001], None, "", "").cells[1] == "1 ms"
    assert number(12.34) == "12.3"
