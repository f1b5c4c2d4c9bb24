"""The chapters notice: a planted mistake fails an assert of its chapter, or answers one of its questions otherwise."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from book.press.appendices import Taught
from book.press.chapters import KEPT
from book.press.kills import kills, outcomes
from khosim.variants.mistakes import MISTAKES, Mistake
from tools.kills import FOLDER, Cell, Outcome, cells, chapters, run

ROOT = Path(__file__).parents[1]
FEWEST, FEWEST_IN_A_CHAPTER = 40, 5
THERE = chapters()
PLANTED = [mistake for mistake in MISTAKES.values() if mistake.chapter in THERE]
TRIED = sorted({mistake.chapter for mistake in PLANTED})

PLANT = """
import sys
from dataclasses import replace
from khosim.kernel.shmem_kho import shmem_alloc_kho_folio
from khosim.steps import PATHS
from khosim.variants.mistakes import MISTAKES, Mistake
from tools import kills

posted = PATHS["shmem_alloc_kho_folio"]

def as_posted(*words):
    return (yield from posted(*words))

def falls_over(*words):
    raise KeyError("not an assert")
    yield

def brings_nothing(m, *words):
    folio = yield from posted(m, *words)
    if folio >= 0:
        m.arrays["phys"][folio] = 0
    return folio

MISTAKES["planted"] = Mistake("planted", 5, "A belief.", {"shmem_alloc_kho_folio": PATH})
sys.exit(kills.main(["planted"]))
"""


@pytest.fixture(scope="module")
def tried():
    """What became of all; a build of the book has it already, if nothing has changed since."""
    return outcomes(FOLDER.glob("*.md"), KEPT)


@pytest.mark.parametrize("mistake", PLANTED, ids=lambda mistake: mistake.name)
def test_a_chapter_catches_the_mistake(tried, mistake):
    (found,) = [outcome for outcome in tried if outcome.name == mistake.name]
    assert found.chapter == mistake.chapter
    assert found.source.startswith("assert ") or found.questions, found.noted


@pytest.mark.parametrize("chapter", TRIED)
def test_a_chapter_raises_nothing_without_a_mistake(tried, chapter):
    (found,) = [outcome for outcome in tried if outcome.chapter == chapter and not outcome.name]
    assert [found.source, *found.noted] == [""]


def test_there_are_enough_mistakes_and_some_in_each_chapter():
    assert len(PLANTED) >= FEWEST
    for number in (number for number in THERE if number > 1):
        assert sum(mistake.chapter == number for mistake in PLANTED) >= FEWEST_IN_A_CHAPTER, number


def planted(path):
    done = subprocess.run(
        [sys.executable, "-c", PLANT.replace("PATH}", f"{path}}}")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_a_path_that_does_what_the_posted_one_does_survives():
    status, said = planted("as_posted")
    assert status == 1, said
    assert "SURVIVES: planted: A belief." in said
    assert "noted" not in said
    assert said.endswith("0 of 1 mistakes caught (0 %)\n")


def test_a_kernel_that_falls_over_is_noted_and_not_caught():
    status, said = planted("falls_over")
    assert status == 1, said
    assert "SURVIVES: planted" in said
    assert "noted: cell 1 (Synopsis): KeyError: 'not an assert'" in said


def test_a_path_that_does_another_thing_is_caught_by_an_assert_and_by_questions():
    status, said = planted("brings_nothing")
    assert status == 0, said
    assert ": assert " in said
    assert "asked: " in said
    assert said.endswith("1 of 1 mistakes caught (100 %)\n")


def tried_cells(*sources):
    outcome = Outcome("", 1)
    run([Cell(number, f"Section {number}", source) for number, source in enumerate(sources)], outcome)
    return outcome


def test_the_first_assert_that_fails_is_named_with_its_section_and_its_lines():
    found = tried_cells("a = 1", "assert a == 1\nassert a == (\n  2\n)", "assert a == 3")
    assert (found.section, found.source) == ("Section 1", "assert a == ( 2 )")


def test_an_assert_in_a_function_of_an_earlier_cell_is_named():
    assert tried_cells("def check(a):\n    assert a == 2", "check(2)\ncheck(3)").source == "assert a == 2"


def test_what_else_is_raised_is_noted_and_the_next_cells_are_tried():
    found = tried_cells("a = 1\na[0]", "raise AssertionError", "import decimal\ndecimal.Decimal('x')", "assert a == 2")
    assert [words.partition(":")[2].split(":")[0].strip() for words in found.noted] == [
        "TypeError", "AssertionError", "InvalidOperation",
    ]  # fmt: skip
    assert found.source == "assert a == 2"


def test_only_an_assert_statement_catches():
    found = tried_cells("raise AssertionError", "1 / 0")
    assert not found.caught
    assert len(found.noted) == 2


def test_each_cell_knows_its_section():
    found = cells(THERE[5])
    assert [cell.section for cell in found][:2] == ["Synopsis", "See it"]
    assert all(cell.source for cell in found)


@pytest.mark.parametrize("words", ["99", "no-such-mistake"])
def test_a_name_there_is_not_is_refused(words):
    tool = [sys.executable, ROOT / "tools" / "kills.py", words]
    done = subprocess.run(tool, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"there is no mistake and no chapter with mistakes {words!r}" in done.stderr


OUTCOME = Outcome("a", 7, "Here, twice", "assert a | b")
MISTAKE = {"a": Mistake("a", 7, "A belief.", {"shmem_x": print})}
CHAPTER = Taught("07-x", "A chapter", (), ())


def test_the_page_has_the_belief_the_path_and_what_catches_it():
    page, wrong = kills([replace(OUTCOME, questions=["q", "r"])], [CHAPTER], MISTAKE)
    assert wrong == []
    for said in [
        "**A belief.**\n\n:Planted as: `a`, in place of `shmem_x()`",
        ":An assert fails: [Here, twice](../notebooks/07-x.ipynb#here-twice): `assert a | b`",
        ":Told apart by: `q`, `r`",
    ]:
        assert said in page
    assert "1 of 1 mistakes (100 %)" in page


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"source": ""}, "a: nothing in chapter 07 catches it"),
        ({"name": ""}, "chapter 07 raises without a mistake: assert a | b"),
        ({"name": "", "source": "", "noted": ["KeyError"]}, "chapter 07 raises without a mistake: KeyError"),
    ],
)
def test_what_survives_and_what_fails_by_itself_is_wrong(change, wrong):
    assert kills([replace(OUTCOME, **change)], [CHAPTER], MISTAKE)[1] == [wrong]


def test_a_page_with_a_survivor_shows_it_and_is_not_rounded_to_all():
    page, _ = kills([OUTCOME] * 200 + [replace(OUTCOME, source="")], [CHAPTER], MISTAKE)
    assert "**Survives: A belief.**" in page
    assert "200 of 201 mistakes (99 %)" in page
