"""A history as text: for a terminal, for golden files, and for the text/plain of every figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import TextWrapper

import numpy as np

from khosim.run.history import History, Moment
from khosim.show.frame import failure, file_of, result_words, who
from khosim.show.given import a_moment
from khosim.show.lamps import lamps
from khosim.show.owners import Role
from khosim.show.picture import Picture, Verdict, picture
from khosim.show.source import kernel_stack
from khosim.show.words import changes, numbers
from khosim.state.mem_map import PG_NAMES, PG_dirty, PG_uptodate
from khosim.state.snapshot import Snapshot

__all__ = [
    "HEAD", "ROLE_WORDS", "VERDICT_WORDS", "memory_lines", "plain", "shown", "sizes_line", "state_table", "table_rows",
    "transcript",
]  # fmt: skip

ROLE_WORDS = {
    Role.FREE: "free",
    Role.KERNEL: "kernel",
    Role.SCRATCH: "scratch",
    Role.FDT: "KHO FDT",
    Role.BITMAP: "PFN bitmap",
    Role.INODE: "KHO inode",
    Role.CACHED: "cached",
    Role.FRESH: "cached, not uptodate",
    Role.HELD: "held",
    Role.STALE: "STALE",
    Role.OTHER: "another owner",
    Role.UNCLAIMED: "unclaimed",
}
VERDICT_WORDS = {
    Verdict.HOLE: "hole",
    Verdict.CACHED: "cached and listed",
    Verdict.FRESH: "cached, not uptodate",
    Verdict.HELD: "held, not restored",
    Verdict.SWAPPED: "swapped out, not listed",
    Verdict.UNLISTED: "UNLISTED: lost at kexec",
    Verdict.DISAGREE: "DISAGREE: two frames, one block",
    Verdict.STALE: "STALE: names a frame that is not this file's",
    Verdict.UNKNOWN: "not found yet",
}
HEAD = ("block", "page cache", "block list", "PFN bit", "verdict")
RULE = 72
WIDTH = 100
GLUE = "\N{NO-BREAK SPACE}"
Functions = tuple[str, ...]


def transcript(history: History) -> str:
    """Return the history as text: a sentence a step, what changed below it, the stack where it changes."""
    lines = [_headline(history), ""]
    before: Moment | None = None
    known: tuple[str, ...] = ()
    for moment, bad in zip(history, lamps(history), strict=True):
        lines += _moment(history, before, moment, [words for words in bad if words not in known])
        before, known = moment, bad
    if words := failure(history):
        lines.append(words)
    return "\n".join(lines) + "\n"


def shown(history: History) -> int:
    """Return the step that a figure's text shows: the one it opens at, if it says so, else the last."""
    return history.start or len(history) - 1


def plain(history: History) -> str:
    """Return the figure's text/plain: title, steps, digest of all moments, and the state `shown` as a table.

    Whatever bit, block, flag or size differs at any step, the digest differs, so a stored output catches it.
    """
    t = shown(history)
    end = [f"violated: {words}" for words in lamps(history)[t]] + [failure(history)] * bool(failure(history))
    where = [f"after step {t}:"] * (t < len(history) - 1)
    table = state_table(history[t].snapshot, file_of(history) or None)
    return "\n".join([*_wrapped([_headline(history)]), *where, table, *_wrapped(end)])


def state_table(snapshot: Snapshot, file: str | None = None) -> str:
    """Return one moment as a compact table: sizes, page cache beside block list, frames by owner, PFN bits.

    `file` is the name of the file to look at; None shows memory only. No line is longer than `WIDTH`. Raises
    `UsageError` for what is no snapshot.
    """
    a_moment("state_table", snapshot)
    drawn = picture(snapshot, file or "")
    lines = _wrapped([sizes_line(drawn, file)]) if file else []
    if rows := table_rows(drawn):
        widths = [max(len(row[k]) for row in (HEAD, *rows)) for k in range(len(HEAD))]
        lines += [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in (HEAD, *rows)
        ]
    return "\n".join([*lines, *_wrapped(memory_lines(drawn))])


