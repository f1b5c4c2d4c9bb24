"""Which invariants are violated, moment by moment."""

from __future__ import annotations

from khosim.run.history import History
from khosim.state.invariants import INVARIANTS, violations

__all__ = ["NAMES", "lamps"]

NAMES = tuple(INVARIANTS)
"""The lamps of the rail, in order."""


def lamps(history: History) -> list[tuple[str, ...]]:
    """What is violated at each moment, as "Name: what is wrong".

    A new violation counts once the call it began in has returned, for in the middle of one much is broken that is
    whole again a step later; an old one goes out as soon as it is mended.
    """
    rests = {0, *(call.last for call in history.calls)}
    found: list[tuple[str, ...]] = []
    for moment in history:
        now = tuple(violations(moment.snapshot))
        ends = moment.t in rests or moment.t == len(history) - 1
        lit = {_name(words) for words in found[-1]} if found else set()
        found.append(now if ends else tuple(words for words in now if _name(words) in lit))
    return found


def _name(words: str) -> str:
    return words.split(":", maxsplit=1)[0]
