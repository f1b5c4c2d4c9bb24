"""A program of the reader's: loaded from a file, run on one kernel, every call and its outcome noted.

The file defines `program(os, mmap)`. Both arguments look like the modules of those names, but hold only what
can be compared, and note each call on its way to the kernel.
"""

from __future__ import annotations

import mmap
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from khosim.compare.calls import Arg, Call, Name, Outcome, Stat
from khosim.compare.player import OS_CALLS, Face, Player
from khosim.errors import UsageError
from khosim.kernel import mmap as advice
from khosim.kernel import shmem_fallocate as modes

__all__ = ["Program", "Recorder", "load"]

Program = Callable[[Any, Any], object]
_FIRST = 3  # descriptors begin after stdin, stdout and stderr
_EXAMPLE = """

def program(os, mmap):
    fd = os.memfd_create("file")
    os.pwrite(fd, b"hello", 0)
    os.lseek(fd, 0, os.SEEK_HOLE)"""


def load(path: str | Path) -> Program:
    """The function `program(os, mmap)` of a file. Raises `UsageError` that says what the file lacks."""
    try:
        module = runpy.run_path(str(path))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except Exception as error:
        raise UsageError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    program = module.get("program")
    if not callable(program):
        raise UsageError(f"{path} defines no function program(os, mmap). A whole file that works:{_EXAMPLE}")
    checked: Program = program
    return checked


class Recorder:
    """Runs a program on one face. `calls` and `outcomes` grow together; `ended` is the program's own slip."""

    def __init__(self, face: Face) -> None:
        self._player = Player(face)
        self._made = 0
        self.names: dict[int, Name] = {}  # the program's number of a descriptor -> the variable that keeps it
        self.calls: list[Call] = []
        self.outcomes: list[Outcome] = []
        self.ended: Exception | None = None

    def run(self, program: Program) -> None:
        """Run to the end, or to the first exception that the program lets pass.

        An exception that came of a call is an outcome like any other. Any other is the reader's slip: it is
        kept in `ended`.
        """
        try:
            program(_Os(self), _Mmap(self))
        except Exception as error:  # noqa: BLE001 - the reader's program may raise anything
            self.ended = None if error is self._player.raised else error

    def note(self, call: Call) -> Any:
        """Make a call, note it, and return or raise what it gave."""
        self.calls.append(call)
        self.outcomes.append(self._player.play(call))
        if self._player.raised is not None:
            raise self._player.raised
        return self.outcomes[-1]

    def new(self, kind: str) -> Name:
        """A variable of its own."""
        self._made += 1
        return Name(f"{kind}{self._made}")

    def descriptor(self, fd: int) -> Arg:
        """The variable behind a descriptor; a number that was never handed out stands for itself."""
        return self.names.get(fd, fd)


class _Os:
    """What a compared program knows as `os`. Descriptors count from 3, the lowest free one first."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._open: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        """The constants: `SEEK_DATA` and its kin, and those of khosim that Python's `os` lacks."""
        for module in (os, advice, modes):
            if name.isupper() and hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"a compared program has no os.{name}; it has {', '.join(OS_CALLS)}")

    def _on(self, name: str, fd: int, *rest: Arg) -> Any:
        return self._recorder.note(Call(name, (self._recorder.descriptor(fd), *rest)))

    def memfd_create(self, name: str, flags: int | None = None) -> int:
        variable = self._recorder.new("fd")
        self._recorder.note(Call("memfd_create", (name,) if flags is None else (name, flags), variable))
        fd = next(n for n in range(_FIRST, _FIRST + len(self._open) + 1) if n not in self._open)
        self._open.add(fd)
        self._recorder.names[fd] = variable
        return fd

    def close(self, fd: int) -> None:
        self._on("close", fd)
        self._open.discard(fd)

    def read(self, fd: int, n: int) -> bytes:
        data: bytes = self._on("read", fd, n)
        return data

    def write(self, fd: int, data: bytes) -> int:
        count: int = self._on("write", fd, bytes(data))
        return count

    def pread(self, fd: int, n: int, offset: int) -> bytes:
        data: bytes = self._on("pread", fd, n, offset)
        return data

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        count: int = self._on("pwrite", fd, bytes(data), offset)
        return count

    def lseek(self, fd: int, position: int, whence: int = os.SEEK_SET) -> int:
        offset: int = self._on("lseek", fd, position, whence)
        return offset

    def ftruncate(self, fd: int, length: int) -> None:
        self._on("ftruncate", fd, length)

    def fstat(self, fd: int) -> Stat:
        stat: Stat = self._on("fstat", fd)
        return stat

    def posix_fallocate(self, fd: int, offset: int, length: int) -> None:
        self._on("posix_fallocate", fd, offset, length)

    def fallocate(self, fd: int, mode: int, offset: int, length: int) -> None:
        self._on("fallocate", fd, mode, offset, length)


class _Mmap:
    """What a compared program knows as `mmap`: to be called, or as the module: `mmap.mmap(fd, length)`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        """The constants: `MADV_REMOVE` and its kin."""
        if name.isupper() and hasattr(mmap, name):
            return getattr(mmap, name)
        raise AttributeError(f"a compared program has no mmap.{name}; it has mmap.mmap and the constants")

    def __call__(self, fd: int, length: int, flags: int | None = None) -> _Mapping:
        name = self._recorder.new("map")
        args: tuple[Arg, ...] = (self._recorder.descriptor(fd), length)
        self._recorder.note(Call("mmap", args if flags is None else (*args, flags), name))
        return _Mapping(self._recorder, name)

    mmap = __call__


class _Mapping:
    """What a compared program gets from `mmap`."""

    def __init__(self, recorder: Recorder, name: Name) -> None:
        self._recorder = recorder
        self._name = name

    def _on(self, call: str, *rest: Arg) -> Any:
        return self._recorder.note(Call(call, (self._name, *rest)))

    def __len__(self) -> int:
        length: int = self._on("length")
        return length

    def __getitem__(self, key: int | slice) -> Any:
        return self._on("load", *self._parts(key))

    def __setitem__(self, key: int | slice, value: int | bytes) -> None:
        self._on("store", value if isinstance(value, int) else bytes(value), *self._parts(key))

    def _parts(self, key: int | slice) -> tuple[Arg, ...]:
        if not isinstance(key, slice):
            return (key,)
        return (key.start, key.stop) if key.step is None else (key.start, key.stop, key.step)

    def madvise(self, option: int, start: int = 0, length: int | None = None) -> None:
        self._on("madvise", *((option, start) if length is None else (option, start, length)))

    def mincore(self) -> bytes:
        pages: bytes = self._on("mincore")
        return pages

    def close(self) -> None:
        self._on("unmap")
