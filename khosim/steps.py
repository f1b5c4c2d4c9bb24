"""The only words a kernel path may yield, and the mark that makes a function a path.

A path is a generator. What happens between two yields is one visible store; the yielded `Step` says it in one
sentence. `Choose` is the one door for luck, `Wait` and `Retry` are how a path lets others go first.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from string import Formatter
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

__all__ = ["PATHS", "Choose", "Path", "Retry", "Step", "Wait", "Warn", "path"]

P = ParamSpec("P")
R = TypeVar("R")


class _Words(Formatter):
    """Formats as `str.format`, and counts: `{count:page}` is "1 page" or "3 pages"."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """Put a noun that is given as a format in the singular or the plural."""
        if len(format_spec) > 1 and format_spec.replace(" ", "").isalpha():
            return f"{value} {format_spec}{'' if value == 1 else 's'}"
        text: str = super().format_field(value, format_spec)
        return text


WORDS = _Words()


class Step:
    """One visible store, told in one sentence of at most 84 characters.

    `name` is stable (tests and traces key on it), `text` a format string over `args`; `{count:page}` counts pages.
    """

    __slots__ = ("args", "name", "text")

    def __init__(self, name: str, text: str, **args: int) -> None:
        """Keep the parts; the sentence is made when somebody reads it."""
        self.name = name
        self.text = text
        self.args = args

    @property
    def sentence(self) -> str:
        """The sentence, for people."""
        return WORDS.format(self.text, **self.args)

    def __repr__(self) -> str:
        """Show the name and the sentence."""
        return f"{type(self).__name__}({self.name!r}, {self.sentence!r})"


class Warn(Step):
    """The kernel complains (WARN, printk, "Bad page state") and goes on; the sentence is in its words."""

    __slots__ = ()


class Choose:
    """Luck decides: the run sends back one of `options`; the first is what happens when nobody interferes."""

    __slots__ = ("args", "name", "options")

    def __init__(self, name: str, options: tuple[int, ...], **args: int) -> None:
        """Name the question and its possible answers."""
        self.name = name
        self.options = options
        self.args = args

    def __repr__(self) -> str:
        """Show the question and its options."""
        return f"Choose({self.name!r}, {self.options!r})"


Condition = Callable[..., bool]
"""A named test of the machine's arrays: `until(m, *args)`."""


class Wait:
    """The task sleeps until `until(m, *args)` holds; `reason` is what its blocked lane shows."""

    __slots__ = ("args", "reason", "until")

    def __init__(self, reason: str, until: Condition, *args: int) -> None:
        """Keep the named condition and its arguments."""
        self.reason = reason
        self.until = until
        self.args = args

    def __repr__(self) -> str:
        """Show the reason."""
        return f"Wait({self.reason!r})"


class Retry(Step):
    """The path starts over. If nothing has changed since this task's last retry, only another task can help it."""

    __slots__ = ()


Event = Step | Choose | Wait
Path = Generator[Event, Any, R]

PATHS: dict[str, Callable[..., Path[Any]]] = {}
"""Every path by name: what a variant may replace."""


def path(function: Callable[Concatenate[Any, P], Path[R]]) -> Callable[Concatenate[Any, P], Path[R]]:
    """Mark a generator function as a kernel path: it may be interleaved, and a variant may replace it.

    The returned function hands out the inner generator itself, so the chain of `gi_yieldfrom` is the call stack.
    Raises `TypeError` at import for a function that never yields, or for a name that is taken.
    """
    name = function.__name__
    if not inspect.isgeneratorfunction(function):
        raise TypeError(f"{name} is marked @path but never yields; drop the mark or yield a Step after its store")
    if name in PATHS:
        raise TypeError(f"two paths are named {name}; a path bears its Linux name, once")

    @functools.wraps(function)
    def call(m: Any, *args: P.args, **kwargs: P.kwargs) -> Path[R]:
        chosen: Callable[..., Path[R]] = m.variants.get(name, function)
        return chosen(m, *args, **kwargs)

    PATHS[name] = function
    return cast("Callable[Concatenate[Any, P], Path[R]]", call)
