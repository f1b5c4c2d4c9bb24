"""The kill table, as a page: which planted mistakes the chapters notice, and by what."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mdit_py_plugins.anchors.index import slugify

from book.press.appendices import Taught
from book.press.chapters import ROOT, kept
from khosim.variants.mistakes import MISTAKES, Mistake
from tools.kills import Outcome, bad

__all__ = ["kills", "outcomes"]

TOOL = ROOT / "tools" / "kills.py"
FAILED = 1  # what the tool exits with when a mistake survives; the table says which
ABOUT = (
    "A planted mistake is a belief about the patch, as a kernel that works like it. Each chapter is executed with each "
    "of its mistakes. A mistake is caught if an `assert` of the chapter fails, or if a question of the chapter is "
    "answered otherwise. What nothing in a chapter tells from the truth, the chapter does not teach."
)
HOW = (
    "Each entry names the first `assert` that fails. Without a mistake, each chapter was run first and raised nothing. "
    "`python tools/kills.py` makes the table again, and says what else broke on the way."
)


def outcomes(chapters: Iterable[Path], cache: Path) -> list[Outcome]:
    """Return what became of each mistake, chapter by chapter; `cache` holds those that need no second run."""
    found: list[Outcome] = []
    for chapter in sorted(chapters):
        number = int(chapter.name[:2])
        if any(mistake.chapter == number for mistake in MISTAKES.values()):
            rows = json.loads(kept(cache, f"kills-{number:02}", [chapter, TOOL], lambda n=number: _tried(n)))
            found += [Outcome(**row) for row in rows]
    return found


def _tried(chapter: int) -> str:
    command = [sys.executable, TOOL, "--json", str(chapter)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, FAILED):
        done.check_returncode()
    return done.stdout


def kills(
    found: Iterable[Outcome], chapters: Iterable[Taught], mistakes: Mapping[str, Mistake] = MISTAKES
) -> tuple[str, list[str]]:
    """Return the page, and what is wrong with it: each mistake that survives, each chapter that fails without one."""
    found = list(found)
    planted = [outcome for outcome in found if outcome.name]
    lines = ["# The kill table", "", ABOUT, "", f"{_share(planted)} are caught. {HOW}", ""]
    for chapter in chapters:
        here = [outcome for outcome in planted if outcome.chapter == int(chapter.name[:2])]
        if here:
            lines += [
                f"## {chapter.title}", "", f"{chapter.link}: {_share(here)}.", "",
                *(line for outcome in here for line in _entry(outcome, chapter, mistakes[outcome.name])),
            ]  # fmt: skip
    return "\n".join(lines), list(_wrong(found))


def _share(planted: list[Outcome]) -> str:
    caught = sum(outcome.caught for outcome in planted)
    return f"{caught} of {len(planted)} mistakes ({100 * caught // max(1, len(planted))} %)"


def _entry(outcome: Outcome, chapter: Taught, mistake: Mistake) -> list[str]:
    place = f"../notebooks/{chapter.name}.ipynb#{slugify(outcome.section)}"
    proof = f"[{outcome.section}]({place}): `{outcome.source}`" if outcome.source else "none"
    return [
        f"**{'' if outcome.caught else 'Survives: '}{mistake.belief}**", "",
        f":Planted as: `{mistake.name}`, in place of {', '.join(f'`{path}()`' for path in mistake.paths)}",
        f":An assert fails: {proof}",
        f":Told apart by: {', '.join(f'`{name}`' for name in outcome.questions) or 'none'}", "",
    ]  # fmt: skip


def _wrong(found: list[Outcome]) -> Iterator[str]:
    for outcome in filter(bad, found):
        chapter = f"chapter {outcome.chapter:02}"
        if outcome.name:
            yield f"{outcome.name}: nothing in {chapter} catches it"
        else:
            yield f"{chapter} raises without a mistake: {'; '.join([outcome.source, *outcome.noted]).strip('; ')}"
