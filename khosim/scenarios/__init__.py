"""Where to start: programs with a name, that `khosim run` and the book play.

Each function of `SCENARIOS` returns a `Scenario`: the machine, the calls, what should hold, and what to look at.
"""

from __future__ import annotations

from khosim.scenarios.scenario import Scenario, find, play
from khosim.scenarios.verbs import SCENARIOS

__all__ = ["SCENARIOS", "Scenario", "find", "play"]
