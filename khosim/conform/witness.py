"""What the recorder saw of a kernel, seen of the model: page ids, events, and the state after an op.

Page ids count allocations, not frames: 1, 2, 3, ... in the order in which shmem got its folios. A folio that came
another way (swap-in, collapse) gets its id at the next dump.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from khosim.run.scheduler import Run
from khosim.state import page_cache
from khosim.state.bitmap import test_bit
from khosim.state.blocks import kho_i_size, load_block
from khosim.state.handover import preserved
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_BUDDY, PG_dirty, PG_locked, PG_uptodate, test_flag
from khosim.state.phys import load
from khosim.steps import Step

__all__ = ["Witness", "runs_of"]

Event = list[Any]


def runs_of(data: bytes) -> list[list[int]]:
    """Run lengths: [[count, byte], ...]."""
    if data and data.count(data[0]) == len(data):
        return [[len(data), data[0]]]
    bytes_ = np.frombuffer(data, "u1")
    edges = [0, *(np.flatnonzero(bytes_[1:] != bytes_[:-1]) + 1).tolist(), len(data)]
    return [[after - start, data[start]] for start, after in pairwise(edges)] if data else []


class Witness:
    """Watches a machine's steps, as a `Stage.watch`, and describes its state in the recorder's words."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self.next_id = 1
        self.kho = self.ino = 0  # of the file under test: its KHO inode's address, its inode number
        self.ids: dict[int, int] = {}
        self.bit_ids: dict[int, int] = {}
        self.block_ids: dict[tuple[int, int], int] = {}
        self.held: set[int] = set()
        self.foreign: set[int] = set()
        self.tainted: set[int] = set()
        self.events: list[Event] = []
        self.repeats = 0
        self.hooks: dict[str, Callable[[Step], None]] = {}
        self.machine: Callable[[], MachineState] = lambda: NotImplemented

    def give_id(self, pfn: int) -> int:
        """The id of the folio in frame `pfn`, a new one if it has none."""
        if pfn not in self.ids:
            self.ids[pfn] = self.next_id
            self.next_id += 1
        return self.ids[pfn]

    def __call__(self, run: Run, task: str, step: Step) -> None:
        """A step has happened."""
        del run, task
        note = getattr(self, "_" + step.name, None)
        if note is not None:
            note(step.args)
        hook = self.hooks.get(step.name)
        if hook is not None:
            hook(step)

    def event(self, name: str, index: int, a: int = 0, b: int = 0) -> None:
        """Note one event."""
        self.events.append([name, index, a, b])

    # ---- steps that the recorder notes, by their names

    def _alloc(self, a: dict[str, int]) -> None:
        self.ids.pop(a["pfn"], None)
        for frames in (self.held, self.foreign, self.tainted):
            frames.discard(a["pfn"])

    def _new_folio(self, a: dict[str, int]) -> None:
        self.event("new_folio", a["index"], self.give_id(a["pfn"]), 1 << a["order"])

    def _alloc_and_add(self, a: dict[str, int]) -> None:
        self.event("alloc_and_add", a["index"], a["sgp"], 1 << a["order"] if a["order"] else 0)

    def _kho_alloc(self, a: dict[str, int]) -> None:
        self.event("kho_alloc_enter", a["index"], a["sgp"])

    def _kho_alloc_err(self, a: dict[str, int]) -> None:
        self.event("kho_alloc_err", a["index"], a["error"])

    def _bit_set(self, a: dict[str, int]) -> None:
        self.bit_ids.pop(a["pfn"], None)  # of a page only if a block is set next

    def _block_set(self, a: dict[str, int]) -> None:
        self.bit_ids[a["pfn"]] = self.ids[a["pfn"]]
        self.block_ids[self.kho, a["index"]] = self.ids[a["pfn"]]
        self.event("block_set", a["index"], self.ids[a["pfn"]])

    def _restore(self, a: dict[str, int]) -> None:
        m = self.machine()
        pfn = a["pfn"]
        owner = self.block_ids[self.kho, a["index"]]
        self.event("restore", a["index"], owner, m.page.refcount[pfn])
        if pfn in self.foreign:
            self.tainted.add(pfn)
        if pfn in self.held:
            self.held.discard(pfn)
        else:
            self.event(
                "restore_unowned", a["index"], int(test_flag(m, pfn, PG_BUDDY)), int(test_flag(m, pfn, PG_locked))
            )

    def _free_block(self, a: dict[str, int]) -> None:
        self.event("free_block", a["index"], self.block_ids.get((self.kho, a["index"]), 0))

    def _block_empty(self, a: dict[str, int]) -> None:
        self.event("warn_block_already_zero", a["index"])

    def _free_block_oob(self, a: dict[str, int]) -> None:
        self.event("free_block_oob", a["index"])

    def _invalidate(self, a: dict[str, int]) -> None:
        self.event("invalidate", a["index"], a["offset"], a["length"])

    def _add_err(self, a: dict[str, int]) -> None:
        self.event("add_err", a["index"], a["error"])

    def _repeat(self, a: dict[str, int]) -> None:
        self.repeats += 1
        if self.repeats <= 2:  # noqa: PLR2004 - the recorder notes the first two of an op
            self.event("repeat", a["index"], a["sgp"], 1 + self.repeats)

    def _get_folio_unlock(self, a: dict[str, int]) -> None:
        self.event("get_folio_unlock", a["index"], a["error"], a["added"])

    def _frame_freed(self, a: dict[str, int]) -> None:
        m = self.machine()
        if a["pfn"] in self.ids:
            self.event("frame_freed", -1, self.ids[a["pfn"]], int(m.page.mapping[a["pfn"]] != 0))

    def _migrate_new(self, a: dict[str, int]) -> None:
        m = self.machine()
        self.event("migrate_new", m.page.index[a["pfn"]], self.ids.get(a["pfn"], 0), self.give_id(a["new"]))

    # ---- dumps

    def dump(self, m: MachineState, *, attached: bool, kho: bool) -> dict[str, Any]:
        """The recorder's `state` after an op."""
        ino = self.ino
        state: dict[str, Any] = {
            "i_size": m.inode.i_size[ino] if attached else 0,
            "i_blocks": m.inode.pages[ino] * m.page_size // 512 if attached else 0,
            "alloced": m.inode.alloced[ino] if attached else 0,
            "swapped": m.inode.swapped[ino] if attached else 0,
            "nrpages": m.inode.nrpages[ino] if attached else 0,
            "cache": [self._cached(m, i, e) for i, e in page_cache.entries(m, ino, 0, m.file_pages)]
            if attached
            else [],
        }
        if kho:
            state["attached"] = int(attached)
            state["kho_i_size"] = kho_i_size(m, self.kho)
            state["blocks"] = [
                self._block(m, index, start, attached)
                for index in range(m.config.nblocks)
                if (start := load_block(m, self.kho, index))
            ]
            state["bits"] = sorted(self.bit_ids[pfn] for pfn in preserved(m) if pfn in self.bit_ids)
        return state

    def _cached(self, m: MachineState, index: int, entry: int) -> dict[str, Any]:
        if entry < 0:
            return {"i": index, "swap": 1}
        found: dict[str, Any] = {
            "i": index,
            "page": self._page_id(index, entry),
            "upt": int(test_flag(m, entry, PG_uptodate)),
            "dirty": int(test_flag(m, entry, PG_dirty)),
            "ref": m.page.refcount[entry],
            "map": m.page.mapcount[entry],
            "mapping_ok": int(m.page.mapping[entry] == self.ino + 1),
            "runs": self._content(m, entry),
        }
        if m.page.order[entry]:
            found["order"] = m.page.order[entry]
        if test_flag(m, entry, PG_BUDDY):
            found["frame_free"] = 1
        return found

    def _page_id(self, index: int, pfn: int) -> int:
        """A folio's id; one that came back from a stale block keeps the id the block knows."""
        if pfn in self.foreign and pfn not in self.ids:
            self.ids[pfn] = self.block_ids[self.kho, index]
        return self.give_id(pfn)

    def _block(self, m: MachineState, index: int, start: int, attached: bool) -> dict[str, Any]:
        pfn = start // m.page_size
        slot = page_cache.load(m, self.ino, index) if attached else page_cache.EMPTY
        state = "cached" if slot == pfn else "held" if pfn in self.held else "other"
        if state == "other" and test_flag(m, pfn, PG_BUDDY):
            state = "free"
        owner = self.block_ids[self.kho, index]
        found = {"i": index, "page": owner, "st": state, "ref": m.page.refcount[pfn], "bit": int(test_bit(m, pfn))}
        now = self.ids.get(pfn, owner)
        if now != owner:
            found["frame_now"] = now
        if slot not in (page_cache.EMPTY, pfn):
            found["mismatch"] = 1
        if state != "cached":
            found["runs"] = self._content(m, pfn)
        return found

    def _content(self, m: MachineState, pfn: int) -> list[list[int]]:
        return runs_of(load(m, pfn, 0, m.page_size))
