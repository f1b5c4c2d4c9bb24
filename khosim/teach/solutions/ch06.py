"""Solutions of chapter 06."""

from __future__ import annotations

import khosim
from khosim.kernel.mfill import shmem_mfill_atomic_pte
from khosim.kernel.shmem import EEXIST
from khosim.kernel.shmem_kho import EFBIG, bitmap_set
from khosim.state import page_cache
from khosim.state.blocks import load_block, store_block
from khosim.state.machine import MachineState
from khosim.state.phys import pfn_phys
from khosim.steps import PATHS, Path, Step
from khosim.user.machine import Machine

__all__ = ["SOLUTIONS"]

WHO_SHOULD_TELL = """
Truncation, eviction, a clean page that reclaim drops and a truncation that is seen late all end in
__filemap_remove_folio(). A word from there would end the silence on the last two. Swap-out, migration and collapse
store into the slot themselves, so each would need its own word. The place is generic code under the lock of the slots:
it must not sleep, and every file system would pay for the test. It would also have to tell a page that goes for good
from one that goes to swap and comes back elsewhere.

No word from the page cache helps a page that is not in it. For held pages the file must walk its own block list
over the range that is cut. The other way is to need no word: freeze the file, bring in and pin every page, and write
the list once before the kexec, as upstream does. Then all pages are paid for, used or not.
"""


def gone_though_not_shorter(m: Machine) -> None:
    """Promise pages past the end, then set the size to what it is."""
    fd = m.os.memfd_create("kept", khosim.MFD_KHO)
    m.os.fallocate(fd, khosim.FALLOC_FL_KEEP_SIZE, 0, 2 * m.page_size)
    m.os.ftruncate(fd, 0)


def a_page_with_a_block(m: MachineState, vma: int, page: int, data: bytes) -> Path[int]:
    """UFFDIO_COPY: refuse a page that a block names; tell the block list of a page that was filled in.

    Kernel:   mm/shmem.c, shmem_mfill_atomic_pte()
    Locks:    mmap lock
    Left out: a kexec between the page cache and the block
    """
    ino, index = m.vma.ino[vma], m.vma.pgoff[vma] + page
    kho = m.inode.kho[ino]
    if kho and index >= m.config.nblocks:
        return -EFBIG
    if kho and load_block(m, kho, index):
        return -EEXIST
    error: int = yield from PATHS[shmem_mfill_atomic_pte.__name__](m, vma, page, data)
    if kho and not error:
        folio = page_cache.load(m, ino, index)
        yield from bitmap_set(m, folio)
        store_block(m, kho, index, pfn_phys(m, folio))
        yield Step("block_set", "Block {index} names frame {pfn:#x}.", index=index, pfn=folio)
    return error


SOLUTIONS = {
    "gone-though-not-shorter": gone_though_not_shorter,
    "a-page-with-a-block": a_page_with_a_block,
    "who-should-tell": WHO_SHOULD_TELL,
}
"""By the exercise's name."""
