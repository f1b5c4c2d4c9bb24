"""Does the real kernel agree: one program on this machine's kernel and on the simulated one, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from khosim.compare.calls import Call, Failed, Name, Stat
from khosim.compare.duel import Boot, Duel
from khosim.compare.generate import session
from khosim.compare.host_map import PAGE_SIZE
from khosim.compare.player import Face
from khosim.compare.program import Program, load
from khosim.compare.report import Comparison, Difference
from khosim.errors import UsageError
from khosim.user.machine import boot

__all__ = ["Call", "Comparison", "Difference", "Face", "Failed", "Name", "Stat", "compare", "simulated"]

DEFAULT_CALLS = 1000
_FRAMES = 1024  # 6 files of 64 pages, and what sequential writes add to them


def simulated() -> Face:
    """The machine that is compared: pages as large as this one's, and room for every random program."""
    machine: Face = boot(frames=_FRAMES, page_size=PAGE_SIZE, file_pages=_FRAMES, inodes=8, files=8, vmas=8)
    return machine


def compare(
    program: Program | Sequence[Call] | str | Path | None = None,
    *,
    random: int | None = None,
    seed: int = 0,
    boot: Boot = simulated,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Run a program, or `random` random calls, on this machine's kernel and on the simulated ordinary memfd.

    `program` is the path of a file that defines `program(os, mmap)`, such a function, or a list of `Call`.
    Without one, programs are drawn from `seed` until `random` calls (1000 if not given) were made on both;
    the same seed gives the same calls. `boot` makes the simulated machine, a fresh one for each program.
    `progress` is told the calls made and the calls to make. The first difference ends the comparison and is
    shrunk. Raises `UsageError` where there is no Linux underneath, and for a program that cannot be run.
    """
    if program is not None and random is not None:
        raise UsageError("compare takes a program or random=N calls, not both")
    duel = Duel(boot)
    if program is None:
        return _random(duel, DEFAULT_CALLS if random is None else random, seed, progress)
    if isinstance(program, str | Path):
        calls, difference = duel.run(load(program), str(program))
    elif callable(program):
        calls, difference = duel.run(program, getattr(program, "__name__", "a program"))
    else:
        difference = duel.play(program, "a list of calls")
        calls = len(difference.calls) if difference else len(program)
    return _result(duel, calls, difference)


def _random(duel: Duel, count: int, seed: int, progress: Callable[[int, int], None] | None) -> Comparison:
    if count < 1:
        raise UsageError(f"random must be at least 1 call, not {count}")
    done = index = 0
    while done < count:
        calls = session(seed, index, PAGE_SIZE, sparse=duel.huge is None)[: count - done]
        difference = duel.play(calls, f"random program {index} of seed {seed}")
        done += len(difference.calls) if difference else len(calls)
        if difference:
            return _result(duel, done, difference)
        index += 1
        if progress:
            progress(done, count)
    return _result(duel, done, None)


def _result(duel: Duel, calls: int, difference: Difference | None) -> Comparison:
    return Comparison(calls, difference and duel.shrunk(difference), duel.notes)
