"""What it costs to look back: time and memory of a snapshot, and of a recorded step, from 64 to 65,536 frames."""

from __future__ import annotations

import mmap
import tracemalloc
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

import khosim
from bench.program import bind, perform
from bench.steps import recorded
from bench.table import Case, Effort, Row, interleave, number, ratio, say, shares

__all__ = ["SIZES", "measure"]

SIZES = (64, 256, 1024, 4096, 16_384, 65_536)
BUDGET = 32 << 20
"""Bytes of snapshots that one case may take in one round."""


def measure(effort: Effort) -> list[Row]:
    """The rows of this section, three for each size."""
    return [row for frames in SIZES for row in _size(frames, effort)]


def _size(frames: int, effort: Effort) -> list[Row]:
    say(f"  {frames:,} frames")
    machine = khosim.boot(frames=frames)
    fd = machine.os.memfd_create("bench", khosim.MFD_KHO)
    write = bind(machine.os, fd, [("pwrite", (b"some bytes", 0))])
    perform(write)
    steps = recorded(machine, write, 1).steps
    size = machine.buffer.nbytes
    count = effort.times(min(2000, BUDGET // size))
    writes = max(1, count // steps)
    warm = np.empty_like(machine.buffer)
    cases = {
        "snapshot": Case(lambda: [machine.snapshot() for _ in range(count)], count),
        "copy": Case(lambda: [machine.buffer.copy() for _ in range(count)], count),
        "warm": Case(lambda: _overwrite(warm, machine.buffer, count), count),
        "new": Case(lambda: _new_memory(machine.buffer, count), count),
        "recorded": Case(lambda: recorded(machine, write, writes), writes * steps),
        "free": Case(lambda: perform(write, 50 * writes), 50 * writes * steps),
    }
    found = interleave(cases, effort.rounds)
    return _rows(f"{frames:,} frames", found, size, _kept(machine, effort))


def _overwrite(target: npt.NDArray[Any], buffer: npt.NDArray[Any], count: int) -> None:
    """Copy a buffer over the same memory, again and again."""
    for _ in range(count):
        target[:] = buffer


def _new_memory(buffer: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """`count` copies of a buffer, in memory that the process has just got and nobody has touched."""
    room = np.frombuffer(mmap.mmap(-1, buffer.nbytes * count), buffer.dtype).reshape(count, -1)
    room[:] = buffer
    return room


def _kept(machine: khosim.Machine, effort: Effort) -> float:
    """Bytes that a recording keeps for each moment, its objects included."""
    writes = effort.times(max(2, min(100, BUDGET // machine.buffer.nbytes // 8)))
    fd = machine.os.memfd_create("kept", khosim.MFD_KHO)
    lap = bind(machine.os, fd, [("pwrite", (b"some bytes", 0))])
    perform(lap)
    tracemalloc.start()
    try:
        history = recorded(machine, lap, writes)
        return tracemalloc.get_traced_memory()[0] / len(history)
    finally:
        tracemalloc.stop()


def _rows(name: str, found: dict[str, list[float]], size: int, kept: float) -> list[Row]:
    snapshot, copy, warm = found["snapshot"], found["copy"], found["warm"]
    getting = [max(0.0, min(pair) - old) for *pair, old in zip(snapshot, copy, warm, strict=True)]
    where = shares(snapshot, {"copying": warm, "getting memory": getting}, "Python around it")
    taped, free = found["recorded"], found["free"]
    return [
        Row(f"{name}: a snapshot", "µs", snapshot, ratio(snapshot, copy), "numpy copy of as many bytes",
            f"{where}; a copy to memory new to the process takes {number(median(found['new']) * 1e6)} µs"),
        Row(f"{name}: a recorded step", "µs", taped, ratio(taped, free), "the step, not recorded",
            shares(taped, {"its snapshot": snapshot, "the step itself": free}, "noting it")),
        Row(f"{name}: kept per step", "bytes", [kept], kept / size, "the machine's arrays",
            f"the arrays, {size:,} bytes; {kept - size:,.0f} for the moment, its step and its stack"),
    ]  # fmt: skip
