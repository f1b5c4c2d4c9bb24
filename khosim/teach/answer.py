"""Answers: what form one must have, and which entry of one is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from khosim.errors import UsageError

__all__ = ["WHOLE", "fitted", "form", "kind", "part", "parts_of", "same", "wrong_entry"]

WHOLE = "your answer"
"""The entry of an answer that has no parts."""

LONG = 80  # characters of a refused answer that are told


def form(truth: Any, options: tuple[str, ...] = ()) -> str:
    """How an answer to a question with this kind of truth is written; says nothing about the truth itself."""
    words = " or ".join(repr(option) for option in options)
    if isinstance(truth, list):
        return f"a list of {len(truth)}, each {part(truth, words)}"
    if isinstance(truth, Mapping):
        return f"a dict with an entry for each of {', '.join(map(repr, truth))}, each {part([*truth.values()], words)}"
    if isinstance(truth, set | frozenset):
        return f"a set of words, any of {', '.join(map(repr, options))}"
    return part([truth], words)


def part(values: list[Any], words: str) -> str:
    """How one entry is written, beside others with these values."""
    kinds = {type(value) for value in values}
    if str in kinds:
        return words or "a word"
    if bytes in kinds:
        return "some bytes, such as b'abc'"
    if bool in kinds:
        return "True or False"
    if list in kinds:
        return "a list of numbers, such as [1, 2]"
    return "a number, or None" if type(None) in kinds else "a number"


def fitted(answer: Any, truth: Any, options: tuple[str, ...] = ()) -> Any:
    """The answer in the form of the truth. Raises `UsageError` that says which form, for another one."""
    answer = _listed(_plain(answer), truth)
    if isinstance(truth, set | frozenset) and isinstance(answer, list | tuple | frozenset):
        answer = _set(answer)
    parts, known = parts_of(answer), parts_of(truth)
    if any(part is ... for part in parts):
        raise UsageError(f"an answer is {form(truth, options)}, with nothing left out; this did not count as one")
    if options:
        strange = next((part for part in parts if isinstance(part, str) and part not in options), None)
        if strange is not None:
            raise UsageError(f"{_cut(strange)} is not a choice here; write {form(truth, options)}")
    fits = kind(answer) is kind(truth)
    if fits and isinstance(truth, list):
        fits = len(answer) == len(truth)
    if fits and isinstance(truth, Mapping):
        fits = answer.keys() == truth.keys()
    kinds = {str} if isinstance(truth, set | frozenset) else {kind(part) for part in known}
    if not fits or not {kind(part) for part in parts} <= kinds:
        raise UsageError(f"write {form(truth, options)}, not {_cut(answer)}; this did not count as an answer")
    return answer


def _plain(answer: Any) -> Any:
    """The answer with Python's own numbers and lists for numpy's."""
    if isinstance(answer, np.generic | np.ndarray):
        return answer.tolist()
    if isinstance(answer, Mapping):
        return {entry: _plain(value) for entry, value in answer.items()}
    return type(answer)(map(_plain, answer)) if type(answer) in (list, tuple) else answer


def _cut(answer: Any) -> str:
    """The answer as it is written, or as much of it as fits a line."""
    try:
        text = repr(answer)
    except Exception:  # noqa: BLE001 - a number of more digits than Python prints, or an object of the reader's
        return f"this {type(answer).__name__}"
    return text if len(text) <= LONG else f"{text[:LONG]}..."


def _listed(answer: Any, truth: Any) -> Any:
    """The answer with a list for each tuple where the truth has a list: `1, 0` is as good as `[1, 0]`."""
    if isinstance(truth, list) and isinstance(answer, list | tuple):
        return [*map(_listed, answer, truth), *answer[len(truth) :]]
    if isinstance(truth, Mapping) and isinstance(answer, Mapping):
        return {entry: _listed(value, truth.get(entry)) for entry, value in answer.items()}
    return answer


def _set(answer: Any) -> set[Any]:
    try:
        return set(answer)
    except TypeError:
        raise UsageError(f"a set holds words or numbers, not {_cut(answer)}") from None


def parts_of(answer: Any) -> list[Any]:
    """Its entries; itself alone, if it has none."""
    if isinstance(answer, Mapping):
        return list(answer.values())
    return list(answer) if isinstance(answer, list | set | frozenset) else [answer]


def kind(value: Any) -> type:
    """Its type, as far as answers are told apart by it: whatever counts is an int."""
    kinds: tuple[type, ...] = (bool, str, bytes, list, dict, set)
    for one in kinds:
        if isinstance(value, one) or (one is set and isinstance(value, frozenset)):
            return one
    return int if hasattr(value, "__index__") else type(value)


def same(one: Any, other: Any) -> bool:
    """Whether two answers say the same, whatever their number types; True is not 1."""
    return kind(one) is kind(other) and bool(one == other)


def wrong_entry(answer: Any, truth: Any) -> Any:
    """The first entry of a fitted answer that is not as in the truth; None if all are."""
    if isinstance(truth, list):
        return _first(range(len(truth)), lambda at: same(answer[at], truth[at]))
    if isinstance(truth, Mapping):
        return _first(truth, lambda key: same(answer[key], truth[key]))
    if isinstance(truth, set | frozenset):
        return min(answer ^ truth, key=str, default=None)
    if isinstance(truth, bytes) and answer != truth:
        length = min(len(answer), len(truth))
        return _first(range(length), lambda at: answer[at] == truth[at], "its length")
    return None if same(answer, truth) else WHOLE


def _first(entries: Any, holds: Callable[[Any], bool], last: Any = None) -> Any:
    return next((entry for entry in entries if not holds(entry)), last)
