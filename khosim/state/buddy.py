"""The buddy allocator's lists (mm/page_alloc.c): split, merge, and the per-CPU list, last in first out.

Pure list work; what is said and checked when a frame changes hands is in `kernel.page_alloc`.
"""

from __future__ import annotations

from khosim.state.layout import MAX_ORDER
from khosim.state.lists import free_area, list_add, list_add_tail, list_del, list_empty, list_page, list_walk, pcp_head
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_BUDDY, clear_flag, set_flag, test_flag

__all__ = ["free_block", "in_scratch", "pcp_free", "pcp_take", "take_block", "take_frame"]


def in_scratch(m: MachineState, pfn: int) -> int:
    """1 if frame `pfn` lies in KHO scratch (MIGRATE_CMA), else 0."""
    start = m.scratch_start
    return int(start <= pfn < start + m.config.scratch_size)


def _insert(m: MachineState, pfn: int, order: int, tail: bool) -> None:
    m.page.order[pfn] = order
    m.page.private[pfn] = 1 + order  # set_buddy_order() keeps it there too; 0 says "not a block's head"
    head = free_area(m, in_scratch(m, pfn), order)
    (list_add_tail if tail else list_add)(m, pfn, head)


def _remove(m: MachineState, pfn: int) -> None:
    list_del(m, pfn)
    m.page.private[pfn] = m.page.order[pfn] = 0


def free_block(m: MachineState, pfn: int, order: int, *, tail: bool = False) -> None:
    """Give back 2**order frames from `pfn` on, merging with free buddies of the same kind of memory."""
    for frame in range(pfn, pfn + (1 << order)):
        set_flag(m, frame, PG_BUDDY)
    m.nr_free += 1 << order
    while order < MAX_ORDER:
        buddy = pfn ^ (1 << order)
        if buddy + (1 << order) > m.frames or m.page.private[buddy] != 1 + order:
            break
        if not test_flag(m, buddy, PG_BUDDY) or in_scratch(m, buddy) != in_scratch(m, pfn):
            break
        _remove(m, buddy)
        pfn = min(pfn, buddy)
        order += 1
    _insert(m, pfn, order, tail)


def _carve(m: MachineState, head: int, size: int, pfn: int, order: int) -> None:
    """Take 2**order frames from `pfn` on out of the free block of 2**size frames at `head`; the rest stays free."""
    _remove(m, head)
    while size > order:
        size -= 1
        half = head + (1 << size)
        _insert(m, head if pfn >= half else half, size, tail=False)
        head = half if pfn >= half else head
    for frame in range(pfn, pfn + (1 << order)):
        clear_flag(m, frame, PG_BUDDY)
    m.nr_free -= 1 << order


def take_block(m: MachineState, order: int, *, cma: bool) -> int | None:
    """Take 2**order frames, smallest block first, splitting it; scratch only as a last resort (`cma`)."""
    for kind in range(1 + cma):
        for size in range(order, MAX_ORDER + 1):
            head = free_area(m, kind, size)
            if not list_empty(m, head):
                pfn = list_page(m, m.link.next[head])
                _carve(m, pfn, size, pfn, order)
                return pfn
    return None


def take_frame(m: MachineState, pfn: int) -> bool:
    """Take one particular frame out of the free block it lies in; False if it lies in none (alloc_contig_range())."""
    for order in range(MAX_ORDER + 1):
        head = pfn & -(1 << order)
        if m.page.private[head] == 1 + order and test_flag(m, head, PG_BUDDY):
            _carve(m, head, order, pfn, 0)
            return True
    return False


def pcp_take(m: MachineState, *, cma: bool) -> int | None:
    """Take one frame: the last freed one, or one of a batch from the buddy when the per-CPU list is empty.

    Linux keeps a per-CPU list for each kind of memory; here scratch frames are passed over where they must not be used.
    """
    head = pcp_head(m)
    if list_empty(m, head):
        for _ in range(m.config.pcp_batch):
            pfn = take_block(m, 0, cma=cma)
            if pfn is None:
                break
            pcp_free(m, pfn, tail=True)
    for pfn in list_walk(m, head):
        if cma or not in_scratch(m, pfn):
            list_del(m, pfn)
            m.pcp_count -= 1
            m.nr_free -= 1
            clear_flag(m, pfn, PG_BUDDY)
            return pfn
    return take_block(m, 0, cma=cma)


def pcp_free(m: MachineState, pfn: int, *, tail: bool = False) -> None:
    """Put one frame on the per-CPU list; above its limit a batch goes back to the buddy."""
    head = pcp_head(m)
    (list_add_tail if tail else list_add)(m, pfn, head)
    set_flag(m, pfn, PG_BUDDY)
    m.pcp_count += 1
    m.nr_free += 1
    while m.pcp_count > m.config.pcp_limit:
        victim = list_page(m, m.link.prev[head])
        list_del(m, victim)
        m.pcp_count -= 1
        m.nr_free -= 1
        free_block(m, victim, 0)
