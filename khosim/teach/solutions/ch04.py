"""Solutions of chapter 04."""

from __future__ import annotations

from typing import Any

import khosim
from khosim.kernel.shmem_kho import ENOENT, SGP_NOALLOC, shmem_alloc_kho_folio
from khosim.state.machine import MachineState
from khosim.steps import PATHS, Path, Step

__all__ = ["SOLUTIONS"]


def five_calls(m: Any) -> Any:
    """One call for each mode, each on a held page of its own."""
    fd = m.os.memfd_create("guest", khosim.MFD_KHO)
    m.os.pwrite(fd, bytes(5 * 64), 0)
    m = m.kexec()
    fd = m.os.memfd_create("guest", khosim.MFD_KHO)
    view = m.mmap(fd, 5 * 64)
    watched = m.mmap(fd, 5 * 64)
    watched.uffd_register("minor")
    m.os.pread(fd, 1, 0)
    watched.uffd_continue(1)
    view[2 * 64]
    m.os.pwrite(fd, b"w", 3 * 64)
    m.os.posix_fallocate(fd, 4 * 64, 64)
    return m


def hole_past_the_list(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """What lies past the list has no block, so to those who must not allocate it is a hole."""
    if index >= m.config.nblocks and sgp <= SGP_NOALLOC:
        yield Step("kho_alloc_err", "Page {index} is past the block list: a hole.", index=index, error=-ENOENT)
        return -ENOENT
    folio: int = yield from PATHS[shmem_alloc_kho_folio.__name__](m, ino, index, sgp)
    return folio


TELL_THE_PAGE_CACHE = """
All who walk the page cache would see it: truncation and punching, SEEK_DATA, mincore, khugepaged, fault-around and the
monitor of a minor fault. A miss would be a hole again, as it was before the patch.

The marks must be there before anybody can look. So the boot, or the first open of the file, fills a slot for each held
page. That takes time in proportion to what was preserved, and memory for the tree that holds the slots. Lazy return of
the pages themselves would remain possible.

Every walker has to learn the mark. Many know that an entry may be no folio, but take it for a place in swap. Truncation
must free the frame and its bit, swapoff must pass the mark by, and shmem_get_folio_gfp() must turn it into a folio. In
return the block list is asked only where a mark says that it has an answer.
"""


SOLUTIONS: dict[str, Any] = {
    "five-modes-one-way": five_calls,
    "a-hole-past-the-list": hole_past_the_list,
    "tell-the-page-cache": TELL_THE_PAGE_CACHE,
}
