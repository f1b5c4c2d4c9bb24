"""`struct page`: flags and the small operations on them (include/linux/page-flags.h)."""

from __future__ import annotations

from khosim.state.machine import MachineState

__all__ = [
    "CHECK_AT_FREE", "PG_BUDDY", "PG_NAMES", "PG_active", "PG_dirty", "PG_hwpoison", "PG_locked", "PG_lru",
    "PG_referenced", "PG_reserved", "PG_swapbacked", "PG_swapcache", "PG_uptodate",
    "clear_flag", "folio_nr_pages", "page_folio", "prep_compound", "set_flag", "test_flag",
]  # fmt: skip

PG_locked = 1 << 0
PG_referenced = 1 << 1
PG_uptodate = 1 << 2
PG_dirty = 1 << 3
PG_lru = 1 << 4
PG_active = 1 << 5
PG_reserved = 1 << 6
PG_swapbacked = 1 << 7
PG_swapcache = 1 << 8
PG_hwpoison = 1 << 9
PG_BUDDY = 1 << 10
"""The frame is free: on a buddy list or a per-CPU list (Linux keeps this in page_type)."""
PG_NAMES = {
    PG_locked: "locked",
    PG_referenced: "referenced",
    PG_uptodate: "uptodate",
    PG_dirty: "dirty",
    PG_lru: "lru",
    PG_active: "active",
    PG_reserved: "reserved",
    PG_swapbacked: "swapbacked",
    PG_swapcache: "swapcache",
    PG_hwpoison: "hwpoison",
    PG_BUDDY: "free",
}
CHECK_AT_FREE = PG_lru | PG_locked | PG_reserved | PG_active
"""PAGE_FLAGS_CHECK_AT_FREE: a frame freed with one of these is a bad page."""


def test_flag(m: MachineState, pfn: int, flag: int) -> bool:
    """Whether any bit of `flag` is set on frame `pfn`."""
    return bool(m.page.flags[pfn] & flag)


def set_flag(m: MachineState, pfn: int, flag: int) -> None:
    """Set the bits of `flag` on frame `pfn`."""
    m.page.flags[pfn] |= flag


def clear_flag(m: MachineState, pfn: int, flag: int) -> None:
    """Clear the bits of `flag` on frame `pfn`."""
    m.page.flags[pfn] &= ~flag


def page_folio(m: MachineState, pfn: int) -> int:
    """PFN of the head of the folio that frame `pfn` belongs to."""
    head = m.page.head[pfn]
    return head if head >= 0 else pfn


def folio_nr_pages(m: MachineState, folio: int) -> int:
    """Pages of the folio whose head is frame `folio`."""
    return 1 << m.page.order[folio]


def prep_compound(m: MachineState, head: int, order: int) -> None:
    """Make 2**order frames from `head` on one folio; order 0 makes each frame its own again."""
    old = 1 << m.page.order[head]
    for pfn in range(head + 1, head + max(old, 1 << order)):
        m.page.head[pfn] = head if pfn < head + (1 << order) else -1
    m.page.order[head] = order
