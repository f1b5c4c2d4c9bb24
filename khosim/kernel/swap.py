"""Folios join the LRU in batches: mm/swap.c."""

from __future__ import annotations

from khosim.errors import KernelPanic
from khosim.kernel.page_alloc import folio_get, folio_put
from khosim.state.lists import list_add, lru_head
from khosim.state.machine import MachineState
from khosim.state.mem_map import (
    PG_active,
    PG_lru,
    PG_referenced,
    clear_flag,
    set_flag,
    test_flag,
)
from khosim.steps import Path, Step, path

__all__ = ["folio_add_lru", "folio_mark_accessed", "folios_put", "lru_add_drain"]


@path
def folio_add_lru(m: MachineState, folio: int) -> Path[None]:
    """Queue a folio for the LRU; the batch holds a reference until it is drained.

    Kernel:   mm/swap.c, folio_add_lru(), folio_batch_add_and_move()
    Locks:    the CPU's local lock on its batch
    Left out: the other batches (rotate, deactivate, lazyfree)
    """
    if test_flag(m, folio, PG_lru):
        raise KernelPanic("BUG! VM_BUG_ON_FOLIO(folio_test_lru(folio)) in folio_add_lru()")
    folio_get(m, folio)
    m.lru_add[m.lru_pending] = folio
    m.lru_pending += 1
    yield Step("lru_add", "Frame {pfn:#x} is queued for the LRU.", pfn=folio)
    if m.lru_pending == len(m.lru_add) or m.page.order[folio]:
        yield from lru_add_drain(m)


@path
def lru_add_drain(m: MachineState) -> Path[None]:
    """Move the batch to the LRU and drop its references.

    Kernel:   mm/swap.c, lru_add_drain(), folio_batch_move_lru()
    Locks:    lruvec->lru_lock for the moves
    Left out: -
    """
    count = m.lru_pending
    if not count:
        return
    batch = [m.lru_add[place] for place in range(count)]
    for folio in batch:
        set_flag(m, folio, PG_lru)
        list_add(m, folio, lru_head(m))
    m.lru_pending = 0
    yield Step("lru_drain", "{count:queued folio} joined the LRU.", count=count)
    yield from folios_put(m, batch)


@path
def folios_put(m: MachineState, batch: list[int]) -> Path[None]:
    """Drop one reference of each folio of a batch.

    Kernel:   mm/swap.c, folios_put_refs()
    Locks:    as folio_put
    Left out: -
    """
    for folio in batch:
        yield from folio_put(m, folio)


def folio_mark_accessed(m: MachineState, folio: int) -> None:
    """Note a use: first referenced, then active (mm/swap.c, folio_mark_accessed())."""
    if not test_flag(m, folio, PG_referenced):
        set_flag(m, folio, PG_referenced)
    elif not test_flag(m, folio, PG_active):
        if test_flag(m, folio, PG_lru):
            set_flag(m, folio, PG_active)
        clear_flag(m, folio, PG_referenced)
