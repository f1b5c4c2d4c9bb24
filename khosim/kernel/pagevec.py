"""Batches of folios: include/linux/pagevec.h, the batch look-ups of mm/filemap.c."""

from __future__ import annotations

from khosim.kernel.filemap import mapping_of
from khosim.kernel.locks import folio_trylock, folio_unlock
from khosim.kernel.page_alloc import folio_put, folio_try_get
from khosim.kernel.swap import folios_put, lru_add_drain
from khosim.state import page_cache
from khosim.state.machine import MachineState
from khosim.state.mem_map import folio_nr_pages
from khosim.steps import Path, Retry, Step, path

__all__ = ["PAGEVEC_SIZE", "find_get_entries", "folio_batch_release"]

PAGEVEC_SIZE = 31
"""Folios in a batch."""


@path
def find_get_entries(m: MachineState, ino: int, start: int, end: int, sweep: int) -> Path[list[tuple[int, int]]]:
    """The next batch of (index, entry), folios referenced. The first sweep locks, and skips what it cannot have.

    Kernel:   mm/filemap.c, find_lock_entries() for sweep 1, find_get_entries() for sweep 2
    Locks:    RCU
    Left out: -
    """
    batch: list[tuple[int, int]] = []
    for index, entry in list(page_cache.entries(m, ino, start, end)):
        if len(batch) == PAGEVEC_SIZE:
            break
        if entry >= 0:
            while not folio_try_get(m, entry):
                yield Retry("spin", "page cache entry has refcount 0 (index {index})", index=index, pfn=entry)
            base = m.page.index[entry]
            inside = start <= base and base + folio_nr_pages(m, entry) <= end
            if sweep == 1 and not (inside and folio_trylock(m, entry)):
                yield from folio_put(m, entry)
                continue
            if sweep == 1 and m.page.mapping[entry] != mapping_of(ino):
                folio_unlock(m, entry)
                yield from folio_put(m, entry)
                continue
        batch.append((index, entry))
    yield Step("batch", "{count:page} of the range found in the page cache.", count=len(batch), sweep=sweep)
    return batch


@path
def folio_batch_release(m: MachineState, batch: list[tuple[int, int]]) -> Path[None]:
    """Drop the references of a batch.

    Kernel:   mm/swap.c, __folio_batch_release()
    Locks:    as folio_put
    Left out: -
    """
    yield from lru_add_drain(m)
    yield from folios_put(m, [entry for _, entry in batch if entry >= 0])
