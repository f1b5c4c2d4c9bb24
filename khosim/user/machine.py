"""The simulated computer, as a reader holds it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from inspect import isgeneratorfunction, signature, unwrap
from operator import index as as_int
from typing import Any

from khosim.config import MachineConfig
from khosim.errors import BusError, MachineGone, UsageError
from khosim.run.history import History
from khosim.run.moment import shorten
from khosim.state.machine import MachineState
from khosim.state.snapshot import Snapshot
from khosim.steps import PATHS
from khosim.user.mmap import Mapping as FileMapping
from khosim.user.mmap import why_sigbus
from khosim.user.os import Os
from khosim.user.session import Session

__all__ = ["MAP_PRIVATE", "MAP_SHARED", "Machine", "boot"]

MAP_SHARED, MAP_PRIVATE = 1, 2
SIZES = {
    "tiny": MachineConfig(),
    "small": MachineConfig(frames=256),
    "linux": MachineConfig(frames=1024, page_size=4096),
}


class Machine(MachineState):
    """One running kernel. `os` and `mmap` are what its programs use; the other methods are what happens to it.

    Made by `boot()`, ended by `kexec()`, which returns the next one. Its arrays (see `MachineState`) may be looked at.
    """

    def __init__(self, session: Session) -> None:
        """Make a blank machine for a session, which boots it."""
        super().__init__(session.config, session.variants)
        self._session = session
        self.os = Os(self._call, self.page_size)

    def _call(self, name: str, *args: Any) -> Any:
        """Enter the kernel; what it returns, or `OSError`, or `BusError`. Raises `MachineGone` if it is no more."""
        self._check_alive()
        result = self._session.call(name, *args)
        if name == "access":
            read, byte = result  # where it faulted is no errno
            if byte >= 0:
                raise BusError(byte, why_sigbus(self, args[0], byte))
            return read
        code = result[-1] if isinstance(result, tuple) else result
        if isinstance(code, int) and code < 0:
            raise OSError(-code, os.strerror(-code))
        if isinstance(result, tuple):
            return result[:-1] if len(result) > 2 else result[0]  # noqa: PLR2004 - (data, errno) is data
        return result

    def _check_alive(self) -> None:
        if self._session.machine is not self:
            raise MachineGone("a kexec has ended this machine; use the one that kexec() returned")

    # ---- what a program does

    def mmap(self, fd: int, length: int, flags: int = MAP_SHARED, *, offset: int = 0) -> FileMapping:
        """Map `length` bytes of a file from `offset` on. Raises `OSError`; `UsageError` for other flags."""
        if flags not in (MAP_SHARED, MAP_PRIVATE):
            raise UsageError(f"flags is khosim.MAP_SHARED or khosim.MAP_PRIVATE, not {flags}")
        length = as_int(length)
        vma = self._call("mmap", as_int(fd), length, as_int(offset), int(flags == MAP_SHARED))
        return FileMapping(self._call, vma, length, self.page_size)

    # ---- what happens to the machine

    def kexec(self) -> Machine:
        """Start the next kernel and return its machine. Only the bytes of preserved frames cross; this one is over."""
        self._call("kexec")
        following: Machine = self._session.machine  # type: ignore[assignment]  # made by `_make` below
        return following

    def swapon(self) -> None:
        """Let dirty pages go to swap."""
        self._call("swapon")

    def swapoff(self) -> None:
        """Bring everything back from swap. Raises `OSError` (ENOMEM)."""
        self._call("swapoff")

    def swap_out(self, fd: int, index: int) -> bool:
        """Reclaim the page at `index`: a dirty one goes to swap, a clean one is dropped. False if it had to stay."""
        return self._on_page("swap_out", fd, index) > 0

    def migrate(self, fd: int, index: int) -> None:
        """Move the page at `index` to another frame. Raises `OSError`: ENOENT if it is not in the page cache."""
        self._on_page("migrate", fd, index)

    def poison(self, fd: int, index: int) -> None:
        """Let the frame of the page at `index` go bad. Raises `OSError` ENOENT if it is not in the page cache."""
        try:
            self._on_page("poison", fd, index)
        except OSError as error:
            if error.errno != errno.EAGAIN:  # what memory_failure() says when it has dealt with a shmem page
                raise

    def reclaim(self, count: int) -> int:
        """Memory pressure: free up to `count` pages, oldest first; how many were freed."""
        if as_int(count) < 0:
            raise UsageError(f"reclaim takes a number of pages from 0 on, not {count}")
        self._call("drain")
        return int(self._call("reclaim", as_int(count)))

    def drain(self) -> None:
        """Move folios that wait to join the LRU there (lru_add_drain_all()); drops the references they held."""
        self._call("drain")

    def overcommit(self, mode: int, limit: int = 0) -> None:
        """Set vm.overcommit_memory: 0, or 2 (strict) with `limit` pages granted."""
        if as_int(mode) not in (0, 2) or not 0 <= as_int(limit) < 1 << 62:
            raise UsageError(f"overcommit takes mode 0 or 2 and a limit in pages, not {mode}, {limit}")
        self._call("overcommit", as_int(mode), as_int(limit))

    def huge(self, force: bool) -> None:
        """Set shmem_enabled to force (True) or never (False); KHO files ignore it."""
        self._call("huge", int(bool(force)))

    def _on_page(self, name: str, fd: int, index: int) -> int:
        if not 0 <= as_int(index) < self.file_pages:
            raise UsageError(f"a file of this machine has pages 0 to {self.file_pages - 1}, not {index}")
        return int(self._call(name, as_int(fd), as_int(index)))

    # ---- looking

    @contextmanager
    def record(self, title: str = "recording") -> Iterator[History]:
        """Record every step inside the `with`, across kexecs; the history is complete when it ends."""
        self._check_alive()
        if not isinstance(title, str):
            raise UsageError(f'record takes a title as text, such as "one page crosses", not {title!r}')
        if self._session.history is not None:
            raise UsageError("this machine is being recorded already; end that `with` first")
        history = self._session.record(title)
        try:
            yield history
        finally:
            self._session.stop()

    def snapshot(self) -> Snapshot:
        """The machine of this moment, to look at and compare."""
        return Snapshot(self)

    @property
    def complaints(self) -> tuple[str, ...]:
        """What the kernels of this chain have complained of (WARN, BUG, printk), oldest first."""
        return tuple(self._session.complaints)

    def __repr__(self) -> str:
        """One short line."""
        gone = "" if self._session.machine is self else ", ended by a kexec"
        dead = f", dead: {self._session.failure}" if self._session.failure and not gone else ""
        size = f"{self.frames} frames of {self.page_size} bytes, {self.nr_free} free"
        return shorten(f"Machine(kernel {self.boots}, {size}{gone}{dead})")


def boot(size: str | MachineConfig | None = None, *, variants: Mapping[str, Callable[..., Any]] | None = None,
         **shape: Any) -> Machine:  # fmt: skip
    """Boot a machine: `boot(frames=64, page_size=64)`, `boot("tiny")`, "small", "linux", or with a `MachineConfig`.

    `shape` overrides fields of `MachineConfig`; `variants` replaces kernel paths by name. Raises `UsageError` for a
    shape that cannot boot or a name that is no path.
    """
    if isinstance(size, str) and size not in SIZES:
        raise UsageError(f"there is no size {size!r}; there are {', '.join(map(repr, SIZES))}, or give frames=...")
    if not isinstance(size, str | MachineConfig | None):
        raise UsageError(f"boot takes a size by name or a MachineConfig, not {size!r}; write boot(frames={size!r})")
    base = SIZES[size] if isinstance(size, str) else size or MachineConfig()
    config = base.replace(**shape)
    return session(config, variants or {}).machine  # type: ignore[return-value]  # made by `_make` below


def session(config: MachineConfig, variants: Mapping[str, Callable[..., Any]]) -> Session:
    """A session on a machine that has just booted. Raises `UsageError` for a variant that can replace nothing."""
    if not isinstance(variants, Mapping):
        raise UsageError(f"variants is a dict from the name of a path to a function, not {variants!r}")
    for name, function in variants.items():
        if name not in PATHS:
            near = get_close_matches(str(name), PATHS, 1)
            hint = f"did you mean {near[0]}?" if near else "`khosim list` shows them all"
            raise UsageError(f"no kernel path is named {name!r}; {hint}")
        if not isgeneratorfunction(unwrap(function) if callable(function) else function):
            wrong = f"and there is no `yield` in {shown(function)}" if callable(function) else f"not {function!r}"
            raise UsageError(f"what replaces {name} must be a function that yields steps, {wrong}")
        given = [*signature(PATHS[name]).parameters]
        try:
            signature(function).bind(*given)
        except TypeError as error:
            words = f"what replaces {name} is given ({', '.join(given)}); {shown(function)} cannot take that: {error}"
            raise UsageError(words) from None
    return Session(config, dict(variants), _make)


def shown(value: Any) -> str:
    """A value for a message: a function by its name, for its repr is an address."""
    return getattr(value, "__name__", None) or repr(value)


def _make(owner: Session) -> Machine:
    return Machine(owner)
