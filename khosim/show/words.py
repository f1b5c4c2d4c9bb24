"""What changed, in words: the cells of `Snapshot.diff`, one line for each frame, slot, inode or counter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from khosim.show.owners import Mask, kho_inodes, span
from khosim.state.layout import Counter
from khosim.state.mem_map import PG_NAMES
from khosim.state.snapshot import Change, Snapshot

__all__ = ["changes", "numbers", "shown_bytes"]

PRINTABLE = range(0x20, 0x7F)
SHOWN = 24  # characters of a page that a line shows
BOOKKEEPING = frozenset({"link", "lru_add"})  # list pointers: the flags and counters beside them say the same


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """Return what differs as lines, in the order of the arrays; list pointers are left out.

    Bytes of the PFN bitmap and of KHO inodes are told as what they mean.
    """
    fdt = span(after, after.fdt_phys, after.config.fdt_frames * after.page_size * bool(after.fdt_phys))
    meant = span(after, after.bitmap_phys, 8 * after.config.bitmap_words * bool(after.bitmap_phys)) | fdt
    lines = _bits(before, after) + _fdt(before, after, fdt)
    for kho in kho_inodes(after).values():
        meant |= span(after, kho, after.config.kho_inode_bytes)
        lines += _kho_inode(before, after, kho)
    places: dict[tuple[str, int], list[Change]] = {}
    for change in before.diff(after):
        if change.array not in BOOKKEEPING and not (change.array == "phys" and meant[change.index[0]]):
            places.setdefault((change.array, change.index[0]), []).append(change)
    found = [line for (array, place), cells in places.items() for line in _lines(array, place, cells)]
    return lines + _together(found)


def _together(found: list[tuple[str, int, str]]) -> list[str]:
    """Lines of (kind, number, what); the same said of many frames is said once."""
    alike: dict[tuple[str, str], list[int]] = {}
    for kind, place, what in found:
        alike.setdefault((kind, what), []).append(place)
    named = ((kind, _places(kind, places), what) for (kind, what), places in alike.items())
    return [f"{kind} {places}: {what}" if kind else what for kind, places, what in named]


def _places(kind: str, places: list[int]) -> str:
    return numbers(sorted(places)) if kind == "frame" else " ".join(map(str, places))


def _bits(before: Snapshot, after: Snapshot) -> list[str]:
    old, new = before.bits, after.bits
    marks = [("set", np.flatnonzero(new & ~old)), ("cleared", np.flatnonzero(old & ~new))]
    return [f"PFN bit {word}: {numbers(pfns.tolist())}" for word, pfns in marks if pfns.size]


def _fdt(before: Snapshot, after: Snapshot, fdt: Mask) -> list[str]:
    if (before.arrays["phys"][fdt] == after.arrays["phys"][fdt]).all():
        return []
    return ["the FDT is written again; it names " + (", ".join(kho_inodes(after)) or "no file")]


def _kho_inode(before: Snapshot, after: Snapshot, kho: int) -> list[str]:
    """What changed in the KHO inode at physical address `kho`: its size, then block by block."""
    old, new = (np.frombuffer(s.ram, "u8", 1 + s.config.nblocks, kho).tolist() for s in (before, after))
    pfn = [f"{start // after.page_size:#x}" if start else "empty" for start in (*old, *new)]
    size = [f"kho i_size {old[0]} -> {new[0]}"] if old[0] != new[0] else []
    blocks = range(1, len(new))
    return size + [f"block {i - 1}: {pfn[i]} -> {pfn[len(old) + i]}" for i in blocks if old[i] != new[i]]


def _lines(array: str, place: int, cells: list[Change]) -> Iterator[tuple[str, int, str]]:
    if array in ("phys", "swap_data"):
        yield from (("frame" if array == "phys" else "swap slot", place, _bytes(c)) for c in cells)
    elif array == "name":
        name = bytes(int(c.new) for c in cells).rstrip(b"\0").decode("utf-8", "replace")
        yield "inode", place, f"name {name!r}"
    elif array == "counters":
        yield from (("", place, f"{Counter.names[place]} {int(c.old)} -> {int(c.new)}") for c in cells)
    elif array in ("slots", "pte"):
        kind = "page cache of inode" if array == "slots" else "mapping"
        yield from ((kind, place, f"page {c.index[1]}: {_slot(c.old)} -> {_slot(c.new)}") for c in cells)
    else:
        known = {"page": "frame", "vma": "mapping", "file": "descriptor"}
        yield known.get(array, array), place, ", ".join(_field(c) for c in cells)


def _field(c: Change) -> str:
    """One column of a row; flags as what was set and what was cleared."""
    if c.field != "flags":
        return f"{c.field} {int(c.old)} -> {int(c.new)}"
    old, new = int(c.old), int(c.new)
    signs = [f"{'+' if new & mask else '-'}{name}" for mask, name in PG_NAMES.items() if (old ^ new) & mask]
    return " ".join(signs)


def _slot(value: int | bytes) -> str:
    number = int(value)
    if number == -1:
        return "empty"
    return f"{number:#x}" if number >= 0 else f"swap slot {-number - 2}"


def _bytes(c: Change) -> str:
    new = bytes(c.new) if isinstance(c.new, bytes) else b""
    first = c.index[1]
    where = f"byte {first}" if len(new) == 1 else f"bytes {first} to {first + len(new) - 1}"
    return f"{where} {shown_bytes(new)}"


def shown_bytes(data: bytes) -> str:
    """Return bytes as a reader reads them: one value repeated, text, or hex; long ones are cut."""
    if len(set(data)) == 1:
        return f"are {data[0]:#04x}" if len(data) > 1 else f"is {data[0]:#04x}"
    cut = "..." if len(data) > SHOWN else ""
    if all(b in PRINTABLE for b in data[:SHOWN]):
        return f"say {data[:SHOWN].decode()!r}{cut}"
    return f"are {data[: SHOWN // 2].hex(' ')}{'...' if len(data) > SHOWN // 2 else ''}"


def numbers(values: Iterable[int]) -> str:
    """Return sorted frame numbers as ranges: 0x10-0x12 0x20."""
    runs: list[list[int]] = []
    for n in values:
        if runs and runs[-1][1] == n - 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return " ".join(f"{a:#x}" if a == b else f"{a:#x}-{b:#x}" for a, b in runs)
