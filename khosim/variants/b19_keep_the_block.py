"""B19: a page that could not be inserted was not lost before, and must not be lost now."""

from __future__ import annotations

from khosim.kernel.shmem_kho import shmem_kho_free_block
from khosim.state.blocks import listed_block
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_uptodate, test_flag
from khosim.state.phys import phys_pfn
from khosim.steps import PATHS, Path, Step

__all__ = ["VARIANT"]

posted = PATHS[shmem_kho_free_block.__name__]


def kho_free_block_unless_restored(m: MachineState, ino: int, index: int) -> Path[None]:
    """Free a block, but not that of a restored page that has no mapping: its insertion failed, and the page stays held.

    Kernel:   mm/shmem.c, shmem_kho_free_block(), told apart by the flag the restore sets; a fresh page is not uptodate
    Locks:    none
    Left out: -
    """
    start = listed_block(m, m.inode.kho[ino], index)
    folio = phys_pfn(m, start)
    if start and test_flag(m, folio, PG_uptodate) and not m.page.mapping[folio]:
        m.page.refcount[folio] += 1
        yield Step("kho_keep", "Block {index} keeps frame {pfn:#x}: the page is held again.", index=index, pfn=folio)
        return
    yield from posted(m, ino, index)


VARIANT = {"shmem_kho_free_block": kho_free_block_unless_restored}
