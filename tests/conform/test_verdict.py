"""The model does what the recorded kernel did."""

import random
from pathlib import Path

import pytest

from khosim.conform.ops import Player
from khosim.conform.report import explain, report
from khosim.conform.runs import RecordedRun, read_runs
from khosim.conform.verdict import Tally, judge_file, judge_run
from khosim.errors import KernelFailure
from khosim.variants import REPAIRS

TRACES = sorted((Path(__file__).parents[1] / "traces").glob("*.jsonl.gz"))
RECORDED = {path.name: list(read_runs(path)) for path in TRACES}


@pytest.fixture(scope="module")
def tallies():
    found = {}
    for path in TRACES:
        tally = found[path.name] = Tally("state")
        for verdict in judge_file(path):
            tally.add(verdict)
    return found


def test_there_are_recorded_runs_of_all_three_kinds():
    assert sorted(RECORDED) == ["huge.jsonl.gz", "random.jsonl.gz", "scenarios.jsonl.gz"]
    assert sum(len(runs) for runs in RECORDED.values()) == 764


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_results_and_state_agree_on_every_step(tallies, name):
    tally = tallies[name]
    different = [str(found) for found in tally.differences if found.level != "events"]
    assert not different
    assert tally.ok
    assert tally.agree["results"] == tally.agree["state"] == tally.steps > 0


def test_events_agree_on_98_of_100_steps_and_the_rest_is_explained(tallies):
    steps = sum(tally.steps for tally in tallies.values())
    agree = sum(tally.agree["events"] for tally in tallies.values())
    assert agree >= 0.98 * steps
    assert all(explain(found) for tally in tallies.values() for found in tally.differences)


def test_the_readme_tells_these_counts(tallies):
    total = Tally("state")
    for tally in tallies.values():
        for name in ("runs", "runs_agree", "steps", "masked"):
            setattr(total, name, getattr(total, name) + getattr(tally, name))
        for level, count in tally.agree.items():
            total.agree[level] += count
    assert f"\n{total}\n" in (TRACES[0].parents[2] / "README.md").read_text()


def test_few_steps_are_masked(tallies):
    masked = sum(tally.masked for tally in tallies.values())
    assert masked < 0.035 * sum(tally.kho_steps for tally in tallies.values())


def test_a_run_that_ends_in_a_panic_or_for_ever_ends_so_here_too():
    ended = [run for runs in RECORDED.values() for run in runs if run.outcome != "ok"]
    assert len(ended) == 37
    for run in ended:
        assert judge_run(run).agrees("results"), run.name


def test_the_recorded_outcome_decides_nothing():
    run = next(run for run in RECORDED["scenarios.jsonl.gz"] if run.name == "kexec_readall_partial_tail" and run.kho)
    player, blind = Player(run.script, kho=True), Player(tuple(run.script), kho=True)
    for op in run.script:
        assert player.play(op) == blind.play(op)
        assert player.state() == blind.state()
    lies = RecordedRun(run.name, run.mode, run.script, "ok", "", (), tuple(_lie(step) for step in run.steps))
    assert not judge_run(lies).agrees("results")


def _lie(step):
    return {**step, "ret": 12345}


@pytest.mark.parametrize("bug", sorted(REPAIRS))
def test_a_repaired_kernel_no_longer_agrees(bug):
    verdicts = [judge_run(run, REPAIRS[bug]) for run in RECORDED["scenarios.jsonl.gz"] if run.kho]
    assert not all(verdict.agrees("state") for verdict in verdicts)


@pytest.mark.parametrize("bug", sorted(REPAIRS))
def test_an_ordinary_file_does_not_notice_a_repair(bug):
    assert all(judge_run(run, REPAIRS[bug]).agrees("state") for run in RECORDED["scenarios.jsonl.gz"] if not run.kho)


def test_the_report_counts_explains_and_names_what_was_masked(tallies):
    tally = tallies["huge.jsonl.gz"]
    words = report(tally, ["huge.jsonl.gz"])
    assert f"| steps: state | {tally.steps} | {tally.steps} |" in words
    assert "`frame_now`" in words
    assert "Not explained" not in words


OPS = (
    "write {pos} {len} 65", "shortwrite {pos} {len} 40", "read {pos} {len}", "readall", "splice {pos} {len}",
    "fread {i}", "fwrite {i} 7", "privread {i}", "ftruncate {pos}", "falloc {pos} {len}", "falloc_keep {pos} {len}",
    "punch {pos} {len}", "mremove {page} 8192", "seek_data {pos}", "seek_hole {pos}", "mincore", "getfolio {i} {sgp}",
    "kexec", "inject alloc {n}", "inject add {n} -12", "inject race {n} {sgp}", "inject isize {n} {pos}",
    "overcommit {two}", "swapout {i}", "migrate {i}", "swapoff", "swapon",
)  # fmt: skip


def random_script(rng):
    def op():
        page = rng.randrange(20) * 4096
        return rng.choice(OPS).format(
            pos=rng.choice([page, page + rng.randrange(4096)]), len=rng.choice([1, 100, 4096, 5000, 12288]),
            i=rng.randrange(20), page=page, sgp=rng.randrange(5), n=rng.randrange(1, 4), two=rng.choice([0, 2]),
        )  # fmt: skip

    return ("enable 16", "swapon", *(op() for _ in range(rng.randrange(5, 40))), "evict")


@pytest.mark.parametrize("seed", range(150))
def test_no_script_makes_an_ordinary_file_fail_and_none_breaks_the_model(seed):
    script = random_script(random.Random(seed))
    for kho in (False, True):
        player = Player(script, kho=kho)
        try:
            for op in script:
                player.play(op)
                player.state()
        except KernelFailure:
            assert kho, "an ordinary file never brings the kernel down"
