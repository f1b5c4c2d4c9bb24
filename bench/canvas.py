"""What the stepper is measured beside: the same memory on a canvas that a kernel draws, by ipycanvas."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from khosim.run.history import History
from khosim.show import document, states, stepper
from khosim.show.owners import Role
from khosim.show.palette import palette

__all__ = ["bars", "board"]

FILLS = {
    Role.FREE: "wash", Role.KERNEL: "os", Role.OTHER: "os", Role.SCRATCH: "line", Role.FDT: "kho", Role.BITMAP: "kho",
    Role.INODE: "kho", Role.CACHED: "file", Role.FRESH: "file", Role.HELD: "file-wash", Role.STALE: "bad",
    Role.UNCLAIMED: "paper",
}  # fmt: skip
CELLS, DOTS = 256, 8192
COLUMNS, TALL = 128, 56
ORDER = (Role.KERNEL, Role.OTHER, Role.FDT, Role.BITMAP, Role.INODE, Role.CACHED, Role.FRESH, Role.HELD, Role.STALE)

Numbers = npt.NDArray[Any]


def bars(role: Numbers) -> Numbers:
    """Rectangles that show memory, as the stepper at this size: x, y, width, height, owner; float[n, 5].

    A cell a frame to 256 frames; runs, 128 frames a row, to 8,192; then shares in 128 columns. No marks, no text.
    """
    if role.size <= CELLS:
        n = np.arange(role.size)
        return np.stack([n % 16 * 28.0, n // 16 * 28.0, np.full(n.size, 24.0), np.full(n.size, 24.0), role], axis=1)
    if role.size <= DOTS:
        cut = (np.flatnonzero(role[1:] != role[:-1]) + 1).tolist()
        edges = sorted({0, role.size, *cut, *range(0, role.size, COLUMNS)})
        runs = [(a % COLUMNS * 3.5, a // COLUMNS * 4.0, (b - a) * 3.5, 3.0, role[a]) for a, b in pairwise(edges)]
        return np.array(runs)
    edges = np.linspace(0, role.size, COLUMNS + 1).astype(np.int64)
    floor, found = np.full(COLUMNS, float(TALL)), []
    for owner in ORDER:
        share = np.add.reduceat(role == owner, edges[:-1]) / np.diff(edges) * TALL
        height = np.where(share > 0, np.maximum(share, 1), 0)
        floor = floor - height
        found += [(c * 3.5, floor[c], 2.75, height[c], owner) for c in np.flatnonzero(share).tolist()]
    return np.array(found)


def board(history: History) -> Any:
    """Return a canvas with a button that draws its next step, and a stepper beside it. Needs ipycanvas and a kernel."""
    from ipycanvas import Canvas, hold_canvas
    from ipywidgets import Button, VBox

    rows = [state.planes["role"] for state in states(document(history))]
    colours = np.array([_rgb(palette()[FILLS[owner]]) for owner in Role])
    canvas, button = Canvas(width=500, height=500), Button(description="next")
    button.add_class("bench-next")
    at = [0]

    def draw(_: Any = None) -> None:
        at[0] = (at[0] + 1) % len(rows)
        x, y, width, height, owner = bars(rows[at[0]]).T
        with hold_canvas(canvas):
            canvas.clear()
            canvas.fill_styled_rects(x, y, width, height, colours[owner.astype(int)])

    button.on_click(draw)
    draw()
    return VBox([button, canvas, stepper(history)])


def _rgb(code: str) -> tuple[int, ...]:
    digits = code[1:] if len(code) > len("#rgb") else "".join(2 * digit for digit in code[1:])
    return tuple(bytes.fromhex(digits))
