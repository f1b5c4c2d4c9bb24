"""What can go wrong, in three kinds that are never mixed.

What the modelled kernel *returns* is an `OSError` with its errno, as from the real `os`. What it *complains of* is a
`Warn` in the trace (see `khosim.steps`), or it ends the run:

    KernelFailure            the modelled kernel cannot go on
    +-- KernelPanic          it crashed, with the kernel's words
    +-- Livelock             it would retry for ever
    +-- Deadlock             every task waits for another
    BusError                 SIGBUS: the program touched a byte of a mapping that gets no page

What the *reader* did wrong is a Python exception that says what to write instead:

    UsageError (ValueError)  a wrong argument; nothing was changed
    MachineGone (UsageError) a call on a machine that a kexec has ended
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from traceback import extract_tb

__all__ = ["BusError", "Deadlock", "KernelFailure", "KernelPanic", "Livelock", "MachineGone", "UsageError"]


class UsageError(ValueError):
    """The reader's slip: a wrong argument. The message says what to write instead; nothing was changed."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it: the reader's own line and the message, not the frames inside khosim."""
        here = Path(__file__).parent
        own = [*takewhile(lambda frame: here not in Path(frame.filename).parents, extract_tb(self.__traceback__))]
        where = [f"In line {own[-1].lineno}: {own[-1].line}"] if own and own[-1].line else []
        return [*where, f"{type(self).__name__}: {self}", *getattr(self, "__notes__", [])]


class MachineGone(UsageError):
    """A call on a machine that is no more: a kexec, a panic or a livelock has ended it."""


class KernelFailure(Exception):
    """The modelled kernel cannot go on. The machine keeps the state it died in, for looking at."""


class KernelPanic(KernelFailure):
    """The modelled kernel crashed; the message is in the kernel's words."""


class Livelock(KernelFailure):
    """The modelled kernel would retry for ever: the same task came back to the same place in the same state."""


class Endless(Livelock):
    """A call has taken more steps than any that ends: too many to be drawn."""


class Deadlock(KernelFailure):
    """Every task of the run waits for something only another task could do."""


class BusError(Exception):
    """SIGBUS: a mapping was touched where the program gets no page; the message says what stood in the way.

    Attributes: `address` (bytes from the start of the mapping).
    """

    def __init__(self, address: int, reason: str = "past the end of the file") -> None:
        """Remember where the mapping was touched."""
        super().__init__(f"SIGBUS at byte {address} of the mapping: {reason}")
        self.address = address
