"""The shortest program after which something does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from khosim.errors import Endless, KernelFailure
from khosim.run.history import History
from khosim.teach.case import Paths, Played, play

__all__ = ["Found", "Holds", "shortest"]

Holds = Callable[[Played], Iterator[str | tuple[str, History]]]
"""The sentences that say what does not hold after a run; none if all does. Some come with a recording that shows it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A program, the first thing that does not hold after it, and a recording: of the program, or of what came next.

    There is none of a run that is too long to draw.
    """

    program: str
    sentence: str
    trace: History | None


def shortest(start: str, lines: Sequence[str], most: int, holds: Holds, variants: Paths) -> tuple[Found | None, int]:
    """Try `start` with every sequence of up to `most` of `lines`, shorter ones first; also how many programs were run.

    A program that ends early is not made longer. What the reader's own function raises comes with its program.
    """
    ended: set[tuple[str, ...]] = set()
    tried = 0
    for length in range(most + 1):
        for chosen in product(lines, repeat=length):
            if any(chosen[:n] in ended for n in range(1, length)):
                continue
            program = "\n".join([start, *chosen])
            tried += 1
            run = _played(program, variants, None)
            if run.error is not None:
                ended.add(chosen)
            sentence, trace = _complaint(run, holds)
            if sentence:
                if trace is None and not isinstance(run.error, Endless):
                    trace = _played(program, variants, "the shortest counterexample").history
                    trace.start = trace.steps  # what holds is asked of the end
                return Found(program, sentence, trace), tried
    return None, tried


def _played(program: str, variants: Paths, title: str | None) -> Played:
    try:
        return play(program, variants, title=title)
    except Exception as error:
        error.add_note(f"It was raised while this program ran on your function:\n{program}")
        raise


def _complaint(run: Played, holds: Holds) -> tuple[str, History | None]:
    if isinstance(run.error, KernelFailure):
        return f"The kernel dies: {type(run.error).__name__}: {run.error}", None
    said = next(holds(run), "")
    return (said, None) if isinstance(said, str) else said
