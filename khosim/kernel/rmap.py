"""From a page to who has it mapped: mm/rmap.c and the zapping half of mm/memory.c."""

from __future__ import annotations

from collections.abc import Iterator

from khosim.kernel.page_alloc import folio_put
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_dirty, folio_nr_pages, page_folio, set_flag
from khosim.state.pte import NONE, POISON, load_pte, store_pte
from khosim.steps import Path, Step, path

__all__ = ["unmap_mapping_folio", "unmap_mapping_range", "zap_pte"]


@path
def zap_pte(m: MachineState, vma: int, page: int) -> Path[None]:
    """Unmap one page of a mapping; a dirty PTE makes its folio dirty.

    Kernel:   mm/memory.c, zap_present_pte()
    Locks:    page table lock
    Left out: TLB flush, the mmu_gather batch
    """
    pte = load_pte(m, vma, page)
    if pte is NONE:
        return
    store_pte(m, vma, page, NONE)
    if pte is POISON:
        yield Step("zap", "Page {page} of the mapping was poisoned; it is unmapped.", page=page)
        return
    folio = page_folio(m, pte.pfn)
    if pte.dirty and m.page.mapping[folio]:
        set_flag(m, folio, PG_dirty)
    m.page.mapcount[folio] -= 1
    yield Step("zap", "Frame {pfn:#x} is unmapped.", pfn=pte.pfn, page=page)
    yield from folio_put(m, folio)


@path
def unmap_mapping_range(m: MachineState, ino: int, first: int, last: int, *, even_cows: bool) -> Path[None]:
    """Unmap the pages first..last of a file (last -1: to the end) from every mapping of it.

    `even_cows`: private copies too, as truncation does; a punched hole leaves the program its own copy.

    Kernel:   mm/memory.c, unmap_mapping_range(), should_zap_cows()
    Locks:    i_mmap_rwsem, page table locks
    Left out: -
    """
    for vma, page in mapped_pages(m, ino, first, last):
        pte = load_pte(m, vma, page)
        if even_cows or pte is POISON or m.page.mapping[page_folio(m, pte.pfn)]:
            yield from zap_pte(m, vma, page)


@path
def unmap_mapping_folio(m: MachineState, folio: int) -> Path[None]:
    """Unmap a folio of the page cache wherever it is mapped.

    Kernel:   mm/memory.c, unmap_mapping_folio()
    Locks:    folio lock, i_mmap_rwsem
    Left out: -
    """
    index = m.page.index[folio]
    for vma, page in mapped_pages(m, m.page.mapping[folio] - 1, index, index + folio_nr_pages(m, folio) - 1):
        pte = load_pte(m, vma, page)
        if pte is not POISON and page_folio(m, pte.pfn) == folio:
            yield from zap_pte(m, vma, page)


def mapped_pages(m: MachineState, ino: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """(mapping, page in it) of all that is mapped from the pages first..last of a file; last -1 is to the end."""
    for vma in range(len(m.vma.used)):
        if not m.vma.used[vma] or m.vma.ino[vma] != ino:
            continue
        for page in range(m.vma.pages[vma]):
            index = m.vma.pgoff[vma] + page
            if first <= index and (last < 0 or index <= last) and load_pte(m, vma, page) is not NONE:
                yield vma, page
