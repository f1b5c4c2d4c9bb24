"""Solutions of chapter 05."""

from __future__ import annotations

from typing import Any

import khosim
from khosim.kernel.locks import folio_unlock
from khosim.kernel.page_alloc import folio_put
from khosim.kernel.shmem import shmem_get_folio
from khosim.kernel.shmem_file import Read, shmem_file_read_iter
from khosim.kernel.shmem_kho import SGP_READ
from khosim.run.history import History
from khosim.state.machine import MachineState
from khosim.steps import PATHS, Path

__all__ = ["SOLUTIONS"]


def load_beside_a_cached_page(_machine: Any) -> History:
    """A read puts the neighbour into the page cache, where the fault-around of a machine of its own finds it."""
    m = khosim.boot(fault_around=4)
    fd = m.os.memfd_create("guest", khosim.MFD_KHO)
    m.os.pwrite(fd, bytes(4 * 64), 0)
    with m.record("one load maps two") as trace:
        m = m.kexec()
        fd = m.os.memfd_create("guest", khosim.MFD_KHO)
        m.os.pread(fd, 1, 0)
        view = m.mmap(fd, 4 * 64)
        view[64]
    return trace


def read_one_ahead(m: MachineState, ino: int, pos: int, count: int) -> Path[Read]:
    """Read as before, then look up the page after the last one that was read."""
    data, error = yield from PATHS[shmem_file_read_iter.__name__](m, ino, pos, count)
    after = (pos + len(data) - 1) // m.page_size + 1
    if data and after * m.page_size < m.inode.i_size[ino]:
        folio, _ = yield from shmem_get_folio(m, ino, after, SGP_READ)
        if folio is not None:
            folio_unlock(m, folio)
            yield from folio_put(m, folio)
    return data, error


FOR_WHOM = """
Better off is whoever waits for the first program of the new kernel. The boot keeps preserved frames out of the
allocator, and does no more for them. A page that is never touched again costs its bit and its block.

Worse off is the first toucher of each page. A guest that had all its memory mapped takes a fault for each page, when it
has work to do. The charge falls on its memory group, and so does the error if there is no room: a read of data that is
there can fail. At boot, the boot would have paid with time, and the file's owner with the charge.

Nobody would have paid for the doubt. Until a page is touched, st_blocks, mincore, SEEK_DATA and truncate take it for a
hole. That cost lies in other people's code, and no measurement of the boot shows it.
"""


SOLUTIONS: dict[str, Any] = {
    "one-load-maps-two": load_beside_a_cached_page,
    "read-ahead": read_one_ahead,
    "lazy-for-whom": FOR_WHOM,
}