def _wrapped(lines: Iterable[str]) -> list[str]:
    """Break long lines at spaces, but not within `GLUE`; what goes on is indented."""
    wrap = TextWrapper(WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    return [part.replace(GLUE, " ") for line in lines for part in wrap.wrap(line)]


def table_rows(drawn: Picture) -> list[tuple[str, ...]]:
    """Return a row of `HEAD` for each block that is not empty in both page cache and block list."""
    used = np.flatnonzero((drawn["cache"] != -1) | (drawn["blocks"] >= 0)).tolist()
    return [_row(drawn, i) for i in used]


def _lost(drawn: Picture) -> bool:
    """Whether this kernel has not found the handover yet."""
    return bool((drawn["verdict"] == Verdict.UNKNOWN).any())


def _row(drawn: Picture, i: int) -> tuple[str, ...]:
    cached, named = int(drawn["cache"][i]), int(drawn["blocks"][i])
    pfn = named if named >= 0 else cached
    bit = "-" if pfn < 0 else "outside" if pfn >= drawn["bit"].size else "set" if drawn["bit"][pfn] else "clear"
    verdict = VERDICT_WORDS[Verdict(int(drawn["verdict"][i]))]
    return str(i), _cached(drawn, cached), f"{named:#x}" if named >= 0 else "-", bit, verdict


def _cached(drawn: Picture, cached: int) -> str:
    if cached < 0:
        return "-" if cached == -1 else f"swap slot {-cached - 2}"
    flags = int(drawn["flags"][cached])
    marks = [PG_NAMES[mask] for mask in (PG_uptodate, PG_dirty) if flags & mask]
    return " ".join([f"{cached:#x}", *(marks or ["not uptodate"])])


def sizes_line(drawn: Picture, file: str) -> str:
    """Return both sizes of a file and its counts, in bytes and pages."""
    i_size, mirror, nrpages, alloced, swapped, ino = (int(x) for x in drawn["sizes"])
    if ino < 0:
        lost = f", its block list {VERDICT_WORDS[Verdict.UNKNOWN]}" if _lost(drawn) else ""
        return f"{file}: not open" + (f", kho i_size {mirror}" if mirror >= 0 else lost)
    kho = f"kho i_size {mirror}" if mirror >= 0 else "no KHO inode"
    return f"{file}: i_size {i_size}, {kho}, nrpages {nrpages}, alloced {alloced}, swapped {swapped}"


def memory_lines(drawn: Picture) -> list[str]:
    """Return whose each frame is, and which PFN bits are set; `GLUE` holds an owner and its first frame together."""
    role = drawn["role"]
    frames = "; ".join(
        f"{words} {numbers(np.flatnonzero(role == code).tolist())}".replace(" ", GLUE, 1 + words.count(" "))
        for code, words in ROLE_WORDS.items()
        if (role == code).any()
    )
    bits = numbers(np.flatnonzero(drawn["bit"]).tolist())
    none = VERDICT_WORDS[Verdict.UNKNOWN] if _lost(drawn) else "none"
    return [f"frames: {frames}", f"PFN bits: {bits or none}"]


def _path(stack: Functions, before: Functions) -> str:
    """The call stack; what it shares with the step before is a row of dots."""
    same = 0
    while same < min(len(stack), len(before)) - 1 and stack[same] == before[same]:
        same += 1
    return " > ".join([".."] * (same > 0) + list(stack[same:]))


def _functions(moment: Moment) -> Functions:
    """The call stack without line numbers: those move whenever a file is edited, and the stepper shows them."""
    return tuple(function for function, _, _ in kernel_stack(moment))


def _headline(history: History) -> str:
    last = history[len(history) - 1]
    count = len(history.kexecs) + 1
    kernels = f"{count} kernel{'s' * (count > 1)}"
    return f"{history.title}: {last.t} steps, {kernels}, digest {history.digest}"


def _moment(history: History, before: Moment | None, moment: Moment, broken: list[str]) -> Iterator[str]:
    """The lines of one moment: a rule at a kexec, a call that begins, a stack that changes, the step."""
    if before is not None and moment.kernel != before.kernel:
        yield f" kexec: kernel {moment.kernel} ".center(RULE, "=")
    for call in history.calls:
        if call.first == moment.t and moment.step is not None:
            yield f"{who(call.task)}: {call.text}"
    if moment.step is None:
        return
    stack, old = _functions(moment), _functions(before) if before else ()
    if stack and stack != old:
        yield "      " + _path(stack, old)
    yield f"{moment.t:4}  {moment.step.sentence}"
    if before is not None and moment.kernel == before.kernel:
        yield from (f"        {line}" for line in changes(before.snapshot, moment.snapshot))
    yield from (f"      ! violated: {words}" for words in broken)
    for call in history.calls:
        if call.last == moment.t:
            name = call.text.split("(")[0].split(" = ")[0]
            yield f"{who(call.task)}: {name} returns {result_words(call.result)}".rstrip()
