"""B01: a page in the cache that nobody has written is a hole to a reader, and its block must not be claimed again."""

from __future__ import annotations

from khosim.kernel.shmem_kho import ENOENT, SGP_READ, shmem_alloc_kho_folio
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.steps import PATHS, Path, Step

__all__ = ["VARIANT"]

posted = PATHS[shmem_alloc_kho_folio.__name__]


def alloc_kho_folio_once(m: MachineState, ino: int, index: int, sgp: int) -> Path[int]:
    """Give the folio of a block, unless the page cache has it already.

    Kernel:   mm/shmem.c, shmem_alloc_kho_folio(), with the check its TODO asks for (P03)
    Locks:    none; two tasks can still both find the cache empty (B02)
    Left out: -
    """
    if sgp == SGP_READ and page_cache.load(m, ino, index) >= 0:
        yield Step("kho_alloc_err", "Page {index} is cached and unwritten: a hole.", index=index, error=-ENOENT)
        return -ENOENT
    folio: int = yield from posted(m, ino, index, sgp)
    return folio


VARIANT = {"shmem_alloc_kho_folio": alloc_kho_folio_once}
