"""The four scenarios tell what they promise, word for word the same everywhere."""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from khosim.scenarios import SCENARIOS, play
from khosim.show.text import transcript

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_transcript_is_the_stored_one(name):
    """With KHOSIM_GOLDEN=1 the transcripts are written anew; read the difference before you keep it."""
    words = transcript(play(SCENARIOS[name]()))
    stored = GOLDEN / f"{name}.txt"
    if os.environ.get("KHOSIM_GOLDEN"):
        stored.write_text(words)
    assert words == stored.read_text()


def results(name):
    return [call.result for call in play(SCENARIOS[name]()).calls]


def test_write_sets_bit_and_block_before_it_extends_the_file():
    history = play(SCENARIOS["write"]())
    block, size = history.why("block", index=0).t, history.why("kho_i_size").t
    assert block < size
    assert results("write") == [64, 4, 1]


def test_fault_brings_back_one_page_at_a_time():
    history = play(SCENARIOS["fault"]())
    pages = [sum(slot >= 0 for slot in moment.snapshot.slots) for moment in history]
    assert all(later - before <= 1 for before, later in pairwise(pages))
    assert pages[0] == 0
    assert pages[-1] == 3


def test_truncate_leaves_the_block_it_did_not_see_and_its_bytes_come_back():
    assert results("truncate")[-1] == (b"C", 0)


def test_kexec_carries_the_page():
    assert results("kexec")[-1] == (b"hello, next kernel", 0)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_scenario_has_a_question_and_notes(name):
    scenario = SCENARIOS[name]()
    assert scenario.name == name
    assert scenario.question.endswith("?")
    assert scenario.notes
