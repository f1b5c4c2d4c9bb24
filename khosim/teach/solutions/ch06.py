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
One place is __filemap_remove_folio(), where a page leaves the cache. A cut, a punched hole and the end of a file all
come there, and so does reclaim when it drops a clean page. It ends one of this chapter's silences: it needs no flag.
It is generic code under the lock of the slots. So it must not sleep, and every file system pays for the test.

It does not end the silence on swap. Swap-out stores into the slot itself, and so does a cut that finds a swap entry.
Each needs a word of its own, and swap-out must say that the page may come back elsewhere. Nor does it end the silence
on UFFDIO_COPY: that has to be told when the page comes, not when it goes. And a held page is not in the cache at all.
For those the file must walk its own block list over the range that is cut.

Another design needs no word: freeze the file, bring in and pin every page, and write the list once before the kexec.
It ends all these silences. All pages are paid for then, used or not.
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
