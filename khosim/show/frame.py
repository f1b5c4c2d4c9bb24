"""The one wire format: a history as a small document that every view reads.

A document is JSON-able: the first state as runs, then for each step only what changed, the sentence, the call
stack and the verdicts. `states` rebuilds every state from it, as the stepper's `decode` does in JavaScript.

    {"schema": "khosim/2", "id", "title", "file", "digest", "machine": {...}, "invariants": [[name, statement], ...],
     "planes": [[name, runs], ...],          runs: value, length, value, length ...
     "functions": [{"name", "file", "line", "kernel", "source": key}, ...],
     "calls": [[cpu, text, first, last, result], ...], "kexecs": [step, ...],
     "steps": [{"d": [[plane, start, length, value, ...], ...], "say", "cpu",
                "stack": [keep, function, line, ...], "bad": [violated, ...], "pending": [number of an invariant, ...],
                "warn": 1}, ...],
     "start": the step to open at, if it is not 0,
     "kernel": the kernel that runs at the beginning, if it is not the first of the chain,
     "other": {"from": k, "digest", "calls", "kexecs", "failure", "steps"}, the second future of a fork}

What is missing in a step is as it was in the step before, except `d` and `warn`. A stack keeps its outermost
`keep` frames. The plane "bytes" carries text pieces instead of runs. Both codes are in `khosim.show.runs`.

A fork's document is its parent's, what happened; `other` is what could have: steps 0 to k - 1 are shared, and its
`steps` take the place of those from k on. Source text travels beside the document, by key: `khosim.show.sources`.
`id` is for links: `#id` to a figure, `#id@step` to a moment of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from errno import errorcode
from types import CodeType
from typing import Any
from unicodedata import normalize

import numpy as np

from khosim.run.history import History, Moment
from khosim.show.given import a_recording
from khosim.show.lamps import NAMES, STATEMENTS, Rail, rails, returns
from khosim.show.owners import name_of
from khosim.show.picture import PLANES, Picture, picture, pictures
from khosim.show.runs import apply, change, pack, splice, text_change, unpack
from khosim.show.source import Stack, describe, kernel_codes, kernel_stack
from khosim.show.words import shown_bytes
from khosim.state.mem_map import PG_NAMES
from khosim.state.snapshot import Snapshot, opened
from khosim.steps import Warn

__all__ = ["SCHEMA", "Document", "State", "document", "failure", "file_of", "result_words", "slug", "states", "who"]

SCHEMA = "khosim/2"
TEXT = PLANES.index("bytes")

Document = dict[str, Any]
"""What `document` returns."""
Numbers = dict[CodeType, int]


@dataclass(frozen=True, slots=True)
class State:
    """One moment as a view sees it. `stack` is (function, file, line), outermost first."""

    t: int
    planes: Picture
    say: str
    cpu: str
    stack: Stack
    bad: tuple[str, ...]
    pending: tuple[str, ...]
    warn: bool


def document(history: History, file: str | None = None) -> Document:
    """Return the history as one JSON-able document, seen from the file called `file` (None: the first).

    A fork's is its parent's, with the fork as the `other` future. Raises `UsageError` for what is no recording.
    """
    a_recording("document", history)
    main, fork = _futures(history)
    name = file_of(main) if file is None else file
    numbers: Numbers = {}
    functions: list[Document] = []
    first = picture(main[0].snapshot, name)
    found = _run(main, name, numbers, functions)
    start, kernel = history.start, main[0].kernel
    return {
        "schema": SCHEMA,
        "id": slug(history.title),
        "title": history.title,
        "file": name,
        "machine": _machine(main[0].snapshot),
        "invariants": [list(pair) for pair in STATEMENTS.items()],
        "planes": [[plane, pack(first[plane])] for plane in PLANES],
        "functions": functions,
        **found,
        **({"start": start} if start else {}),
        **({"kernel": kernel} if kernel > 1 else {}),
        **({"other": _from(found, _run(fork, name, numbers, functions))} if fork else {}),
    }


def slug(title: str) -> str:
    """Return a title as what stands behind # in a link: `One page crosses.` is `one-page-crosses`."""
    plain = normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return "-".join("".join(c if c.isalnum() else " " for c in plain).split()) or "figure"


def states(doc: Document, *, other: bool = False) -> Iterator[State]:
    """Rebuild every moment of a document, in order: the inverse of `document` for all that is drawn.

    `other`: of its other future, from the first moment on.
    """
    steps = doc["steps"][: doc["other"]["from"]] + doc["other"]["steps"] if other else doc["steps"]
    planes: Picture = {name: unpack(runs) for name, runs in doc["planes"]}
    say, cpu, bad, pending = "", "", (), ()
    stack: Stack = ()
    for t, step in enumerate(steps):
        planes = dict(planes)
        for plane, *runs in step.get("d", ()):
            name = PLANES[plane]
            planes[name] = splice(planes[name], runs) if plane == TEXT else apply(planes[name], runs)
        say, cpu = step.get("say", say), step.get("cpu", cpu)
        bad = tuple(step.get("bad", bad))
        if "pending" in step:
            pending = tuple(doc["invariants"][number][0] for number in step["pending"])
        if "stack" in step:
            stack = _grow(stack, step["stack"], doc["functions"])
        yield State(t, planes, say, cpu, stack, bad, pending, "warn" in step)


