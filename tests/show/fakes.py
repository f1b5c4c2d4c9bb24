"""A history without a kernel: the story of the drawn design, told by writing the machine's arrays."""

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
from khosim.state.mem_map import PG_BUDDY, PG_dirty, PG_lru, PG_reserved, PG_swapbacked, PG_uptodate
from khosim.state.snapshot import Snapshot
from khosim.steps import Step, Warn

NAME = b"guest"
FILE = "kernel/shmem_kho.py"
FRAMES = {0: 0x20, 1: 0x21, 2: 0x2C, 3: 0x2A, 5: 0x31, 6: 0x32, 7: 0x33, 8: 0x25, 9: 0x26, 10: 0x3A}


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


CACHED = PG_uptodate | PG_dirty | PG_lru | PG_swapbacked
ALLOC = ("shmem_alloc_kho_folio", "folio = yield from shmem_alloc_folio")


def write(tape: Tape, i: int, data: bytes = b"hello, next kernel", *, brief: bool = False) -> None:
    pfn = FRAMES[i]
    tape.take(pfn)
    if not brief:
        tape.stack = (line_of(*ALLOC), line_of("shmem_alloc_folio", "fill(m"))
        tape.step(f"Frame {pfn:#x} still reads what its last owner left.")
    tape.bit(pfn, True)
    tape.block(i, pfn)
    tape.cache(i, pfn, PG_swapbacked)
    tape.stack = (line_of("shmem_alloc_kho_folio", "store_block"),)
    if not brief:
        tape.step(f"Block {i} names frame {pfn:#x}.")
    tape.m.arrays["phys"][pfn] = list(data.ljust(64, b"\0"))
    tape.m.arrays["page"]["flags"][pfn] = CACHED
    tape.step(f"Frame {pfn:#x} holds block {i}, uptodate and dirty.")


def read(tape: Tape, i: int) -> None:
    pfn = FRAMES[i]
    tape.stack = (line_of("shmem_alloc_kho_folio", "set_flag(m, folio, PG_uptodate)"),)
    tape.cache(i, pfn, CACHED)
    tape.step(f"Frame {pfn:#x}, named by block {i}, joins the page cache, uptodate and dirty.")


def story() -> History:
    """The moments of the mock: the middle of a write, a first read after kexec, a truncation that forgets."""
    tape = Tape("pages that survive")
    call = tape.call("memfd_create('guest', MFD_KHO)")
    tape.open()
    tape.step("The KHO inode of guest is written at frame 0x10.")
    tape.end(call, 3)
    call = tape.call("pwrite(3, 256 bytes, 0)")
    for i in range(4):
        write(tape, i, bytes([65 + i]) * 64)
    tape.size(256)
    tape.pending = ("Size mirrored",)
    tape.step("i_size grows to 256; the mirror in the KHO inode still says 0.")
    tape.mirror(256)
    tape.pending = ()
    tape.step("The mirror in the KHO inode follows: 256.")
    tape.end(call, 256)
    call = tape.call("pwrite(3, 40 bytes, 320)")
    tape.take(FRAMES[5])
    tape.step("Frame 0x31 still reads what its last owner left.")
    tape.bit(0x31, True)
    tape.block(5, 0x31)
    tape.step("Block 5 names frame 0x31.")
    tape.task = "cpu1"
    other = tape.call("pread(3, 64, 128)", ("shmem_alloc_kho_folio", "start = load_block"))
    tape.step("Page 2 is found in the page cache.")
    tape.task, tape.stack = "cpu0", (line_of("shmem_alloc_kho_folio", "store_block"),)
    tape.cache(5, 0x31, PG_swapbacked)
    tape.m.arrays["phys"][0x31, :40] = list(b"forty bytes that must cross the kexec!!!")
    tape.step("40 bytes are copied into frame 0x31, which is not uptodate yet.")
    tape.size(360)
    tape.pending = ("Size mirrored",)
    tape.step("i_size grows to 360; the mirror in the KHO inode still says 256.")
    tape.mirror(360)
    tape.pending = ()
    tape.step("The mirror in the KHO inode follows: 360.")
    tape.m.arrays["phys"][0x31, 40:] = 0
    tape.m.arrays["page"]["flags"][0x31] = CACHED
    tape.step("The rest of frame 0x31 is zeroed and the page is uptodate.")
    tape.end(call, 40)
    tape.task = "cpu1"
    tape.step("pread returns 64 bytes.")
    tape.end(other, "64 bytes")
    tape.task = "cpu0"
    call = tape.call("pwrite(3, 344 bytes, 360)")
    for i in (6, 7, 8, 9, 10):
        write(tape, i, brief=True)
    tape.size(704)
    tape.mirror(704)
    tape.step("i_size and its mirror grow to 704.")
    tape.end(call, 344)
    call = tape.call("kexec()")
    tape.stack = ()
    tape.step("The old kernel stops. Only bytes in memory cross.")
    tape.history.kexecs.append(len(tape.history))
    tape.boot(8)
    tape.end(call)
    tape.step("Kernel 2 boots in what was scratch; it must not touch frames with a PFN bit.")
    _after(tape)
    return tape.history


def _after(tape: Tape) -> None:
    call = tape.call("memfd_create('guest', MFD_KHO)")
    tape.open()
    tape.step("guest is found again: ten blocks name frames, the page cache is empty.")
    tape.end(call, 3)
    call = tape.call("pread(3, 96, 144)")
    read(tape, 2)
    read(tape, 3)
    tape.end(call, "96 bytes")
    call = tape.call("pread(3, 64, 320)")
    read(tape, 5)
    tape.end(call, "64 bytes")
    call = tape.call("ftruncate(3, 320)")
    tape.size(320)
    tape.mirror(320)
    tape.step("i_size and its mirror shrink to 320.")
    tape.stack = (line_of("shmem_kho_free_block", "start = load_block"),)
    for i in (6, 7, 8, 9, 10):
        tape.bit(FRAMES[i], False)
        tape.block(i, 0)
        tape.free(FRAMES[i])
        tape.step(f"Block {i} is cleared, frame {FRAMES[i]:#x} is free.")
    tape.uncache(5, 0x31)
    tape.step("Page 5 leaves the page cache.")
    tape.free(0x31)
    tape.bad = ("No stale block: Block 5 names a free frame.",)
    tape.step("Frame 0x31 returns to the free list, yet block 5 still names it.")
    tape.end(call, 0)
    tape.task = "cpu1"
    call = tape.call("pwrite(3, 1 byte, 0)", ("shmem_alloc_kho_folio", "start = load_block"))
    tape.step("WARNING: mm/shmem.c shmem_kho_free_block", Warn)
    tape.bad = (*tape.bad, "Bytes survive: byte 320 reads 0xAA.")
    tape.step("Page 0 is looked up in the block list.")
    tape.end(call, 1)
