"""The recorder's test program needs memory too: its heap draws on the same per-CPU list as the file under test.

Fitted to the dumps of frames that the heap took over while a stale block still named them: the top of the heap at
program start, and which calls use a buffer of what size. It matters only to runs with stale blocks.
"""

from __future__ import annotations

from khosim.conform.witness import Witness
from khosim.kernel.page_alloc import alloc_pages
from khosim.run.scheduler import Run
from khosim.state.phys import fill
from khosim.steps import Step
from khosim.user.session import Session

__all__ = ["Heap"]

PAGE = 4096
TOP = 7328
"""Bytes of heap in use before the first op."""
MMAP_THRESHOLD = 128 * 1024
"""Larger buffers are mapped and unmapped again (M_MMAP_THRESHOLD); their frames come back in order."""


class Heap:
    """Which pages of the heap have been touched, and so have a frame."""

    def __init__(self, session: Session, witness: Witness) -> None:
        """As the program starts."""
        self.session, self.witness = session, witness
        self.touched = set(range(-(-TOP // PAGE)))
        self.filled = -1
        witness.hooks.update(copy_out=self._landed, copy_zeroes=self._landed)

    def malloc(self, size: int, *, fill: bool) -> None:
        """Get a buffer, which moves the top of the heap; `fill` writes all of it, else reads will, as they land."""
        self.filled = -1
        if size >= MMAP_THRESHOLD:
            return
        chunk = max((size + 8 + 15) // 16 * 16, 32)
        self._touch(TOP + chunk + 8)
        self.filled = 0
        if fill:
            self.land(size)

    def land(self, count: int) -> None:
        """The next `count` bytes of the buffer are written."""
        if self.filled < 0:
            return
        first = TOP + 16 + self.filled
        for place in range(first, first + count, PAGE):
            self._touch(place)
        if count:
            self._touch(first + count - 1)
        self.filled += count

    def _landed(self, step: Step) -> None:
        self.land(step.args["count"])

    def _touch(self, place: int) -> None:
        page = place // PAGE
        if page in self.touched:
            return
        self.touched.add(page)
        frame = Run(self.session, {"cpu0": alloc_pages(self.session.machine, 0, movable=1)}).finish()["cpu0"]
        if frame is not None:
            fill(self.session.machine, frame, 0)
            self.witness.foreign.add(frame)
