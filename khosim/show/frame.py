"""The one wire format: a history as a small document that every view reads.

A document is JSON-able: the first state as runs, then for each step only what changed, the sentence, the call
stack and the verdicts. `states` rebuilds every state from it, as the stepper's `decode` does in JavaScript.

    {"schema": "khosim/1", "title", "file", "digest", "machine": {...}, "invariants": [[name, statement], ...],
     "planes": [[name, runs], ...],          runs: value, length, value, length ...
     "functions": [{"name", "file", "line", "kernel", "source"}, ...],
     "calls": [[cpu, text, first, last, result], ...], "kexecs": [step, ...],
     "steps": [{"d": [[plane, start, length, value, ...], ...], "say", "cpu",
                "stack": [keep, function, line, ...], "bad": [violated, ...], "pending": [number of an invariant, ...],
                "warn": 1}, ...],
     "start": the step to open at, if it is not 0}

What is missing in a step is as it was in the step before, except `d` and `warn`. A stack keeps its outermost
`keep` frames. The plane "bytes" carries text pieces instead of runs. Both codes are in `khosim.show.runs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from errno import errorcode
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from khosim.run.history import History, Moment
from khosim.show import source
from khosim.show.lamps import NAMES, STATEMENTS, Rail, rails, returns
from khosim.show.picture import PLANES, Picture, name_of, picture
from khosim.show.runs import apply, change, pack, splice, text_change, unpack
from khosim.show.words import shown_bytes
from khosim.state.mem_map import PG_NAMES
from khosim.state.snapshot import Snapshot
from khosim.steps import Warn

__all__ = [
    "SCHEMA", "Document", "Stack", "State", "document", "failure", "file_of", "kernel_stack", "result_words",
    "states", "who",
]  # fmt: skip

SCHEMA = "khosim/1"
TEXT = PLANES.index("bytes")
ROOT = Path(__file__).parents[1]
DRIVERS = ("run/", "user/", "scenarios/")

Document = dict[str, Any]
"""What `document` returns."""
Stack = tuple[tuple[str, str, int], ...]


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
    """Return the history as one JSON-able document, seen from the file called `file` (None: the first)."""
    name = file_of(history) if file is None else file
    first = picture(history[0].snapshot, name)
    functions: list[Document] = []
    steps = list(_steps(history, name, functions))
    start = int(getattr(history, "start", 0))
    return {
        "schema": SCHEMA,
        "title": history.title,
        "file": name,
        "digest": history.digest,
        "machine": _machine(history[0].snapshot),
        "invariants": [list(pair) for pair in STATEMENTS.items()],
        "planes": [[plane, pack(first[plane])] for plane in PLANES],
        "functions": functions,
        "calls": _calls(history),
        "kexecs": [int(t) for t in history.kexecs],
        "failure": failure(history),
        "steps": steps,
        **({"start": start} if start else {}),
    }


def states(doc: Document) -> Iterator[State]:
    """Rebuild every moment of a document, in order: the inverse of `document` for all that is drawn."""
    planes: Picture = {name: unpack(runs) for name, runs in doc["planes"]}
    say, cpu, bad, pending = "", "", (), ()
    stack: Stack = ()
    for t, step in enumerate(doc["steps"]):
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
    for moment in history:
        inode = moment.snapshot.arrays["inode"]
        for ino in np.flatnonzero(inode["used"]).tolist():
            if inode["kho"][ino]:
                return name_of(moment.snapshot, ino)
            plain = plain or name_of(moment.snapshot, ino)
    return plain


def kernel_stack(moment: Moment) -> Stack:
    """Return the call stack from the kernel's first path on: what drives the paths is not the kernel."""
    pairs = zip(moment.code, moment.stack, strict=True)
    stack = tuple((name, _file(code, file), line) for (code, _), (name, file, line) in pairs)
    outside = next((k for k, (_, file, _) in enumerate(stack) if not file.startswith(DRIVERS)), len(stack))
    return stack[outside:]


def _file(code: CodeType, file: str) -> str:
    """The file below khosim/; a cell's name differs from one process to the next, so it is not shown."""
    return file if Path(code.co_filename).is_relative_to(ROOT) else "notebook"


def who(task: str) -> str:
    """Return a task as a reader sees it: cpu0 is CPU 0, other names stay."""
    return f"CPU {task[3:]}" if task[:3] == "cpu" and task[3:].isdigit() else task


def failure(history: History) -> str:
    """Return what ended the run before its time, or ""."""
    return f"{type(history.failure).__name__}: {history.failure}" if history.failure else ""


def _steps(history: History, file: str, functions: list[Document]) -> Iterator[Document]:
    numbers: dict[CodeType, int] = {}
    before, old = picture(history[0].snapshot, file), Document(pending=[])
    stack: Stack = ()
    for moment, rail in zip(history, rails(history), strict=True):
        after = picture(moment.snapshot, file)
        step = Document(d=d) if (d := _changes(before, after)) else Document()
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


def _stack(before: Stack, moment: Moment, numbers: dict[CodeType, int], functions: list[Document]) -> list[int]:
    """How many outer frames stay, then (function number, line) of the others; new ones join the table."""
    keep, after = 0, kernel_stack(moment)
    while keep < min(len(before), len(after)) and before[keep] == after[keep]:
        keep += 1
    out = [keep]
    codes = moment.code[len(moment.code) - len(after) :]
    for (code, line), (_, file, _) in zip(codes[keep:], after[keep:], strict=True):
        number = numbers.setdefault(code, len(numbers))
        if number == len(functions):
            functions.append(source.describe(code, file))
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
        case (bytes() as data, 0 | -1) | (bytes() as data):
            return f"{len(data)} byte{'s' * (len(data) > 1)}, which {shown_bytes(data)}" if data else "no bytes"
        case (_, int() as number) | (int() as number):
            return f"-{errorcode.get(-number, -number)}" if number < 0 else str(number)
    return ""
