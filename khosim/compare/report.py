"""What a comparison found: in short, at length, and as a program that shows it again."""

from __future__ import annotations

import builtins
from dataclasses import dataclass

from khosim.compare.calls import Call, Failed, Outcome, described

__all__ = ["Comparison", "Difference", "told_apart"]

_FILE = """\
# A real kernel and the simulated one differ in the last of these {made} calls.
# Found by khosim compare in {origin}, shrunk from {found} calls.
#     real kernel: {real}
#     simulated:   {simulated}
{imports}
def program(os, mmap):
{body}
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first call that the two kernels answer differently: the last of `calls`, shrunk.

    `outcomes` are the real kernel's, one for each call; `simulated` is the other answer to the last call.
    `found` is how many calls were played before they were shrunk; `origin` says where the program came from.
    """

    calls: tuple[Call, ...]
    outcomes: tuple[Outcome, ...]
    simulated: Outcome
    found: int
    origin: str

    @property
    def real(self) -> Outcome:
        """What the real kernel answered to the call that differs."""
        return self.outcomes[-1]

    @property
    def source(self) -> str:
        """A whole Python file that `khosim compare` runs again."""
        body = [_line(call, outcome) for call, outcome in zip(self.calls[:-1], self.outcomes, strict=False)]
        text = "\n".join(f"    {line}" for line in (*body, str(self.calls[-1])))
        imports = "\n".join(f"import {name}\n" for name in ("contextlib", "khosim") if f"{name}." in text)
        real, simulated = told_apart(self.real, self.simulated)
        return _FILE.format(
            origin=self.origin,
            made=len(self.calls),
            found=self.found,
            real=real,
            simulated=simulated,
            imports=f"\n{imports}\n" if imports else "",
            body=text,
        )


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """What came of a comparison: how many calls were made on both kernels, and the first difference, if any.

    `notes` tell what could not be compared on this machine.
    """

    calls: int
    difference: Difference | None = None
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the two kernels answered every call alike."""
        return self.difference is None

    def __repr__(self) -> str:
        """One line, the same each time: no addresses, no clock."""
        if self.difference is None:
            return f"<Comparison: {self.calls} calls, no difference>"
        real, simulated = told_apart(self.difference.real, self.difference.simulated)
        return f"<Comparison: {self.difference.calls[-1]} gives {real}, simulated {simulated}>"

    def __str__(self) -> str:
        """The verdict in a line; a difference as a file to save and run again."""
        notes = "".join(f"# {note}\n" for note in self.notes)
        if self.difference is None:
            return f"{notes}{self.calls} calls on this machine's kernel and the simulated one: no difference"
        return notes + self.difference.source


def _line(call: Call, outcome: Outcome) -> str:
    """A call of the program that differs later; what it raises must not end the program."""
    if not isinstance(outcome, Failed):
        return str(call)
    known = "khosim.BusError" if outcome.kind == "BusError" else outcome.kind
    raised = known if "." in known or hasattr(builtins, known) else "OSError"
    return f"with contextlib.suppress({raised}):\n        {call}"


def told_apart(real: Outcome, simulated: Outcome) -> tuple[str, str]:
    """Both answers in words; of long bytes, the part where they differ."""
    at = 0
    if isinstance(real, bytes) and isinstance(simulated, bytes):
        pairs = enumerate(zip(real, simulated, strict=False))
        at = next((i for i, (one, other) in pairs if one != other), min(len(real), len(simulated)))
    return described(real, at), described(simulated, at)