def file_of(history: History) -> str:
    """Return the name of the file a history is about: its first KHO file, else its first file, else ""."""
    plain = ""
    for snapshot in opened(moment.snapshot for moment in history):
        inode = snapshot.arrays["inode"]
        for ino in np.flatnonzero(inode["used"]).tolist():
            if inode["kho"][ino]:
                return name_of(snapshot, ino)
            plain = plain or name_of(snapshot, ino)
    return plain


def who(task: str) -> str:
    """Return a task as a reader sees it: cpu0 is CPU 0, other names stay."""
    return f"CPU {task[3:]}" if task[:3] == "cpu" and task[3:].isdigit() else task


def failure(history: History) -> str:
    """Return what ended the run before its time, or ""."""
    return f"{type(history.failure).__name__}: {history.failure}" if history.failure else ""


def _futures(history: History) -> tuple[History, History | None]:
    """What happened, and what could have, if the history is a fork."""
    return (history.parent[0], history) if history.parent else (history, None)


def _run(history: History, file: str, numbers: Numbers, functions: list[Document]) -> Document:
    """What a document says of one run; `numbers` and `functions` grow by the functions it met."""
    return {
        "digest": history.digest,
        "calls": _calls(history),
        "kexecs": [int(t) for t in history.kexecs],
        "failure": failure(history),
        "steps": list(_steps(history, file, numbers, functions)),
    }


def _from(main: Document, other: Document) -> Document:
    """The other future from the first step on that is told differently."""
    pairs = enumerate(zip(main["steps"], other["steps"], strict=False))
    shared = min(len(main["steps"]), len(other["steps"]))
    k = next((t for t, (one, two) in pairs if one != two), shared)
    return {"from": k, **other, "steps": other["steps"][k:]}


def _steps(history: History, file: str, numbers: Numbers, functions: list[Document]) -> Iterator[Document]:
    before, old = None, Document(say="", cpu="", bad=[], pending=[])
    stack: Stack = ()
    drawn = pictures((moment.snapshot for moment in history), file)
    for moment, after, rail in zip(history, drawn, rails(history), strict=True):
        step = Document(d=d) if before and (d := _changes(before, after)) else Document()
        new = _words(moment, rail)
        step.update((key, value) for key, value in new.items() if old.get(key) != value)
        if (found := kernel_stack(moment)) != stack:
            step["stack"] = _stack(stack, moment, numbers, functions)
            stack = found
        if isinstance(moment.step, Warn):
            step["warn"] = 1
        before, old = after, new
        yield step


def _words(moment: Moment, rail: Rail) -> Document:
    say = moment.step.sentence if moment.step is not None else ""
    pending = [NAMES.index(name) for name in rail.pending]
    return {"say": say, "cpu": who(moment.task) if moment.step else "", "bad": list(rail.bad), "pending": pending}


def _calls(history: History) -> list[list[int | str]]:
    calls = zip(history.calls, returns(history), strict=True)
    return [[who(c.task), c.text, c.first, end, result_words(c.result)] for c, end in calls]


def _changes(before: Picture, after: Picture) -> list[list[int | str]]:
    out: list[list[int | str]] = []
    for number, plane in enumerate(PLANES):
        code = text_change if number == TEXT else change
        if runs := code(before[plane], after[plane]):
            out.append([number, *runs])
    return out


def _stack(before: Stack, moment: Moment, numbers: Numbers, functions: list[Document]) -> list[int]:
    """How many outer frames stay, then (function number, line) of the others; new ones join the table."""
    keep, after = 0, kernel_stack(moment)
    while keep < min(len(before), len(after)) and before[keep] == after[keep]:
        keep += 1
    out = [keep]
    for code, (_, file, line) in list(zip(kernel_codes(moment), after, strict=True))[keep:]:
        number = numbers.setdefault(code, len(numbers))
        if number == len(functions):
            functions.append(describe(code, file))
        out += [number, line]
    return out


def _grow(before: Stack, code: list[int], functions: list[Document]) -> Stack:
    keep, *rest = code
    new = ((functions[f]["name"], functions[f]["file"], line) for f, line in zip(rest[0::2], rest[1::2], strict=True))
    return before[:keep] + tuple(new)


def _machine(snapshot: Snapshot) -> Document:
    config = snapshot.config
    shape = {key: int(getattr(config, key)) for key in ("frames", "page_size", "nblocks", "file_pages")}
    return shape | {"flags": {name: mask for mask, name in PG_NAMES.items()}}


def result_words(result: object) -> str:
    """Return what a call returned as a reader sees it: a number, an errno's name, bytes; "" for the rest."""
    match result:
        case (b"", -1):  # a store to a mapping
            return ""
        case (bytes() as data, 0 | -1) | (bytes() as data):
            return f"{len(data)} byte{'s' * (len(data) > 1)}, which {shown_bytes(data)}" if data else "no bytes"
        case (_, int() as number) | (int() as number):
            return f"-{errorcode.get(-number, -number)}" if number < 0 else str(number)
    return ""
