"""Ask whether the chapters would notice: run each planted mistake through the cells and the questions of its chapter.

A planted mistake (khosim/variants/mistakes) is a belief about the patch, as a kernel that works like it. Its chapter is
executed cell by cell with that kernel under every machine that boots; what a cell replaces itself is left as it is.
The mistake is caught by

  a cell, if one of its `assert` statements fails. What else is raised is noted, and the next cells are still tried;
  a question or an exercise by hand of the chapter, if for one of its first eight seeds the mistaken kernel gives
  another answer. That it gives none, because the reading stumbles, does not count: no reader can give it.

Each chapter is first run without a mistake, and must raise nothing. The exit status is 1 if that fails or if a mistake
is not caught by anything.

  python tools/kills.py                      every mistake of every chapter that is there
  python tools/kills.py 7                    those of chapter 07
  python tools/kills.py restore-zeroes 02    one mistake, and those of chapter 02
"""

import argparse
import ast
import json
import multiprocessing
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass, field
from io import StringIO
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NoReturn

import jupytext

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the mistakes are planted in this copy of khosim, whichever one is installed

import khosim.teach.chapters  # noqa: E402, F401 - fills the table of questions
from khosim.state.machine import MachineState  # noqa: E402
from khosim.teach.answer import same  # noqa: E402
from khosim.teach.question import NOTHING, QUESTIONS, Question  # noqa: E402
from khosim.variants.mistakes import MISTAKES, Mistake  # noqa: E402

FOLDER = ROOT / "notebooks"
AT_ONCE, SEEDS = 2, 8
PATIENCE = 60  # seconds for a cell or an answer: a mistaken kernel may never come back


@dataclass
class Outcome:
    """What became of one mistake; of a chapter without one, if it has no name.

    `section` and `source` say which assert failed first, `questions` which answer otherwise, `noted` what else was
    raised on the way.
    """

    name: str
    chapter: int
    section: str = ""
    source: str = ""
    questions: list[str] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)

    @property
    def caught(self) -> bool:
        """Whether anything in the chapter speaks against it."""
        return bool(self.source or self.questions)


@dataclass(frozen=True)
class Cell:
    """A code cell, and the section that it stands in."""

    number: int
    section: str
    source: str

    @property
    def file(self) -> str:
        """Its name in a traceback."""
        return f"<cell {self.number}>"


def chapters() -> dict[int, Path]:
    """Return the chapters that are there, by number."""
    return {int(path.name[:2]): path for path in sorted(FOLDER.glob("[0-9][0-9]-*.md"))}


def cells(chapter: Path) -> list[Cell]:
    """Return the code cells of a chapter."""
    found, section = [], ""
    for number, cell in enumerate(jupytext.read(chapter).cells):
        if cell.cell_type == "code":
            found.append(Cell(number, section, cell.source))
        elif headings := re.findall(r"^## (.+)$", cell.source, re.MULTILINE):
            section = headings[-1]
    return found


def questions(chapter: int) -> list[Question]:
    """Return the questions of a chapter, and its exercises by hand."""
    return [question for question in QUESTIONS.values() if question.chapter == chapter]


def plant(paths: Mapping[str, Any]) -> None:
    """Replace kernel paths in each machine that this process makes from now on. There is no way back."""
    made = MachineState.__init__

    def init(self: MachineState, config: Any, variants: Mapping[str, Any] | None = None) -> None:
        made(self, config, {**paths, **(variants or {})})

    MachineState.__init__ = init  # type: ignore[method-assign]


