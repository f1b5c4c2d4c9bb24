"""Where recorded scripts are played: a machine that fits, who watches it, and how an op is executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from khosim.config import MachineConfig
from khosim.conform.heap import Heap
from khosim.conform.luck import Injector
from khosim.conform.witness import Witness, runs_of
from khosim.errors import UsageError
from khosim.state import page_cache
from khosim.user.machine import session

__all__ = ["PAGE", "Results", "Stand", "Variants", "bytes_read", "number"]

Results = dict[str, Any]
Variants = Mapping[str, Callable[..., Any]]
PAGE = 4096
SMALL, LARGE, MOST = 64, 1024, 1 << 20
"""Pages that a file of the machine may have."""
WORDS = ("inject", "uffd_reg", "thp")
"""Ops whose words are not all numbers."""


def _fitting(script: tuple[str, ...]) -> MachineConfig:
    """A machine with room for what the script does, and with the recorded kernel's numbers."""
    numbers = [[int(word) for word in op.split()[1:] if word.isdigit()] for op in script]
    large = any(op.split()[0] in ("collapse", "thp", "hfread", "hfwrite") for op in script)
    nblocks = max((found[0] for op, found in zip(script, numbers, strict=True) if op.startswith("enable ")), default=16)
    pages = max((sum(found) // PAGE + 2 for found in numbers), default=0)
    large = large or max(nblocks, pages) > SMALL
    return MachineConfig(
        frames=4096 if large else 512, page_size=PAGE, nblocks=nblocks, inodes=4, files=4, vmas=2, fdt_bytes=PAGE,
        file_pages=max(LARGE if large else SMALL, nblocks, min(pages, MOST)), swap_slots=1024 if large else 64,
        huge_order=9, fault_around=16, lru_batch=31, trust_blocks=True,
    )  # fmt: skip


class Stand:
    """Plays one script on a fresh machine. `play(op)` returns what the recorder would have printed as results."""

    def __init__(self, script: tuple[str, ...], *, kho: bool, variants: Variants | None = None) -> None:
        """Boot a machine that fits the script, with some paths replaced by `variants`."""
        self.kho, self.attached, self.names = kho, True, 0
        config = _fitting(script)
        self.witness = Witness()
        self.session = session(config, variants or {})
        self.session.watch = self.witness
        self.witness.machine = lambda: self.session.machine
        self.heap = Heap(self.session, self.witness)
        self.luck = Injector(self.session, self.witness)
        self.session.luck = self.luck.answer
        self.fd, self.region, self.poisoned = -1, -1, set[int]()

    def play(self, op: str) -> Results:
        """Execute one op. Raises `UsageError` for an op that is not known."""
        name, *words = op.split() or [""]
        act = getattr(self, "op_" + name, None)
        try:
            arguments = words if name in WORDS else [int(word) for word in words]
            signature(act).bind(*arguments)  # type: ignore[arg-type]  # None is refused right here
        except (TypeError, ValueError):
            raise UsageError(f"{op!r} is no op; the first word names it, numbers follow") from None
        self.witness.events, self.witness.repeats = [], 0
        before = len(self.session.complaints)
        results: Results = act(*arguments)  # type: ignore[misc]  # as above
        self.session.call("drain")
        results["kmsg"] = self.session.complaints[before:]
        return results

    def state(self) -> dict[str, Any]:
        """The recorder's dump."""
        return self.witness.dump(self.session.machine, attached=self.attached, kho=self.kho)

    def tainted(self) -> set[int]:
        """Indexes of cached pages whose frame was the recorder's own when a stale block brought it back."""
        if not self.witness.tainted or not self.attached:
            return set()
        m = self.session.machine
        cached = page_cache.entries(m, self.witness.ino, 0, m.file_pages)
        return {index for index, entry in cached if entry in self.witness.tainted}

    def call(self, name: str, *args: Any) -> Any:
        """One call on the file under test."""
        return self.session.call(name, *args)


def number(value: int) -> Results:
    """A return value, split as C programs see it."""
    return {"ret": -1, "errno": -value} if value < 0 else {"ret": value}


def bytes_read(data: bytes, error: int) -> Results:
    """What a read returned: its length and its runs of equal bytes, or the error."""
    return number(error) if error else {"ret": len(data), "runs": runs_of(data)}
