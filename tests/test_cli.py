"""The command does what its help says, and its exit status tells how it went."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from khosim.cli import main
from khosim.scenarios import SCENARIOS

TRACES = Path(__file__).parent / "traces"


def run(capsys, *argv):
    status = main(argv)
    out, err = capsys.readouterr()
    return status, out, err


def test_list_names_every_scenario_and_what_can_be_replaced(capsys):
    status, out, _ = run(capsys, "list")
    assert status == 0
    assert all(f"  {name} " in out for name in SCENARIOS)
    assert "shmem_kho_free_block" in out


def test_list_is_json_on_request(capsys):
    _, out, _ = run(capsys, "list", "--json")
    assert json.loads(out)["scenarios"].keys() == SCENARIOS.keys()


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_run_prints_a_transcript(capsys, name):
    status, out, err = run(capsys, "run", name)
    assert (status, err) == (0, "")
    assert "steps" in out
    assert "Look at:" in out


def test_run_prints_the_recording_as_json_on_request(capsys):
    _, out, _ = run(capsys, "run", "kexec", "--json")
    document = json.loads(out)
    assert document["title"] == "kexec"
    assert len(document["kexecs"]) == 1


def test_run_can_go_on_from_the_past_with_another_choice(capsys):
    status, out, _ = run(capsys, "run", "write", "--fork", "4", "cpu0=-12")
    assert status == 0
    assert "ENOMEM" in out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("run", "kexek"), "did you mean kexec"),
        (("run", "write", "--fork", "4", "cpu0=-99"), "was not open"),
        (("run", "write", "--fork", "x", "cpu0"), "a moment and a choice"),
        (("run", "write", "--fork", "4", "cpu0=no"), "a choice is"),
        (("conform", "missing.jsonl"), "missing.jsonl"),
    ],
)
def test_a_slip_is_told_in_one_line_and_ends_with_2(capsys, argv, words):
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_a_file_without_runs_is_not_taken_for_agreement(capsys, tmp_path):
    (tmp_path / "empty.jsonl").touch()
    status, _, err = run(capsys, "conform", str(tmp_path / "empty.jsonl"))
    assert status == 2
    assert "holds no recorded runs" in err


def test_conform_ends_with_the_counts(capsys):
    status, out, _ = run(capsys, "conform", str(TRACES / "scenarios.jsonl.gz"))
    assert (status, out) == (0, "runs 258/258  results 1620/1620  state 1620/1620  events 1620/1620  masked 86\n")


def test_conform_at_the_level_of_events_prints_each_difference(capsys):
    status, out, _ = run(capsys, "conform", "--level", "events", str(TRACES / "huge.jsonl.gz"))
    assert status == 1
    assert "collapse_then_kexec (kho) step 3 `kexec` ev[2]: recorded" in out


def test_conform_gives_json_and_a_report_on_request(capsys, tmp_path):
    page = tmp_path / "agreement.md"
    _, out, _ = run(capsys, "conform", "--json", "--report", str(page), str(TRACES / "huge.jsonl.gz"))
    account = json.loads(out)
    assert account["runs"] == [20, 20]
    assert page.read_text().startswith("# Agreement")


@pytest.mark.parametrize("command", [[], ["list"], ["run"], ["conform"], ["compare"]])
def test_every_help_teaches(capsys, command):
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    assert len(capsys.readouterr().out) > 200 or command == ["list"]


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "khosim", "--version"], capture_output=True, text=True, check=True, cwd=TRACES.parents[1]
    )
    assert done.stdout.startswith("khosim ")


def test_a_reader_who_leaves_early_is_no_error():
    command = [sys.executable, "-m", "khosim", "run", "truncate"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=TRACES.parents[1]) as running:
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
