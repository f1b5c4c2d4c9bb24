"""One call of a compared program, what came of it, and both as Python text that a reader can paste."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Arg", "Call", "Failed", "Name", "Outcome", "Stat", "described", "written"]


class Name(str):
    """A variable of the program: where a descriptor or a mapping is kept (`fd0`, `map0`)."""

    __slots__ = ()


Arg = Name | int | str | bytes | None


class Stat(NamedTuple):
    """The part of `os.stat_result` that is compared."""

    st_size: int  # bytes
    st_blocks: int  # units of 512 bytes, as from stat(2)


@dataclass(frozen=True, slots=True)
class Failed:
    """A call that raised: the errno's name for an `OSError`, else the exception's own name.

    `detail`, the message, is for the reader; two failures of one kind are equal whatever they say.
    """

    kind: str
    detail: str = field(default="", compare=False)


Outcome = bytes | int | str | None | Stat | Failed


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its name, its arguments, and the variable that keeps what it returns.

    A name is a function of `os` (`memfd_create`, `pread`, ...; the first argument is the descriptor), or one
    of `mmap`, `load`, `store`, `length`, `madvise`, `mincore`, `unmap` (the first argument is the mapping).
    `load` and `store` end in an index, or in start, stop and perhaps step of a slice; `store`'s second
    argument is the value. Offsets and lengths are in bytes.
    """

    name: str
    args: tuple[Arg, ...]
    out: Name | None = None

    def __str__(self) -> str:
        """The call as a line of Python."""
        line = _MAPPED[self.name](self) if self.name in _MAPPED else f"os.{self.name}({_listed(self)})"
        return line if self.out is None else f"{self.out} = {line}"


_WHENCE = ("os.SEEK_SET", "os.SEEK_CUR", "os.SEEK_END", "os.SEEK_DATA", "os.SEEK_HOLE")
_MODES = ("0", "khosim.FALLOC_FL_KEEP_SIZE", "khosim.FALLOC_FL_PUNCH_HOLE")
_PUNCH = f"{_MODES[2]} | {_MODES[1]}"
_LONGEST_UNIT = 16  # bytes; a longer repetition reads no better than the bytes themselves
_SHORT = 24  # bytes that still read well as they are


def _listed(call: Call) -> str:
    """The arguments between a call's brackets, flags by their names."""
    words = [written(value) for value in call.args]
    if call.name == "lseek" and len(words) > 2 and call.args[2] in range(len(_WHENCE)):  # noqa: PLR2004 - whence
        words[2] = _WHENCE[int(words[2])]
    if call.name == "fallocate" and call.args[1] in range(len(_MODES) + 1):
        words[1] = (*_MODES, _PUNCH)[int(words[1])]
    return ", ".join(words)


def _key(parts: tuple[Arg, ...]) -> str:
    return "[" + ":".join("" if part is None else written(part) for part in parts) + "]"


def _method(call: Call, name: str) -> str:
    return f"{call.args[0]!s}.{name}({', '.join(written(value) for value in call.args[1:])})"


_MAPPED = {
    "mmap": lambda call: f"mmap({_listed(call)})",
    "load": lambda call: f"{call.args[0]!s}{_key(call.args[1:])}",
    "store": lambda call: f"{call.args[0]!s}{_key(call.args[2:])} = {written(call.args[1])}",
    "length": lambda call: f"len({call.args[0]!s})",
    "madvise": lambda call: _method(call, "madvise"),
    "mincore": lambda call: _method(call, "mincore"),
    "unmap": lambda call: _method(call, "close"),
}


def written(value: Arg) -> str:
    """An argument as Python text; long repetitive bytes as the unit that repeats."""
    if isinstance(value, Name):
        return str(value)
    if not isinstance(value, bytes) or len(value) <= _SHORT:
        return repr(value)
    for period in range(1, _LONGEST_UNIT + 1):
        whole, rest = divmod(len(value), period)
        unit = value[:period]
        if unit * whole + unit[:rest] == value:
            return f"{unit!r} * {whole}" + (f" + {unit[:rest]!r}" if rest else "")
    return repr(value)


def described(outcome: Outcome, at: int = 0) -> str:
    """What came of a call, in a few words; of long bytes, some from byte `at` on."""
    if isinstance(outcome, Failed):
        detail = " ".join(outcome.detail.split())  # one line: it may stand in a comment
        return f"{outcome.kind} ({detail})" if detail else outcome.kind
    if isinstance(outcome, Stat):
        return f"st_size={outcome.st_size} st_blocks={outcome.st_blocks}"
    if not isinstance(outcome, bytes):
        return outcome if isinstance(outcome, str) else repr(outcome)
    if len(outcome) <= _SHORT:
        return written(outcome)
    start = at - at % _SHORT
    return f"{len(outcome)} bytes, from byte {start}: {outcome[start : start + _SHORT]!r}"
