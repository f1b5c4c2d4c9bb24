"""A program with a name, and how it is played."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from khosim.config import MachineConfig
from khosim.errors import KernelFailure, UsageError
from khosim.run.history import History
from khosim.run.scheduler import Choice
from khosim.user.machine import session
from khosim.user.session import Request

__all__ = ["Phase", "Scenario", "find", "play"]

Phase = Mapping[str, Sequence[Request]]
"""Tasks that run side by side: name -> its calls, in order. The next phase begins when all have ended."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A machine, a program in phases, and notes: what to look at. `before` runs first, unrecorded."""

    name: str
    question: str
    phases: Sequence[Phase]
    notes: Sequence[str] = ()
    before: Sequence[Request] = ()
    config: MachineConfig = field(default_factory=MachineConfig)


def find(scenarios: Mapping[str, Callable[[], Scenario]], name: str) -> Scenario:
    """The scenario called `name`. Raises `UsageError` that lists what there is."""
    if name not in scenarios:
        near = get_close_matches(name, scenarios, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise UsageError(f"there is no scenario {name!r}{hint} There are: {', '.join(scenarios)}")
    return scenarios[name]()


def play(scenario: Scenario, choices: Sequence[Choice] = (), *,
         variants: Mapping[str, Callable[..., Any]] | None = None) -> History:  # fmt: skip
    """Record a scenario: `choices` first, then nobody interferes. A kernel that dies ends the history, and is in it."""
    stage = session(scenario.config, variants or {})
    for name, args in scenario.before:
        stage.call(name, *args)
    history = stage.record(scenario.name)
    following = iter(choices)
    try:
        for phase in scenario.phases:
            stage.together(phase, following)
    except KernelFailure:
        pass  # `history.failure` tells it
    finally:
        stage.stop()
    return history
