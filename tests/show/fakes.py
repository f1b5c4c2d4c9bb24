"""The story of the drawn design: the middle of a write, a first read after kexec, a truncation that forgets."""

from __future__ import annotations

from khosim.state.mem_map import PG_dirty, PG_lru, PG_swapbacked, PG_uptodate
from khosim.steps import Warn
from tests.show.tape import History, Tape, line_of

FRAMES = {0: 0x20, 1: 0x21, 2: 0x2C, 3: 0x2A, 5: 0x31, 6: 0x32, 7: 0x33, 8: 0x25, 9: 0x26, 10: 0x3A}
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
