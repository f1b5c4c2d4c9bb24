"""The appendices that are made from data and code. What does not fit together is an error, and names what to mend."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from book.press.model import Function, anchor

__all__ = ["SEVERITY", "Taught", "catalogue", "code", "coverage"]

SEVERITY = {
    1: "another owner's data, or memory corrupted", 2: "data lost in silence", 3: "a wrong answer",
    4: "memory or time lost", 5: "in theory",
}  # fmt: skip
ABOUT_BUGS = (
    "The author says of the patch that it is a quick proof of concept, full of bugs. It shows what it was written to "
    "show: a page can come back lazily. This page is what that costs in code that was written before."
)
ABOUT_ELEMENTS = (
    "The patch is sixteen changes to `mm/shmem.c`. Here it is taken apart into elements, in order, each with the "
    "functions of the model that follow it. A chapter stands here if its text names the element, or if its figures run "
    "a function that models it."
)
Data = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Taught:
    """A chapter, as far as the appendices ask: what its text names, and what its figures ran."""

    name: str
    title: str
    names: Collection[str]
    ran: Collection[str]

    @property
    def link(self) -> str:
        """The chapter as a link from an appendix."""
        return f"[{self.title}](../notebooks/{self.name}.ipynb)"


def catalogue(
    bugs: Data, model: Iterable[Function], chapters: Iterable[Taught], *,
    elements: Collection[str], runs: Collection[str], tests: Mapping[str, list[str]], repairs: Mapping[str, str],
) -> tuple[str, list[str]]:  # fmt: skip
    """Return the page of bugs, and what is wrong with it. `repairs`: bug -> the file of its repair."""
    model, chapters = list(model), list(chapters)
    cited = {bug: f"{f.file}: {f.name}" for f in model for bug in f.bugs}
    wrong = [f"{where} names {bug}, which is in no catalogue" for bug, where in cited.items() if bug not in bugs]
    wrong += [f"{tests[bug][0]} shows {bug}, which is in no catalogue" for bug in tests if bug not in bugs]
    wrong += [f"{repairs[bug]} repairs {bug}, which is in no catalogue" for bug in repairs if bug not in bugs]
    stakes = SEVERITY.items()
    lines = [
        "# The catalogue of bugs", "",
        f"{len(bugs)} in all. {ABOUT_BUGS}", "",
        "| severity | what is at stake | bugs |", "|---|---|---|",
        *(f"| S{n} | {words} | {_refs(b for b in bugs if bugs[b]['severity'] == n)} |" for n, words in stakes),
        "",
    ]  # fmt: skip
    for bug, says in bugs.items():
        wrong += [f"{bug}: there is no element {e}" for e in says["at"] if e not in elements]
        wrong += [f"{bug}: there is no recorded run {r}" for r in says.get("runs", ()) if r not in runs]
        shown = [test.rpartition(": ")[2] for test in tests.get(bug, ())]
        named = [f for f in model if bug in f.bugs and "/kernel/" in f.file]
        lines += [
            f"({bug.lower()})=", f"## {bug}: {says['title']}", "", says["what"], "",
            f":Severity: S{says['severity']}, {SEVERITY[says['severity']]}",
            f":In the patch: {_refs(says['at'])}{'; the patch says so itself' if says.get('note') else ''}",
            f":Recorded: {_recorded(says)}",
            *([f":In the model: {', '.join(f'`{f.name}()`' for f in named)}"] if named else []),
            f":Test: {', '.join(f'`{name}`' for name in shown) or 'none: no run of this model can show it'}",
            f":Repair: {f'`{repairs[bug]}`' if bug in repairs else 'not yet'}",
            f":Chapters: {_chapters(chapters, bug)}", "",
        ]  # fmt: skip
    return "\n".join(lines), wrong


def _recorded(says: Mapping[str, Any]) -> str:
    if says.get("runs"):
        return "a real kernel with the patch did this in " + ", ".join(f"`{run}`" for run in says["runs"])
    return "yes, in a run that is not kept here" if says.get("recorded") else "no; found by reading"


def coverage(elements: Data, model: Iterable[Function], chapters: Iterable[Taught]) -> tuple[str, list[str]]:
    """Return the page that says where each element of the patch is modelled and taught, and what is wrong with it."""
    model, chapters = list(model), list(chapters)
    wrong = [
        f"{f.file}: {f.name} names {e}, which is no element" for f in model for e in f.elements if e not in elements
    ]
    lines = [
        "# The patch, element by element", "",
        ABOUT_ELEMENTS, "",
    ]  # fmt: skip
    place = ""
    for element, says in elements.items():
        models = [f for f in model if element in f.elements and "/kernel/" in f.file]
        if not models:
            wrong.append(f"{element}: no function of the model names it")
        if says["at"] != place:
            place = says["at"]
            lines += [f"## {_title(place)}", ""]
        taught = [c for c in chapters if element in c.names or c.ran & {f.name for f in models}]
        lines += [
            f"({element.lower()})=", f"### {element}", "", says["does"], "",
            f":Modelled by: {', '.join(f'`{f.name}()`' for f in models) or 'nobody'}",
            f":Chapters: {', '.join(c.link for c in taught) or 'none yet'}", "",
        ]  # fmt: skip
    return "\n".join(lines), wrong


def code(model: Iterable[Function], chapters: Iterable[Taught]) -> tuple[str, list[str]]:
    """Return the page of modelled functions, and what is wrong with it: two of one name could not be told apart."""
    model, chapters = list(model), list(chapters)
    names = [f.name for f in model]
    wrong = [f"{f.file}: another function is called {f.name} too" for n, f in enumerate(model) if f.name in names[:n]]
    lines = [
        "# The model, function by function", "",
        f"{len(model)} functions follow one of Linux. Each bears its name, and says what it leaves out.", "",
    ]  # fmt: skip
    file = ""
    for f in model:
        if f.file != file:
            file = f.file
            lines += [f"## {file}", ""]
        used = ", ".join(chapter.link for chapter in chapters if f.name in chapter.ran)
        lines += [
            f"({anchor(f.name)})=", f"### `{f.name}()`", "", f.sentence, "",
            f":Linux: {f.kernel}", f":Locks: {_said(f.locks)}", f":Left out: {_said(f.left_out)}",
            f":Source: `{f.file}`, line {f.line}",
            *([f":Runs in: {used}"] if used else []), "",
        ]  # fmt: skip
    return "\n".join(lines), wrong


def _title(place: str) -> str:
    return f"`{place}`" if "_" in place else place[0].upper() + place[1:]


def _said(words: str) -> str:
    return "nothing" if words in ("", "-") else words


def _refs(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _chapters(chapters: Iterable[Taught], name: str) -> str:
    return ", ".join(chapter.link for chapter in chapters if name in chapter.names) or "none yet"
