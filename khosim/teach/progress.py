"""What a reader has answered: one file beside the notebooks, and nothing about the person in it.

{"format": 1, "right": {"name": [seeds]}, "tries": {"name": count}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from khosim.errors import UsageError

__all__ = ["FILE", "Progress", "decoded", "encoded", "place"]

FILE = "khosim-progress.json"
FORMAT = 1
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # base 32 without I, L, O and U, which are misread
_MARK, _CHECK = 10, 10  # bits: of the list of questions, of the whole code; two digits each
_PRIME = 1021  # the largest below 2**10: one wrong digit changes a number by no multiple of it


def place() -> Path:
    """Where the file is: what KHOSIM_PROGRESS names, else beside the notebook that runs."""
    return Path(os.environ.get("KHOSIM_PROGRESS") or FILE)


class Progress:
    """What has been answered rightly, with which seeds, and how often was tried.

    A file that cannot be read as one is kept aside under another name; `notice` says so, once.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read the file, if there is one."""
        self.path = path or place()
        self.notice = ""
        self.stuck = False  # there is a file that is neither read nor put aside: it is left as it is
        self.right: dict[str, list[int]] = {}
        self.tries: dict[str, int] = {}
        self._load()

    def _load(self) -> None:
        self.right, self.tries = {}, {}
        name = self.path.name
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            self._stop(f"cannot be read: {name}: {error.strerror}")
            return
        try:
            content = json.loads(text)
            if isinstance(content, dict) and content.get("format", FORMAT) != FORMAT:
                self._put_aside("was written by another release of the book")
            else:
                self.right, self.tries = _checked(content)
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError):
            self._put_aside("could not be read")

    def _put_aside(self, why: str) -> None:
        n = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{n}")).exists():
            n += 1
        try:
            self.path.replace(aside)
        except OSError as error:
            self._stop(f"cannot be kept: {self.path.name} {why}, and cannot be put aside: {error.strerror}")
            return
        self.notice = f"{self.path.name} {why}. It is kept as {aside.name}; a new one begins."

    def _stop(self, words: str) -> None:
        self.notice, self.stuck = f"Your progress {words}.", True

    def note(self, name: str, seed: int, right: bool) -> str:
        """Add one answer and write the file; what the reader should be told about the file, mostly nothing."""
        with _alone(self.path.parent):
            self._load()  # another notebook may have added to it
            self.tries[name] = self.tries.get(name, 0) + 1
            if right and seed not in self.right.setdefault(name, []):
                self.right[name].append(seed)
            self.right = {known: seeds for known, seeds in self.right.items() if seeds}
            return self.notice if self.stuck else self._write()

    def _write(self) -> str:
        content = {"format": FORMAT, "right": self.right, "tries": self.tries}
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            beside.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
            beside.replace(self.path)  # whole or not at all, whatever stops us
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            return f"Your progress could not be kept: {self.path.name}: {error.strerror}."
        return self.notice


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other notebooks from writing meanwhile. Where a folder cannot be locked (Windows), go on without."""
    with ExitStack() as held:
        with suppress(ImportError, OSError):
            from fcntl import LOCK_EX, flock

            lock = os.open(folder, os.O_RDONLY)
            held.callback(os.close, lock)
            flock(lock, LOCK_EX)
        yield


def _checked(content: Any) -> tuple[dict[str, list[int]], dict[str, int]]:
    right = {str(name): [int(seed) for seed in seeds] for name, seeds in content["right"].items()}
    return right, {str(name): int(count) for name, count in content["tries"].items()}


def _mark(names: list[str]) -> int:
    """What tells the questions of one release from those of another."""
    return int.from_bytes(blake2b(" ".join(names).encode(), digest_size=2).digest(), "little") >> (16 - _MARK)


def encoded(done: set[str], names: list[str]) -> str:
    """One short code for what of `names`, in their order, is done: a bit each, and two marks that catch a slip."""
    bits = sum(1 << at for at, name in enumerate(names) if name in done)
    body = bits << _MARK | _mark(names)
    value = body << _CHECK | body % _PRIME
    length = -(-(len(names) + _MARK + _CHECK) // 5)
    digits = "".join(_DIGITS[value >> 5 * at & 31] for at in reversed(range(length)))
    return "-".join(digits[at : at + 5] for at in range(0, length, 5))


def decoded(code: str, names: list[str]) -> set[str]:
    """What of `names` a code says is done. Raises `UsageError` for a slip in it, or one of another release."""
    plain = code.upper().replace("-", "").replace(" ", "").translate(str.maketrans("OIL", "011"))
    if not plain or set(plain) - set(_DIGITS):
        raise UsageError(f"a code is digits and letters in groups of five, not {code!r}")
    value = 0
    for digit in plain:
        value = value << 5 | _DIGITS.index(digit)
    body, check = value >> _CHECK, value & (1 << _CHECK) - 1
    if check != body % _PRIME:
        raise UsageError(f"{code!r} has a slip in it; copy it again")
    bits, mark = body >> _MARK, body & (1 << _MARK) - 1
    if mark != _mark(names) or bits >> len(names):
        raise UsageError(f"{code!r} was made by another release of the book, with other questions")
    return {name for at, name in enumerate(names) if bits >> at & 1}
