"""All of the recorder's ops, with those that end one kernel and start the next."""

from __future__ import annotations

from khosim.conform.ops_file import FileOps
from khosim.conform.ops_memory import MemoryOps
from khosim.conform.player import Results
from khosim.state import page_cache
from khosim.state.bitmap import test_bit
from khosim.state.buddy import pcp_free, take_frame
from khosim.state.handover import preserved
from khosim.state.lists import list_walk, pcp_head
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_BUDDY, PG_hwpoison, set_flag, test_flag

__all__ = ["Player"]


class Player(FileOps, MemoryOps):
    """Plays one script on a fresh machine. `play(op)` returns what the recorder would have printed as results."""

    def op_kexec(self) -> Results:
        """The next kernel opens the file again. An ordinary file has no such thing; there it does nothing."""
        if not self.kho:
            return {"ret": 0, "noop": 1}
        lost = self._note_kexec()
        old = self.session.machine
        bad = [pfn for pfn in preserved(old) if test_flag(old, pfn, PG_hwpoison)]
        self.call("kexec")
        self._same_boot(old, lost)
        m = self.session.machine
        self.witness.held = set(preserved(m))
        for pfn in bad:
            set_flag(m, pfn, PG_hwpoison)
        self._open()
        return {"ret": 0}

    def _same_boot(self, old: MachineState, lost: list[int]) -> None:
        """The recorder's kexec did not leave its kernel: its settings stayed, its WARN_ON_ONCE, and the poison flag.

        So did its per-CPU list of free frames, with the frames of `lost` pages freed on top of it.
        """
        m = self.session.machine
        for pfn in [*reversed(list(list_walk(old, pcp_head(old)))), *lost]:
            if take_frame(m, pfn):
                pcp_free(m, pfn)
        m.swap_enabled, m.shmem_huge, m.warned = old.swap_enabled, old.shmem_huge, old.warned
        m.overcommit_memory = old.overcommit_memory

    def _note_kexec(self) -> list[int]:
        """The recorder's kexec walks the page cache, then the bitmap; the frames of pages that it lost."""
        m, w = self.session.machine, self.witness
        cached, lost = set(), []
        for index, entry in page_cache.entries(m, w.ino, 0, m.file_pages):
            if entry < 0:
                w.event("kexec_swap_lost", index)
                continue
            cached.add(entry)
            kept = test_bit(m, entry)
            odd = m.page.refcount[entry] - (1 << m.page.order[entry])
            w.event("kexec_keep" if kept else "kexec_lost", index, w.give_id(entry), 1)
            if odd:
                w.event("kexec_odd_ref", index, w.give_id(entry), m.page.refcount[entry])
            if not kept:
                w.event("frame_freed", -1, w.give_id(entry))
                lost += [] if m.page.order[entry] else [entry]
        for pfn in preserved(m):
            if pfn in w.bit_ids and pfn not in cached and pfn not in w.held:
                free = test_flag(m, pfn, PG_BUDDY)
                w.event("kexec_keep_free_frame" if free else "kexec_keep_foreign_frame", -1, w.bit_ids[pfn], 1)
        return lost
