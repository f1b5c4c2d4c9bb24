"""What is said to an answer."""

from __future__ import annotations

from dataclasses import dataclass

from khosim.run.history import History

__all__ = ["Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Right or not, in words that never hold the answer; `trace` is a run that shows what is wrong.

    `belief` names the planted mistake whose kernel, or the belief whose reading, would have answered the same.
    """

    right: bool
    words: str
    belief: str = ""
    trace: History | None = None
