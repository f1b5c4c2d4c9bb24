"""What recorded runs say of single lookups: one page, one mode, what came of it, from the recorded states alone.

A `getfolio` op is a lookup by itself. A read, a fault, a write or a fallocate is a lookup and what its caller then
does with the page; of these only how the page was had is told, not how the lookup left it.
"""

from __future__ import annotations

from collections.abc import Iterator
from errno import errorcode
from typing import Any, NamedTuple

from khosim.conform.player import PAGE
from khosim.conform.runs import RecordedRun

__all__ = ["RecordedLookup", "recorded_lookups"]

State = dict[str, Any]
MODES = ("READ", "NOALLOC", "CACHE", "WRITE", "FALLOC")
CALLERS = {"read": "READ", "splice": "READ", "fread": "CACHE", "fwrite": "CACHE", "privread": "CACHE",
           "write": "WRITE", "falloc": "FALLOC", "falloc_keep": "FALLOC", "ucontinue": "NOALLOC"}  # fmt: skip
BY_INDEX = ("fread", "fwrite", "privread", "ucontinue")
DISTURBED = ("inject", "overcommit", "thp", "collapse")
"""Ops after which a lookup may fail for reasons of its own."""


class RecordedLookup(NamedTuple):
    """One lookup of a run. `page`, `mode`, `outcome` as in `khosim.scenarios.lookups`; `alone`: a `getfolio` op."""

    run: str
    op: str
    page: str
    mode: str
    outcome: str
    alone: bool


def recorded_lookups(run: RecordedRun) -> Iterator[RecordedLookup]:
    """The lookups of a KHO file in a recorded run, of pages that are one of the kinds of the table."""
    nblocks = max([int(op.split()[1]) for op in run.script if op.startswith("enable ")], default=16)
    for n, op in enumerate(run.script[: len(run.steps) + 1]):
        name, *words = op.split()
        if name in DISTURBED or not run.kho:
            return
        if n and (name == "getfolio" or name in CALLERS):
            before, step = run.steps[n - 1]["state"], run.steps[n] if n < len(run.steps) else None
            for index in _touched(name, words, step):
                page = _page(before, index, nblocks)
                came = _outcome(run, before, step, index, alone=name == "getfolio")
                mode = CALLERS.get(name) or MODES[int(words[1])]
                if page and came:
                    yield RecordedLookup(run.name, op, page, mode, came, name == "getfolio")


def _touched(name: str, words: list[str], step: State | None) -> range:
    """The pages that an op asked for; of a call that failed, none is sure."""
    first = int(words[0])
    if name == "getfolio":
        return range(first, first + 1)
    if step is None or step.get("ret", 0) < 0 or step.get("sig"):
        return range(0)
    if name in BY_INDEX:
        return range(first, first + 1)
    done = step["ret"] or (int(words[1]) if name.startswith("falloc") else 0)
    return range(first // PAGE, -(-(first + done) // PAGE) if done else first // PAGE)


def _entry(state: State, array: str, index: int) -> State | None:
    return next((entry for entry in state.get(array, ()) if entry["i"] == index), None)


def _page(state: State, index: int, nblocks: int) -> str:
    """What the page was before; nothing for what is no row of the table."""
    slot, block = _entry(state, "cache", index), _entry(state, "blocks", index)
    past = index * PAGE >= state["i_size"]
    if slot:
        kind = "swapped" if "swap" in slot else "cached" if slot["upt"] else "not uptodate"
        return "" if past else kind
    if block:
        return "held" if block["st"] == "held" and not past else ""
    if index >= nblocks:
        return "" if past else "past the array"
    return "past i_size" if past else "hole"


def _outcome(run: RecordedRun, before: State, step: State | None, index: int, *, alone: bool) -> str:
    if step is None:
        return "never returns" if run.panic.startswith("KHODBG LIVELOCK") else ""
    if step.get("ret", 0) < 0:
        return errorcode[step["errno"]]
    old, new = _entry(before, "cache", index), _entry(step["state"], "cache", index)
    if not new:
        return "no page"
    if old and ("swap" in old or old["upt"]):
        return "swapped in" if "swap" in old else "found"
    if not old and _entry(before, "blocks", index):
        return "restored"
    filled = "unfilled" if not new["upt"] else "zeroed" if {byte for _, byte in new["runs"]} == {0} else "exposed"
    return ("found" if old else "new") + (f", {filled}" if alone else "")
