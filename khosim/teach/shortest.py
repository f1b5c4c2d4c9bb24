"""The shortest program after which something does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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

    A program that ends early is not made longer. What the reader's own function raises comes with its program, also
    when `holds` goes on with the machine; a kernel that dies then is a counterexample too.
    """
    ended: set[tuple[str, ...]] = set()
    tried = 0
    for length in range(most + 1):
        for chosen in product(lines, repeat=length):
            if any(chosen[:n] in ended for n in range(1, length)):
                continue
            program = "\n".join([start, *chosen])
            tried += 1
            with _with_its(program):
                run = play(program, variants)
                sentence, trace = _complaint(run, holds)
            if run.error is not None:
                ended.add(chosen)
            if sentence:
                if trace is None and not isinstance(run.error, Endless):
                    trace = _drawn(program, variants)
                return Found(program, sentence, trace), tried
    return None, tried


@contextmanager
def _with_its(program: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(f"It was raised while this program ran on your function:\n{program}")
        raise


def _drawn(program: str, variants: Paths) -> History | None:
    trace = play(program, variants, title="the shortest counterexample").history
    if trace is not None:
        trace.start = trace.steps  # what holds is asked of the end
    return trace


def _complaint(run: Played, holds: Holds) -> tuple[str, History | None]:
    if isinstance(run.error, KernelFailure):
        return f"The kernel dies: {_words(run.error)}", None
    try:
        said = next(holds(run), "")
    except KernelFailure as error:
        return f"The kernel dies when it is asked what came of it: {_words(error)}", None
    return (said, None) if isinstance(said, str) else said


def _words(error: KernelFailure) -> str:
    return f"{type(error).__name__}: {error}"
