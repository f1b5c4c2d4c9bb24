"""Makes a program that shows a difference as short and as plain as it can be.

Calls are left out, large runs first, then one by one (delta debugging); then everything moves towards the
start of the file together; then each argument is made smaller. This is repeated until nothing more goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from khosim.compare.calls import Arg, Call, Name

__all__ = ["Differs", "shrink"]

Differs = Callable[[Sequence[Call]], int | None]
_TRIALS = 3000  # programs tried at most; a difference needs some hundreds


def shrink(calls: Sequence[Call], differs: Differs, page_size: int, trials: int = _TRIALS) -> list[Call]:
    """The shortest program found that still differs. Its last call is the one that differs.

    `differs` plays a program and answers the index of the call that differs, or None. page_size in bytes:
    offsets at a page edge are plainer than others.
    """
    shrinker = _Shrinker(list(calls), differs, page_size, trials)
    while shrinker.shorter() or shrinker.nearer() or shrinker.plainer():
        pass
    return _renamed(shrinker.calls)


class _Shrinker:
    """The best program so far, in `calls`."""

    def __init__(self, calls: list[Call], differs: Differs, page: int, trials: int) -> None:
        self.calls = calls
        self._differs = differs
        self._page = page
        self._left = trials

    def _takes(self, candidate: list[Call]) -> bool:
        """Keep the candidate, up to the call that differs, if it still shows the difference."""
        if self._left <= 0:
            return False
        self._left -= 1
        at = self._differs(candidate)
        if at is not None:
            self.calls = candidate[: at + 1]
        return at is not None

    def shorter(self) -> bool:
        """Leave out runs of calls, half of the program first, then a quarter, down to single calls."""
        before, size = len(self.calls), len(self.calls) // 2
        while size:
            stop = len(self.calls) - 1  # backwards: what a later call needs goes after the call itself
            while stop > 0:
                self._takes(self.calls[: max(stop - size, 0)] + self.calls[stop:])
                stop = min(stop - size, len(self.calls) - 1)
            size //= 2
        return len(self.calls) < before

    def nearer(self) -> bool:
        """Move all that lies far out by the same number of pages: size and offset often hang together."""
        numbers = [value for call in self.calls for value in call.args if isinstance(value, int)]
        step = max(numbers, default=0) // self._page
        changed = False
        while step:
            changed |= self._takes([_moved(call, step * self._page) for call in self.calls])
            step //= 2
        return changed

    def plainer(self) -> bool:
        """Make arguments smaller, call by call, until no smaller one will do."""
        changed, at = False, 0
        while at < len(self.calls):
            if any(self._takes(self._with(at, call)) for call in _plainer_calls(self.calls[at], self._page)):
                changed = True
            else:
                at += 1
        return changed

    def _with(self, at: int, call: Call) -> list[Call]:
        return [*self.calls[:at], call, *self.calls[at + 1 :]]


def _moved(call: Call, by: int) -> Call:
    """The call with every number that is not below `by` made smaller by it."""
    moved = (value - by if isinstance(value, int) and value >= by else value for value in call.args)
    return replace(call, args=tuple(moved))


def _plainer_calls(call: Call, page: int) -> Iterator[Call]:
    """The call with one argument smaller; the value and the slice of a store shrink and move together."""
    if call.name == "store":
        yield from _plainer_stores(call, page)
        return
    for i, value in enumerate(call.args):
        for plainer in _plainer(value, page):
            yield replace(call, args=(*call.args[:i], plainer, *call.args[i + 1 :]))


def _plainer_stores(call: Call, page: int) -> Iterator[Call]:
    name, data, *key = call.args
    if not isinstance(data, bytes) or len(key) != 2 or not all(isinstance(at, int) for at in key):  # noqa: PLR2004
        return  # an index, or a slice with a step: only a reader's program has them
    start, stop = (int(at or 0) for at in key)
    for size in _plainer_int(stop - start, page):
        yield replace(call, args=(name, data[:size], start, start + size))
        yield replace(call, args=(name, data[:size], stop - size, stop))
    for moved in _plainer_int(start, page):
        yield replace(call, args=(name, data, moved, moved + stop - start))
    if data.strip(b"A"):
        yield replace(call, args=(name, b"A" * len(data), *key))


def _plainer(value: Arg, page: int) -> Iterator[Arg]:
    if isinstance(value, int):
        yield from _plainer_int(value, page)
    elif isinstance(value, bytes):
        yield from (value[:size] for size in _plainer_int(len(value), page))
        if value.strip(b"A"):
            yield b"A" * len(value)


def _plainer_int(value: int, page: int) -> Iterator[int]:
    """Numbers nearer to 0: 0 itself, the page edge below, then ever smaller steps towards it."""
    size, sign = abs(value), 1 if value > 0 else -1
    if size > page and size % page:
        yield 0
        yield sign * (size - size % page)
    step = size
    while step:
        yield sign * (size - step)
        step //= 2


def _renamed(calls: list[Call]) -> list[Call]:
    """Number the variables in the order they appear."""
    names: dict[Name, Name] = {}
    for kind in ("fd", "map"):
        made = [call.out for call in calls if call.out is not None and call.out.startswith(kind)]
        names |= {old: Name(f"{kind}{i}") for i, old in enumerate(made, 1)}
    return [
        Call(
            call.name,
            tuple(names.get(value, value) if isinstance(value, Name) else value for value in call.args),
            None if call.out is None else names[call.out],
        )
        for call in calls
    ]
