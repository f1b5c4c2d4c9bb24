"""What a history is made of: calls, moments, and the causes it finds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path as FilePath
from types import CodeType
from typing import Any, NamedTuple

from khosim.state.snapshot import Snapshot
from khosim.steps import Step

__all__ = ["Call", "Cause", "Frame", "Moment", "call_stack", "shorten"]

ROOT = FilePath(__file__).parents[1]


class Frame(NamedTuple):
    """One line of a kernel's call stack: function, file below khosim/, line number."""

    function: str
    file: str
    line: int


@dataclass(slots=True)
class Call:
    """One call of the program: who made it, what it was, its first and last moment, and how it ended.

    `text` is the call as a reader would write it.
    """

    task: str
    name: str
    args: tuple[Any, ...]
    first: int
    last: int
    text: str
    result: Any = None

    def __repr__(self) -> str:
        """Show who called what, and when."""
        return shorten(f"Call({self.task}: {self.text}, moments {self.first} to {self.last})")


@dataclass(slots=True)
class Moment:
    """The machine right after one step. `t` 0 is before the first.

    `position`: choices taken so far. `kernel`: 1 for the first of the chain. `code`: the raw call stack.
    """

    t: int
    snapshot: Snapshot
    step: Step | None
    task: str
    call: int | None
    kernel: int
    position: int
    code: tuple[tuple[CodeType, int], ...]

    @property
    def stack(self) -> tuple[Frame, ...]:
        """The kernel's call stack, outermost first."""
        return tuple(Frame(c.co_name, _relative(c.co_filename), line) for c, line in self.code)

    @property
    def sentence(self) -> str:
        """What happened."""
        return self.step.sentence if self.step else "Before the first step."

    def __repr__(self) -> str:
        """Say when and what."""
        return shorten(f"Moment({self.t}: {self.sentence})")


def shorten(text: str, width: int = 120) -> str:
    """Cut a repr that would not fit a line."""
    return text if len(text) <= width else text[: width - 3] + "..."


@lru_cache
def _relative(name: str) -> str:
    path = FilePath(name)
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


class Cause(NamedTuple):
    """Why a cell is what it is: the step that made it so, back to the program's call.

    `t`: the moment the step left. `path`: the kernel function. `call`: the call's text. `old`, `new`: the cell.
    """

    t: int
    path: str
    sentence: str
    call: str
    old: int
    new: int

    def __repr__(self) -> str:
        """Show when, where and what."""
        return shorten(f"Cause(t={self.t}, {self.old} -> {self.new}, {self.path} in {self.call})")


def call_stack(path: Any) -> tuple[tuple[CodeType, int], ...]:
    """The raw call stack of a path: code and line of each frame, outermost first."""
    found = []
    while path is not None and path.gi_frame is not None:
        found.append((path.gi_code, path.gi_frame.f_lineno))
        path = path.gi_yieldfrom
    return tuple(found)