@contextmanager
def patience() -> Iterator[None]:
    """Raise `TimeoutError` in what takes too long."""

    def ring(*_: Any) -> NoReturn:
        raise TimeoutError(f"nothing after {PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(chapter: list[Cell], outcome: Outcome) -> None:
    """Run cells until an assert fails; put into `outcome` which one, and what else was raised."""
    room = {"__name__": "__main__"}
    for cell in chapter:
        try:
            with patience(), redirect_stdout(StringIO()):
                exec(compile(cell.source, cell.file, "exec"), room)  # noqa: S102 - as Jupyter does
        except Exception as error:  # noqa: BLE001 - a mistaken kernel may raise anything
            source = failed(error, chapter)
            if source:
                outcome.section, outcome.source = cell.section, source
                return
            outcome.noted.append(f"cell {cell.number} ({cell.section}): {type(error).__name__}: {error}")


def failed(error: Exception, chapter: list[Cell]) -> str:
    """Return the assert statement of a cell that raised `error`; nothing if it was raised by anything else."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    source = next((cell.source for cell in chapter if cell.file == last.filename), None)
    if source is None or last.lineno is None or not isinstance(error, AssertionError):
        return ""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert) and node.lineno <= last.lineno <= (node.end_lineno or node.lineno):
            return " ".join((ast.get_source_segment(source, node) or "").split())
    return ""


def answers_otherwise(question: Question, mistake: str) -> bool:
    """Whether one of the first instances of a question tells the mistaken kernel from the right one."""
    for seed in range(SEEDS):
        case = question.case(seed)
        with patience():
            believed = question.under(case, mistake)
        if believed != NOTHING and not same(believed, question.truth(case)):
            return True
    return False


def attempt(mistake: Mistake | None, number: int, chapter: list[Cell]) -> Outcome:
    """Try one mistake, or none, in this process, which is of no other use afterwards."""
    os.chdir(FOLDER)
    outcome = Outcome(mistake.name if mistake else "", number)
    if mistake:
        outcome.questions = [q.name for q in questions(number) if answers_otherwise(q, mistake.name)]
        plant(mistake.paths)
    run(chapter, outcome)
    return outcome


Job = tuple[Mistake | None, int, list[Cell]]


def attempts(jobs: Iterable[Job]) -> Iterator[Outcome]:
    """Try each in a process of its own, forked from this one, two at a time; in the order in which they end."""
    forks, waiting = multiprocessing.get_context("fork"), list(jobs)[::-1]
    running: dict[Connection, Job] = {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            job = waiting.pop()
            ours, theirs = forks.Pipe(duplex=False)
            forks.Process(target=lambda end, todo: end.send(attempt(*todo)), args=(theirs, job)).start()
            theirs.close()
            running[ours] = job
        for end in wait(list(running)):
            mistake, number, _ = running.pop(end)
            try:
                yield end.recv()
            except EOFError:
                yield Outcome(mistake.name if mistake else "", number, noted=["its process ended early"])
            end.close()


def jobs(mistakes: Iterable[Mistake]) -> list[Job]:
    """Return what is to be tried: the mistakes of chapters that are there, and each of those chapters without."""
    there = chapters()
    wanted = [mistake for mistake in mistakes if mistake.chapter in there]
    found: list[Job] = []
    for number in sorted({mistake.chapter for mistake in wanted}):
        chapter = cells(there[number])
        for question in questions(number):  # known before the forks: no need to find it in each
            for seed in range(SEEDS):
                question.truth(question.case(seed))
        found += [(mistake, number, chapter) for mistake in (None, *wanted) if not mistake or mistake.chapter == number]
    return found


def outcomes(mistakes: Iterable[Mistake]) -> list[Outcome]:
    """Try all; tell on stderr how far it is. In the order of the chapters, each first without a mistake."""
    todo, done = jobs(mistakes), []
    began = time.monotonic()
    for outcome in attempts(todo):
        done.append(outcome)
        now = f"{len(done)} of {len(todo)} tried, {time.monotonic() - began:.0f} s"
        print(f"\r{now}", end="" if len(done) < len(todo) else "\n", file=sys.stderr, flush=True)
    order = [(number, mistake.name if mistake else "") for mistake, number, _ in todo]
    return sorted(done, key=lambda outcome: order.index((outcome.chapter, outcome.name)))


def bad(outcome: Outcome) -> bool:
    """Whether a mistake survives, or a chapter raises something without one."""
    return not outcome.caught if outcome.name else bool(outcome.source or outcome.noted)


def lines(done: list[Outcome]) -> Iterator[str]:
    """Say what came out, as a table by chapter."""
    planted = [outcome for outcome in done if outcome.name]
    for outcome in done:
        if not outcome.name:
            here = [other for other in planted if other.chapter == outcome.chapter]
            yield f"\nchapter {outcome.chapter:02}: {sum(other.caught for other in here)} of {len(here)} caught"
            if bad(outcome):
                yield f"  WITHOUT A MISTAKE it raises: {'; '.join([outcome.source, *outcome.noted])}"
            continue
        yield f"  {'' if outcome.caught else 'SURVIVES: '}{outcome.name}: {MISTAKES[outcome.name].belief}"
        if outcome.source:
            yield f"      {outcome.section}: {outcome.source}"
        if outcome.questions:
            yield f"      asked: {', '.join(outcome.questions)}"
        yield from (f"      noted: {words}" for words in outcome.noted)
    caught = sum(outcome.caught for outcome in planted)
    yield f"\n{caught} of {len(planted)} mistakes caught ({100 * caught / max(1, len(planted)):.0f} %)"


def chosen(words: list[str], parser: argparse.ArgumentParser) -> list[Mistake]:
    """Return the mistakes that are named, by name or by chapter; all if none is."""
    found = []
    for word in words:
        some = [m for m in MISTAKES.values() if word == m.name or (word.isdecimal() and int(word) == m.chapter)]
        if not some:
            parser.error(f"there is no mistake and no chapter with mistakes {word!r}; there are: {', '.join(MISTAKES)}")
        found += some
    return [mistake for mistake in MISTAKES.values() if mistake in (found if words else MISTAKES.values())]


def main(words: list[str] | None = None) -> int:
    """Read the command line, try, and tell."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python tools/kills.py", description=__doc__, formatter_class=form)
    parser.add_argument("what", nargs="*", metavar="MISTAKE|CHAPTER", help="a mistake by name, or a chapter by number")
    parser.add_argument("--json", action="store_true", help="print what came out as data, for a program to read")
    asked = parser.parse_args(words)
    done = outcomes(chosen(asked.what, parser))
    print(json.dumps([asdict(outcome) for outcome in done]) if asked.json else "\n".join(lines(done)).lstrip("\n"))
    return int(any(map(bad, done)))


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    sys.exit(main())
