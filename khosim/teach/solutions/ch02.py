"""Solutions of chapter 02."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from khosim.kernel.shmem import shmem_alloc_and_add_folio
from khosim.state.machine import MachineState
from khosim.steps import PATHS, Path

__all__ = ["SOLUTIONS"]


def copy_data(m: Any) -> None:
    """Go from data to data; what lies between stays a hole."""
    one = m.os.memfd_create("from")
    m.os.ftruncate(one, 640)
    m.os.pwrite(one, b"data", 64)
    m.os.pwrite(one, b"more data", 384)
    two, end = m.os.memfd_create("to"), 0
    m.os.ftruncate(two, m.os.fstat(one).st_size)
    with suppress(OSError):  # ENXIO: no more data
        while True:
            start = m.os.lseek(one, end, m.os.SEEK_DATA)
            end = m.os.lseek(one, start, m.os.SEEK_HOLE)
            m.os.pwrite(two, m.os.pread(one, end - start, start), start)


def huge_if_it_fits(m: MachineState, ino: int, index: int, order: int, sgp: int) -> Path[int]:
    """Ask for a single page where a huge one would reach past the last page of the file."""
    end = (index | ((1 << order) - 1)) + 1
    if end > -(-m.inode.i_size[ino] // m.page_size):
        order = 0
    error: int = yield from PATHS[shmem_alloc_and_add_folio.__name__](m, ino, index, order, sgp)
    return error


WHO_PAYS = """
What would be saved is a frame for each hole that is only looked at, and the charge for it. A program that scans a large
sparse file through a mapping would gain most; today its look fills the file for everybody.

The price is paid at the first write. Whoever writes the hole, through a mapping or with write(), makes a page. Every
mapping that shows the page of zeroes at that index must be found and changed, or its program goes on reading zeroes:
shared memory that is not shared. So the kernel needs a record of those mappings, and a lock against a fault that maps
the zeroes again meanwhile. DAX file systems do this, and put an entry for the page of zeroes into the page cache.

SEEK_DATA would see a hole, and a copy would stay sparse.
"""


SOLUTIONS: dict[str, Any] = {
    "a-copy-with-holes": copy_data,
    "huge-within-size": huge_if_it_fits,
    "who-pays-for-a-look": WHO_PAYS,
}
