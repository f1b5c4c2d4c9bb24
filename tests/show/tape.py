"""A history without a kernel: a tape onto which steps are put by writing the machine's arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from types import CodeType
from typing import Any

import khosim.kernel.shmem_kho as kernel_source
from khosim.config import MachineConfig
from khosim.state import handover
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_BUDDY, PG_reserved, PG_swapbacked
from khosim.state.snapshot import Snapshot
from khosim.steps import Step

NAME = b"guest"
FILE = "kernel/shmem_kho.py"


@dataclass
class Moment:
    t: int
    snapshot: Snapshot
    step: Step | None
    task: str
    call: int | None
    code: tuple[tuple[CodeType, int], ...]
    kernel: int
    violations: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()

    @property
    def stack(self) -> tuple[tuple[str, str, int], ...]:
        return tuple((code.co_name, FILE, line) for code, line in self.code)


@dataclass
class Call:
    task: str
    text: str
    first: int
    last: int
    result: Any = None

    @property
    def name(self) -> str:
        return self.text.split("(")[0]


@dataclass
class History:
    title: str
    moments: list[Moment] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    kexecs: list[int] = field(default_factory=list)
    failure: Exception | None = None
    parent: Any = None
    start: int = 0

    def __len__(self) -> int:
        return len(self.moments)

    def __getitem__(self, t: int) -> Moment:
        return self.moments[t]

    @property
    def digest(self) -> str:
        return blake2b("".join(m.snapshot.digest for m in self.moments).encode(), digest_size=8).hexdigest()


@lru_cache
def line_of(function: str, words: str) -> tuple[CodeType, int]:
    """A stack entry: the line of a kernel function that contains the words."""
    code = getattr(kernel_source, function).__wrapped__.__code__
    lines = Path(kernel_source.__file__).read_text().splitlines()
    return code, next(n + 1 for n in range(code.co_firstlineno, len(lines)) if words in lines[n])


class Tape:
    """Writes arrays, one visible store a step."""

    def __init__(self, title: str, config: MachineConfig | None = None) -> None:
        self.m = MachineState(config or MachineConfig(file_pages=16))
        self.history = History(title)
        self.task, self.stack, self.bad, self.pending = "cpu0", (), (), ()
        self.boot(0)
        self.step(None)

    def step(self, say: str | None, kind: type[Step] = Step) -> None:
        step = None if say is None else kind("fake", say)
        told = self.stack, self.m.boots, self.bad, self.pending
        self.history.moments.append(Moment(len(self.history), Snapshot(self.m), step, self.task, None, *told))

    def call(self, text: str, *stack: tuple[str, str]) -> Call:
        call = Call(self.task, text, len(self.history), len(self.history))
        self.history.calls.append(call)
        self.stack = tuple(line_of(*s) for s in stack)
        return call

    def end(self, call: Call, result: Any = None) -> None:
        call.last, call.result = len(self.history) - 1, result

    def boot(self, kernel: int) -> None:
        m, page = self.m, self.m.arrays["page"]
        m.boots, m.kernel_start, m.scratch_start = m.boots + 1, kernel, 8 - kernel if kernel else 8
        page["flags"], page["refcount"], page["mapping"], page["index"] = PG_BUDDY, 0, 0, -1
        if m.boots > 1:
            page["flags"][Snapshot(m).bits], page["refcount"][Snapshot(m).bits] = 0, 1
        m.arrays["slots"][:], page["head"] = -1, -1
        m.arrays["inode"]["used"] = 0
        for pfn in range(kernel, kernel + m.config.kernel_size):
            page["flags"][pfn], page["refcount"][pfn] = PG_reserved, 1
        for pfn in (0x14, 0x15, 0x28) if kernel else (0x12, 0x13, 0x29):
            page["flags"][pfn], page["refcount"][pfn] = 0, 1
        m.fdt_phys, m.bitmap_phys = 0x16 * m.page_size, 0x1E * m.page_size
        if not kernel:
            m.arrays["phys"][8:] = 0xAA
            m.arrays["phys"][0x10:0x20] = 0
            handover.fresh(m)
        for pfn in (*range(0x16, 0x1A), 0x1E):
            self.bit(pfn, True)
            page["flags"][pfn], page["refcount"][pfn] = PG_reserved, 1

    def open(self) -> None:
        m = self.m
        if not handover.files(m):
            handover.add_file(m, handover.KhoFile(NAME.decode(), 0x10 * m.page_size))
        m.arrays["inode"]["used"][0], m.arrays["inode"]["kho"][0] = 1, 0x10 * m.page_size
        m.arrays["name"][0, : len(NAME)] = list(NAME)
        for pfn in (0x10, 0x11, 0x12):
            m.arrays["page"]["flags"][pfn], m.arrays["page"]["refcount"][pfn] = PG_reserved, 1
            self.bit(pfn, True)
        m.arrays["inode"]["i_size"][0] = m.words[0x10 * m.page_size >> 3]

    def bit(self, pfn: int, value: bool) -> None:
        at = self.m.bitmap_phys // 8 + pfn // 64
        word = self.m.words[at]
        self.m.words[at] = word | 1 << pfn % 64 if value else word & ~(1 << pfn % 64)

    def block(self, i: int, pfn: int) -> None:
        self.m.words[(0x10 * self.m.page_size >> 3) + 1 + i] = pfn * self.m.page_size

    def take(self, pfn: int) -> None:
        self.m.arrays["page"]["flags"][pfn], self.m.arrays["page"]["refcount"][pfn] = PG_swapbacked, 1
        self.m.arrays["phys"][pfn] = 0xA5

    def cache(self, i: int, pfn: int, flags: int) -> None:
        page = self.m.arrays["page"]
        page["flags"][pfn], page["refcount"][pfn], page["mapping"][pfn], page["index"][pfn] = flags, 2, 1, i
        self.m.arrays["slots"][0, i] = pfn
        self.m.arrays["inode"]["nrpages"][0] += 1

    def uncache(self, i: int, pfn: int) -> None:
        page = self.m.arrays["page"]
        self.m.arrays["slots"][0, i] = -1
        page["mapping"][pfn], page["index"][pfn] = 0, -1
        self.m.arrays["inode"]["nrpages"][0] -= 1

    def free(self, pfn: int) -> None:
        self.m.arrays["page"]["flags"][pfn], self.m.arrays["page"]["refcount"][pfn] = PG_BUDDY, 0
        self.m.arrays["phys"][pfn] = 0xAA

    def size(self, size: int) -> None:
        self.m.arrays["inode"]["i_size"][0] = size

    def mirror(self, size: int) -> None:
        self.m.words[0x10 * self.m.page_size >> 3] = size
