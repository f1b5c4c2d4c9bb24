"""Mappings of a file: mm/mmap.c, mm/mincore.c, mm/madvise.c."""

from __future__ import annotations

from khosim.kernel.khugepaged import collapse_file
from khosim.kernel.memory import handle_mm_fault
from khosim.kernel.memory_failure import memory_failure
from khosim.kernel.open import EBADF, fdget, iput
from khosim.kernel.rmap import zap_pte
from khosim.kernel.shmem import EINVAL
from khosim.kernel.shmem_fallocate import FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, shmem_fallocate
from khosim.kernel.shmem_kho import ENOMEM
from khosim.kernel.swap import lru_add_drain
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_uptodate, test_flag
from khosim.state.phys import load, store
from khosim.state.pte import NONE, load_pte
from khosim.steps import Path, Step, path

__all__ = ["MADV_COLLAPSE", "MADV_DONTNEED", "MADV_HWPOISON", "MADV_REMOVE", "access", "sys_madvise", "sys_mincore",
           "sys_mmap", "sys_munmap"]  # fmt: skip

MADV_DONTNEED, MADV_REMOVE, MADV_COLLAPSE, MADV_HWPOISON = 4, 9, 25, 100
STRICT = 2


@path
def sys_mmap(m: MachineState, fd: int, length: int, offset: int, shared: int) -> Path[int]:
    """Map a file: the mapping's number, or a negative errno.

    Kernel:   mm/mmap.c, do_mmap()
    Locks:    mmap lock
    Left out: addresses; mappings of more pages than a file may have
    """
    row = fdget(m, fd)
    yield Step("mmap", "The program maps {length:byte} at {offset}.", length=length, offset=offset)
    if row is None:
        return -EBADF
    if length <= 0 or offset < 0 or offset % m.page_size:
        return -EINVAL
    pages = -(-length // m.page_size)
    vma = next((n for n in range(m.config.vmas) if not m.vma.used[n]), None)
    if vma is None or pages > m.file_pages:
        return -ENOMEM
    if not shared and m.overcommit_memory == STRICT and m.used_pages + pages > m.commit_limit:
        return -ENOMEM
    m.vma.used[vma], m.vma.ino[vma], m.vma.pages[vma] = 1, m.file.ino[row], pages
    m.vma.pgoff[vma], m.vma.shared[vma] = offset // m.page_size, shared
    m.inode.nlink[m.file.ino[row]] += 1
    yield Step("mapped", "Mapping {vma} has {pages:page}.", vma=vma, pages=pages)
    return vma


@path
def sys_munmap(m: MachineState, vma: int) -> Path[int]:
    """Unmap a whole mapping.

    Kernel:   mm/mmap.c, do_munmap()
    Locks:    mmap lock
    Left out: parts of mappings
    """
    for page in range(m.vma.pages[vma]):
        yield from zap_pte(m, vma, page)
    ino = m.vma.ino[vma]
    m.arrays["vma"][vma] = 0
    yield Step("munmap", "Mapping {vma} is gone.", vma=vma)
    yield from iput(m, ino)
    return 0


@path
def access(m: MachineState, vma: int, start: int, count: int, data: bytes | None) -> Path[tuple[bytes, int]]:
    """The program touches bytes of a mapping: (what it read, -1) or (b"", the byte that gave SIGBUS).

    Kernel:   arch/x86/mm/fault.c, for each page that is not mapped
    Locks:    as the fault
    Left out: the processor
    """
    out = bytearray()
    done = 0
    while done < count:
        page, offset = divmod(start + done, m.page_size)
        frame = yield from handle_mm_fault(m, vma, page, data is not None)
        if frame < 0:
            return b"", start + done
        room = min(m.page_size - offset, count - done)
        if data is None:
            out += load(m, frame, offset, room)
            yield Step("load", "The program reads {count:byte} of frame {pfn:#x}.", count=room, pfn=frame)
        else:
            store(m, frame, offset, data[done : done + room])
            yield Step("store", "The program writes {count:byte} of frame {pfn:#x}.", count=room, pfn=frame)
        done += room
    return bytes(out), -1


@path
def sys_mincore(m: MachineState, vma: int) -> Path[list[int]]:
    """For each page of a mapping: 1 if it is mapped, or uptodate in the page cache.

    Kernel:   mm/mincore.c, mincore_pte_range(), mincore_page()
    Locks:    mmap lock
    Left out: -
    """
    found = []
    for page in range(m.vma.pages[vma]):
        entry = page_cache.load(m, m.vma.ino[vma], m.vma.pgoff[vma] + page)
        cached = entry >= 0 and test_flag(m, entry, PG_uptodate)
        found.append(int(load_pte(m, vma, page) is not NONE or cached))
    yield Step("mincore", "{count:page} in memory.", count=sum(found))
    return found


@path
def sys_madvise(m: MachineState, vma: int, option: int, start: int, length: int) -> Path[int]:
    """Advice about whole pages of a mapping: DONTNEED, REMOVE, COLLAPSE, HWPOISON.

    Kernel:   mm/madvise.c, madvise_vma_behavior()
    Locks:    mmap lock, inode lock
    Left out: every other advice
    """
    size, ino = m.page_size, m.vma.ino[vma]
    first, last = start // size, -(-(start + length) // size) - 1
    yield Step("madvise", "madvise {option} on pages {first} to {last}.", option=option, first=first, last=last)
    if start % size or start < 0 or length < 0 or last >= m.vma.pages[vma]:
        return -EINVAL
    if not length:
        return 0
    if option == MADV_DONTNEED:
        for page in range(first, last + 1):
            yield from zap_pte(m, vma, page)
        return 0
    offset = (m.vma.pgoff[vma] + first) * size
    if option == MADV_REMOVE:
        mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
        return (yield from shmem_fallocate(m, ino, mode, offset, (last - first + 1) * size))
    if option == MADV_COLLAPSE:
        yield from lru_add_drain(m)
        return (yield from collapse_file(m, ino, offset // size))
    if option == MADV_HWPOISON:
        frame = yield from handle_mm_fault(m, vma, first, write=False)
        return (yield from memory_failure(m, frame)) if frame >= 0 else -14
    return -EINVAL
