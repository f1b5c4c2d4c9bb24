"""The lamps of the rail: which invariants are violated at a moment, and which are broken within a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from khosim.run.history import History, Moment
from khosim.state.invariants import INVARIANTS, violations
from khosim.state.snapshot import opened

__all__ = ["NAMES", "STATEMENTS", "Rail", "lamps", "rails", "returns"]

NAMES = tuple(INVARIANTS)
"""The lamps of the rail, in order."""
STATEMENTS = {name: " ".join((holds.__doc__ or "").split()) for name, holds in INVARIANTS.items()}
"""What each lamp stands for, in full."""


class Rail(NamedTuple):
    """The lamps at one moment: `bad` as "Name: what is wrong", `pending` as names. The others hold."""

    bad: tuple[str, ...]
    pending: tuple[str, ...]


def lamps(history: History) -> list[tuple[str, ...]]:
    """What is violated at each moment, as "Name: what is wrong"; see `rails`."""
    return [rail.bad for rail in rails(history)]


def rails(history: History) -> Iterator[Rail]:
    """The lamps at each moment.

    What breaks within a call is pending until that call has returned, for in the middle of one much is broken that
    is whole again a step later; then it is violated. A lamp goes out as soon as all is mended.
    """
    ends = returns(history)
    counts: dict[str, int] = {}  # a broken name -> the moment from which it is a violation
    for moment, snapshot in zip(history, opened(moment.snapshot for moment in history), strict=True):
        now = tuple(violations(snapshot))
        names = dict.fromkeys(map(_name, now))
        counts = {name: counts.get(name, _end(moment, ends)) for name in names}
        told = {name for name in names if moment.t >= counts[name]}
        bad = tuple(words for words in now if _name(words) in told)
        yield Rail(bad, tuple(name for name in names if name not in told))


def returns(history: History) -> list[int]:
    """The last moment of each call; of one that never returned, the history's."""
    ran = {moment.call for moment in history}
    died = (call.last < call.first and number in ran for number, call in enumerate(history.calls))
    return [len(history) - 1 if dead else call.last for dead, call in zip(died, history.calls, strict=True)]


def _end(moment: Moment, ends: list[int]) -> int:
    return moment.t if moment.call is None else ends[moment.call]


def _name(words: str) -> str:
    return words.split(":", maxsplit=1)[0]
