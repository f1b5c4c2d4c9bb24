"""One program on three files: in the simulated kernel, in a memfd of this computer's kernel, and in a dict."""

from __future__ import annotations

import mmap
import os
import sys
from statistics import median
from time import perf_counter
from typing import Any

import khosim
from bench.model import DictOs
from bench.program import Calls, bind, perform, program
from bench.table import PER_SECOND, Case, Effort, Row, interleave, number, ratio, shares

__all__ = ["measure"]

PAGE = mmap.PAGESIZE
"""The same on all three sides: this computer's, most often 4096 bytes."""


def measure(effort: Effort) -> list[Row]:
    """The rows of this section."""
    asked = program(PAGE)
    machine = khosim.boot(frames=256, page_size=PAGE)
    simulated = bind(machine.os, machine.os.memfd_create("bench", 0), asked)
    plain = bind(DictOs(PAGE), 0, asked)
    if not hasattr(os, "memfd_create"):
        return _rows(effort, simulated, plain, None, f"not measured: {sys.platform} has no memfd; Linux has")
    fd = os.memfd_create("bench")
    try:
        return _rows(effort, simulated, plain, bind(os, fd, asked), "")
    finally:
        os.close(fd)


def _rows(effort: Effort, simulated: Calls, plain: Calls, host: Calls | None, why: str) -> list[Row]:
    """Compare only what gives the same answers: a lap on each, before anything is timed."""
    answers = perform(simulated)
    if perform(plain) != answers:
        raise AssertionError("bench: the dict model and the simulated kernel answer differently")
    if host and (odd := _difference(perform(host), answers)):
        host, why = None, f"not compared: {odd}"
    count = len(simulated)
    laps, many = effort.times(20), effort.times(400)
    cases = {
        "simulated": Case(lambda: perform(simulated, laps), laps * count),
        "plain": Case(lambda: perform(plain, many), many * count),
    }
    if host:
        cases["host"] = Case(lambda: perform(host, many), many * count)
        cases["enter"] = Case(lambda: perform([(os.getppid, ())] * count, many), many * count)
    found = interleave(cases, effort.rounds)
    ours, dicts, real = found["simulated"], found["plain"], found.get("host", [])
    if host:
        why = shares(real, {"entering the kernel": found["enter"]}, "its work and Python's `os`")
    return [
        Row("simulated os", PER_SECOND, ours, 1.0, "itself", _kinds(simulated, effort)),
        Row("host memfd", PER_SECOND, real, ratio(ours, real) if real else None, "simulated os", why),
        Row("dict of bytes", PER_SECOND, dicts, ratio(ours, dicts), "simulated os", _kinds(plain, effort)),
    ]


def _difference(found: list[Any], wanted: list[Any]) -> str:
    """The first call that was answered differently; "" if none was."""
    for (name, args), one, two in zip(program(PAGE), found, wanted, strict=True):
        if one != two:
            shown = ", ".join(str(arg) for arg in args if isinstance(arg, int))
            return f"here {name}({shown}) gives {str(one)[:20]}, simulated {str(two)[:20]}"
    return ""


def _kinds(calls: Calls, effort: Effort) -> str:
    """The time of each kind of call, slowest first."""
    spent: dict[str, list[float]] = {}
    for _ in range(effort.times(20)):
        for call, args in calls:
            start = perf_counter()
            call(*args)
            spent.setdefault(call.__name__, []).append(perf_counter() - start)
    each = sorted(((median(times), name) for name, times in spent.items()), reverse=True)
    return ", ".join(f"{name} {number(seconds * 1e6)} µs" for seconds, name in each)
