"""Where a question's numbers come from: a seed, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

__all__ = ["Seed"]

T = TypeVar("T")


class Seed:
    """Picks the numbers of one instance of a question. Seed 0 takes the first of everything: the chapter's instance.

    The same question and seed give the same instance on every machine.
    """

    def __init__(self, question: str, number: int) -> None:
        """Begin at the first pick."""
        self.question = question
        self.number = number
        self._picks = 0

    def _below(self, count: int) -> int:
        self._picks += 1
        if not self.number:
            return 0
        text = f"{self.question} {self.number} {self._picks}"
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") % count

    def among(self, *options: T) -> T:
        """One of the options."""
        return options[self._below(len(options))]

    def number_from(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        return low + self._below(high - low + 1)

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different ones of the options, in any order."""
        left = list(options)
        return [left.pop(self._below(len(left))) for _ in range(count)]
