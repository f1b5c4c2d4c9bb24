"""The chapters keep to the book's rules.

That a chapter, run from an empty kernel, still says what is stored, is strict nbval's work: `make test` runs
every cell of every chapter.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tokenize
import tomllib
from html import unescape
from io import StringIO
from pathlib import Path

import jupytext
import nbformat
import pytest

from khosim.show.frame import slug
from khosim.teach import items
from khosim.teach.question import QUESTIONS
from khosim.teach.task import TASKS
from khosim.variants.mistakes import MISTAKES
from tests.secrets import leaks
from tools.chapters import SECONDS_A_STEP, WORDS_A_MINUTE, measure

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
CHAPTERS = sorted(path.stem for path in FOLDER.glob("*.md"))
CELLS, LINES, BODY, WORDS = 60, 15, 5, 25

LOOP = ["Predict", "Run", "Explain", "Vary"]
PATTERN = ["At a glance", "Objectives", "Synopsis", "See it", "LOOPS", "Break it", "In the kernel",
           "What this model leaves out", "Exercises", "Check yourself", "What you can now say"]  # fmt: skip
FIRST_WITH_FAILURES = 8  # from Part III on a chapter has "Break it"
FEWEST_LOOPS = {"00-start-here": 2}  # five minutes; else three

NOT_FOR_OUTPUTS = {
    "a path": r"(?<![\w.])/(home|root|tmp|usr|var|opt|work|Users)/|[A-Z]:\\",
    "an address": r"0x[0-9a-f]{9,}",
    "a clock": r"\b\d{4}-\d\d-\d\d\b|\b\d\d:\d\d:\d\d\b|\b\d[\d.]* ?(ms|µs|us|ns)\b",
}
NOT_OUR_WORDS = r"(?i)\b(simply|just|obviously|of course|clearly|trivial(ly)?|easy|easily)\b|(?<![!=])!(?!=)"

chapters = pytest.mark.parametrize("name", CHAPTERS)


def stored(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)


def code(name):
    return [cell.source for cell in stored(name).cells if cell.cell_type == "code"]


def outputs(name):
    return [output for cell in stored(name).cells for output in cell.get("outputs", ())]


def headings(name):
    """(level, words) of every heading, with the code cells between them as (0, source)."""
    found = []
    for cell in stored(name).cells:
        if cell.cell_type == "code":
            found.append((0, cell.source))
        else:
            found += [(len(a), b) for a, b in re.findall(r"^(#+) (.+)$", cell.source, re.MULTILINE)]
    return found


def prose(name):
    """The sentences of a chapter: no table, no heading, no HTML, no code."""
    for cell in stored(name).cells:
        if cell.cell_type == "markdown":
            yield from sentences(cell.source)


def sentences(text):
    kept = [line for line in text.splitlines() if not re.match(r"[#|<]", line)]
    text = re.sub(r"`[^`]*`", "CODE", "\n".join(kept))
    for piece in re.split(r"\n\s*\n|\n(?=[-\d>])", text):
        yield from re.split(r"(?<=[.?:;])[\s*\"]", " ".join(piece.split()))


def test_every_chapter_has_both_halves_and_is_run():
    assert CHAPTERS
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == CHAPTERS
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert "notebooks" in settings["testpaths"]
    recipe = (ROOT / "Makefile").read_text()
    assert "pytest --nbval " in recipe
    assert "--nbval-lax" not in recipe


@chapters
def test_both_halves_say_the_same(name):
    source, book = jupytext.read(FOLDER / f"{name}.md"), stored(name)
    assert [(c.cell_type, c.source) for c in source.cells] == [(c.cell_type, c.source) for c in book.cells]
    assert source.metadata.jupytext.formats == book.metadata.jupytext.formats == "ipynb,md:myst"


@chapters
def test_opens_and_was_run_once_from_the_top(name):
    book = stored(name)
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3"
    counts = [cell.execution_count for cell in book.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert {output.output_type for output in outputs(name)} <= {"stream", "execute_result", "display_data"}
    assert not any(output.get("name") == "stderr" for output in outputs(name))


@chapters
def test_stores_no_widget(name):
    """A widget without its kernel is a blank; text and HTML are not."""
    own = "somebody has worked in this chapter; `git restore notebooks` gives the book's own back"
    assert "widgets" not in stored(name).metadata, own
    kinds = {kind for output in outputs(name) for kind in output.get("data", ())}
    assert not {kind for kind in kinds if "widget" in kind}, own


@chapters
def test_outputs_are_the_same_on_every_machine(name):
    for output in outputs(name):
        said = "\n".join([output.get("text", ""), *map(str, output.get("data", {}).values())])
        for what, pattern in NOT_FOR_OUTPUTS.items():
            assert not re.search(pattern, said), f"{what}: {re.search(pattern, said)}"
    assert not any("execution" in cell.metadata for cell in stored(name).cells)


@chapters
def test_figures_are_tested_as_data(name):
    pictures = [output.data for output in outputs(name) if {"text/html", "image/png"} & {*output.get("data", ())}]
    assert pictures
    for data in (data for data in pictures if not is_card(data)):
        digest = re.search(r"(?i)digest\s+([0-9a-f]{16})\b", data["text/plain"])
        assert digest
        html = data.get("text/html", digest[1])
        assert digest[1] in html or re.match(r'<img alt="[^"]+"', html)


def is_card(data):
    """Whether an output is a question or an exercise."""
    return data.get("text/html", "").startswith('<section class="khosim-card"')


@chapters
def test_cards_are_tested_as_text(name):
    """Each program that a reader sees in a card is in what strict nbval compares."""
    for data in (output.data for output in outputs(name) if is_card(output.get("data", {}))):
        programs = re.findall(r"<pre><code>(.*?)</code></pre>", data["text/html"], re.DOTALL)
        for line in (line for program in programs for line in unescape(program).splitlines()):
            assert line.strip() in data["text/plain"]


def figures(name):
    """How many steps each figure has, by its id."""
    said = "\n".join(output.data["text/plain"] for output in outputs(name) if "text/html" in output.get("data", {}))
    titles = re.findall(r"^(.+): (\d+) steps?, .*digest", said, re.MULTILINE)
    assert len({slug(title) for title, _ in titles}) == len(titles)
    return {slug(title): int(steps) for title, steps in titles}


@chapters
def test_every_step_in_the_prose_is_linked_asserted_and_there(name):
    """A change of the model then fails the chapter, and leaves no wrong number behind."""
    text = "\n".join(cell.source for cell in stored(name).cells if cell.cell_type == "markdown")
    links = re.findall(r"\[([^\]]*)\]\(#([^)@]+)@(\d+)\)", text)
    proofs = [node for cell in code(name) for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Assert)]
    proven = {number.value for node in proofs for number in ast.walk(node) if isinstance(number, ast.Constant)}
    steps = figures(name)
    assert links
    assert {int(step) for pair in re.findall(r"[Ss]teps? (\d+)(?: to (\d+))?", text) for step in pair if step} <= proven
    for words, figure, step in links:
        assert re.findall(r"\d+", words) in ([], [step])
        assert 0 < int(step) <= steps[figure], (words, figure)
        assert int(step) in proven, (words, figure)


@chapters
def test_keeps_its_budget(name):
    cells = code(name)
    assert len(stored(name).cells) < CELLS
    assert max(len(cell.splitlines()) for cell in cells) <= LINES
    for node in (node for cell in cells for node in ast.walk(ast.parse(cell))):
        assert not isinstance(node, ast.ClassDef)
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < BODY, node.name
    for cell in cells:
        assert not [token for token in tokenize.generate_tokens(StringIO(cell).readline) if token.string == ";"]
    assert sum("NBVAL_IGNORE" in cell or "nbval-ignore" in cell for cell in cells) <= 1
    assert not re.search(r"\binteract\b|\bOutput\(", "\n".join(cells))


@chapters
def test_says_how_long_it_takes(name):
    """At 200 words a minute, and four seconds for each step."""
    text = (FOLDER / f"{name}.md").read_text()
    stated = int(re.search(r"\| Time \|.*?(\d+) minutes (?:to read|for everything)", text)[1])
    words, steps = measure(stored(name))
    assert abs(stated - words / WORDS_A_MINUTE - steps * SECONDS_A_STEP / 60) <= 8


@chapters
def test_follows_the_pattern(name):
    found = [(level, words) for level, words in headings(name) if level]
    assert [level for level, _ in found].count(1) == 1
    assert found[0][0] == 1
    loops = [words for k, (level, words) in enumerate(found) if level == 2 and found[k + 1 : k + 2] == [(3, "Predict")]]
    assert FEWEST_LOOPS.get(name, 3) <= len(loops) <= 5
    seen = ["LOOPS" if words in loops else words for level, words in found if level == 2]
    wanted = [words for words in PATTERN if words != "Break it" or int(name[:2]) >= FIRST_WITH_FAILURES]
    assert [words for k, words in enumerate(seen) if seen[k - 1 : k] != [words]] == wanted


@chapters
def test_every_loop_ends_in_a_proof(name):
    parts, inside = {}, None
    for level, words in headings(name):
        if level in (1, 2):
            inside = words
        parts.setdefault(inside, []).append((level, words))
    loops = [part for part in parts.values() if (3, "Predict") in part]
    for part in loops:
        assert [words for level, words in part if level == 3] == LOOP
        last = [source for level, source in part if level == 0][-1]
        assert "assert " in last


@chapters
def test_speaks_as_a_colleague(name):
    for sentence in prose(name):
        assert not re.search(NOT_OUR_WORDS, sentence), sentence
        assert len(sentence.split()) <= WORDS, sentence


def test_a_kernel_that_forgets_one_flag_fails_the_chapter(tmp_path):
    """A page that comes back and is not marked dirty: the figures differ, and the recorded kernel disagrees."""
    shutil.copytree(ROOT / "khosim", tmp_path / "khosim", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "khosim" / "kernel" / "shmem_kho.py"
    right = path.read_text()
    wrong = right.replace("    set_flag(m, folio, PG_dirty)\n", "")
    assert wrong != right
    path.write_text(wrong)
    options = ["--nbval", "--nbval-current-env", "-p", "no:randomly", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, FOLDER / "00-start-here.ipynb"], cwd=ROOT, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "Cell outputs differ" in done.stdout
    assert 'assert verdict.agrees("state")' in done.stdout
    assert "Error: name" not in done.stdout
    assert re.search(r"\d+ failed, \d+ passed", done.stdout)


def asked(name):
    """The questions and exercises of a chapter."""
    return [item for item in items() if item.chapter == int(name[:2])]


@chapters
def test_each_objective_is_met_by_a_question_or_an_exercise(name):
    text = "\n".join(cell.source for cell in stored(name).cells if cell.cell_type == "markdown")
    part = re.search(r"^## Objectives\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)[1]
    objectives = [int(number) for number in re.findall(r"^(\d+)\. ", part, re.MULTILINE)]
    assert objectives == [*range(1, len(objectives) + 1)]
    assert {item.objective for item in asked(name)} == {*objectives}


@chapters
def test_asks_five_questions_at_the_end_and_sets_exercises_of_each_grade(name):
    assert sum(getattr(item, "check", False) for item in asked(name)) == 5
    assert {item.grade for item in asked(name)} >= {1, 2, 3, 4}


@chapters
def test_shows_each_of_its_questions_and_exercises(name):
    shown = {cell.splitlines()[-1] for cell in code(name)}
    assert f"check_yourself({int(name[:2])})" in shown
    for item in (item for item in asked(name) if not getattr(item, "check", False)):
        assert f'{"exercise" if item.grade else "predict"}("{item.name}")' in shown


@pytest.mark.parametrize("item", items(), ids=lambda item: item.name)
def test_a_card_speaks_as_a_colleague(item):
    said = [*item.hints, *([item.asks, item.form] if item.name in TASKS else [])]
    for case in [item.case(seed) for seed in range(4)] if item.name in QUESTIONS else []:
        rules = [case.rule] if isinstance(case.rule, str) else map(case.rule_of, entries(item.truth(case)))
        said += [case.asks, case.look, *rules, *case.misread]
    for sentence in (sentence for text in said for sentence in sentences(text)):
        assert not re.search(NOT_OUR_WORDS, sentence), sentence
        assert len(sentence.split()) <= WORDS, sentence


def entries(truth):
    return truth if isinstance(truth, dict | set | frozenset) else range(len(truth)) if isinstance(truth, list) else ()


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=lambda mistake: mistake.name)
def test_a_belief_is_one_sentence(mistake):
    assert re.fullmatch(r"[^.?]+\.", mistake.belief)
    assert not re.search(NOT_OUR_WORDS, mistake.belief)
    assert len(mistake.belief.split()) <= WORDS


@chapters
def test_gives_no_solution_away(name):
    said = [output.get("text", "") for output in outputs(name)]
    said += [text for output in outputs(name) for text in output.get("data", {}).values() if isinstance(text, str)]
    said += [cell.source for cell in stored(name).cells]
    assert leaks("\n".join([(FOLDER / f"{name}.md").read_text(), *said, *map(unescape, said)])) == []


def test_a_line_of_a_solution_is_found_however_it_is_broken():
    line, sentence = "m.os.ftruncate(one, 640 + 64)", "What is saved is a frame."
    solution = f'from a import b\n\ndef f(m):\n    {line}\n    a = 1\n\nTEXT = """\n{sentence}\n"""'
    assert leaks(f"x = 1\n{line}\nWhat is\nsaved is a\tframe.", [solution], "") == [line, sentence]
    assert leaks("from a import b\na = 1", [solution], "") == []
    assert leaks(line, [solution], f"fd = 3 {line}") == []
