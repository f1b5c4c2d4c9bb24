"""Plays calls on one kernel, real or simulated, and notes what came of each."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Protocol

from khosim.compare.calls import Call, Failed, Name, Outcome, Stat

__all__ = ["OS_CALLS", "Face", "Player"]

OS_CALLS = (
    "close",
    "fallocate",
    "fstat",
    "ftruncate",
    "lseek",
    "memfd_create",
    "posix_fallocate",
    "pread",
    "pwrite",
    "read",
    "write",
)
# Linux has one number for ENOTSUP and EOPNOTSUPP; the manual of fallocate(2) says the latter.
_ERRORS = {**errno.errorcode, errno.EOPNOTSUPP: "EOPNOTSUPP"}
_NO_DESCRIPTOR = -1  # EBADF from every kernel


class Face(Protocol):
    """What a kernel shows to a program: the face of Python's `os`, and of its `mmap`.

    `khosim.Machine` has it; `khosim.compare.host.Host` gives it to the kernel underneath.
    """

    @property
    def os(self) -> Any:
        """The functions named in `OS_CALLS`, with `os`'s signatures."""

    @property
    def mmap(self) -> Any:
        """`mmap(fd, length)`: a shared mapping of the first `length` bytes of a file."""


class Player:
    """Plays calls on one face. It keeps the program's variables, and the last exception in `raised`."""

    def __init__(self, face: Face) -> None:
        self.raised: Exception | None = None
        self._names: dict[Name, Any] = {}
        self._memfd_create = face.os.memfd_create
        self._mmap = face.mmap
        self._on_file = {name: getattr(face.os, name) for name in OS_CALLS}
        self._on_mapping: dict[str, Callable[..., Any]] = {
            "load": lambda mapping, *key: mapping[_key(key)],
            "store": lambda mapping, value, *key: mapping.__setitem__(_key(key), value),
            "length": len,
            "madvise": lambda mapping, *rest: mapping.madvise(*rest),
            "mincore": lambda mapping: bytes(page & 1 for page in mapping.mincore()),  # other bits are reserved
            "unmap": lambda mapping: mapping.close(),
        }

    def play(self, call: Call) -> Outcome:
        """Make one call. Nothing is raised: what a kernel refuses is an outcome too."""
        self.raised = None
        try:
            answer: Outcome = self._answer(call)
        except Exception as error:  # noqa: BLE001 - whatever the simulated side raises is its answer
            self.raised = error
            if isinstance(error, OSError) and error.errno is not None:
                return Failed(_ERRORS.get(error.errno, str(error.errno)))
            return Failed(type(error).__name__, str(error))
        return answer

    def _answer(self, call: Call) -> Any:
        if call.name == "memfd_create":
            return self._keep(call.out, self._memfd_create(*call.args))
        first, *rest = call.args
        handle = self._names[first] if isinstance(first, Name) else _NO_DESCRIPTOR
        if call.name == "mmap":
            return self._keep(call.out, self._mmap(handle, *rest))
        if call.name in self._on_mapping:
            return self._on_mapping[call.name](handle, *rest)
        answer = self._on_file[call.name](handle, *rest)
        return Stat(answer.st_size, answer.st_blocks) if call.name == "fstat" else answer

    def _keep(self, name: Name | None, handle: Any) -> str:
        """Bind a variable. A closed descriptor whose number comes back must not reach the new file.

        The two kernels number differently, so an old number would mean one file here and another there.
        """
        if isinstance(handle, int):
            stale = [known for known, value in self._names.items() if isinstance(value, int) and value == handle]
            self._names.update(dict.fromkeys(stale, _NO_DESCRIPTOR))
        if name is not None:
            self._names[name] = handle
        return "a descriptor" if isinstance(handle, int) else "a mapping"


def _key(parts: tuple[Any, ...]) -> Any:
    return parts[0] if len(parts) == 1 else slice(*parts)
