"""One instance of a question: a program, and what is to be read off its run. The answer is nowhere written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import khosim
from khosim.config import MachineConfig
from khosim.errors import BusError, KernelFailure
from khosim.run.history import History

__all__ = ["OPEN", "PAGE", "Case", "Paths", "Played", "play"]

OPEN = 'fd = m.os.memfd_create("guest", khosim.MFD_KHO)'
"""The line with which most programs begin, in each of their kernels."""
PAGE = MachineConfig().page_size
"""Bytes of a page, where a program's machine has no shape of its own."""

Paths = Mapping[str, Callable[..., Any]]
"""Kernel paths to replace, by name."""


@dataclass(frozen=True, slots=True)
class Played:
    """A program that has run: its recording, if there is one, its variables, and what ended it early, if anything did.

    `program` is its text, `names["m"]` the last machine. `error` is an `OSError`, a `BusError` or what the kernel died
    of.
    """

    trace: History | None
    names: dict[str, Any]
    error: Exception | None = None
    program: str = ""

    @property
    def history(self) -> History:
        """The recording. Raises `TypeError` if the program was run unrecorded."""
        if self.trace is None:
            raise TypeError("this run was not recorded")
        return self.trace


Reading = Callable[[Played], Any]
"""What is asked about a run: a number, a word, bytes, a set, a list, or a dict of entries."""


@dataclass(frozen=True, slots=True)
class Case:
    """One instance. The reader sees `asks` and `program`; `read` gives the answer by looking at the run.

    `rule` says what a wrong answer goes against: a text, or one for each entry. `look` says where to see it.
    `mistakes` names kernels of `khosim.variants.mistakes` that answer otherwise; `misread` holds other readings of
    the true run, by the belief behind them. `options` lists the words to choose from. `shape` goes to `boot()`.
    """

    asks: str
    program: str
    read: Reading
    rule: str | Mapping[Any, str] | Callable[[Any], str]
    look: str
    options: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()
    misread: Mapping[str, Reading] = field(default_factory=dict)
    shape: Mapping[str, Any] = field(default_factory=dict)
    empty: bool = False

    def rule_of(self, entry: Any) -> str:
        """The rule that a wrong `entry` goes against."""
        if isinstance(self.rule, str):
            return self.rule
        return self.rule[entry] if isinstance(self.rule, Mapping) else self.rule(entry)


def play(program: str, variants: Paths | None = None, shape: Mapping[str, Any] | None = None,
         title: str | None = None) -> Played:  # fmt: skip
    """Run a program on a machine `m` that has booted; recorded if there is a title.

    What the modelled kernel refuses or dies of is kept. Anything else that is raised is the program's own slip.
    """
    m = khosim.boot(variants=variants, **(shape or {}))
    room: dict[str, Any] = {"khosim": khosim, "m": m}
    if title is None:
        return Played(None, room, _executed(program, room), program)
    with m.record(title) as trace:
        error = _executed(program, room)
    return Played(trace, room, error, program)


def _executed(program: str, room: dict[str, Any]) -> Exception | None:
    """Run the lines that the reader sees, those and no others."""
    try:
        exec(compile(program, "<program>", "exec"), room)  # noqa: S102 - a question's text is its program
    except (OSError, BusError, KernelFailure) as error:
        return error
    return None
