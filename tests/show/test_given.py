"""Whoever hands a view the wrong thing is told what to hand it instead."""

import re

import pytest

import khosim
from khosim import UsageError, show
from khosim.show import plot


@pytest.fixture(scope="module")
def trace():
    machine = khosim.boot(frames=64, page_size=64)
    with machine.record("one write") as trace:
        machine.os.pwrite(machine.os.memfd_create("guest"), b"x", 0)
    return trace


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (lambda m, _: show.stepper(m), "stepper shows a recording, `with m.record() as trace: ...`, not a Machine"),
        (lambda m, _: show.document(m), "document shows a recording"),
        (lambda m, _: show.state_table(m), "state_table shows one moment, `trace.seek(t)` or `m.snapshot()`"),
        (lambda _, trace: show.state_table(trace), "not a History"),
        (lambda _, trace: show.state_table(trace[1]), "not a Moment"),
        (lambda m, _: plot.plate(m, plot.bitmap), "not a Machine"),
        (lambda m, _: plot.plate(m, plot.timeline), "timeline shows a recording"),
        (lambda _, trace: plot.plate(trace), "plate draws by functions, such as plate(trace, plot.memory"),
        (lambda _, trace: plot.plate(trace, "bitmap"), "plate draws by functions"),
        (lambda _, trace: plot.plate(trace, plot.bitmap, width="wide"), "width is a number of pixels, not 'wide'"),
    ],
)  # fmt: skip
def test_a_slip_is_told_in_words(trace, asked, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        asked(khosim.boot(frames=64, page_size=64), trace)


def test_a_moment_outside_is_told_by_those_there_are(trace):
    with pytest.raises(IndexError, match=f"the recording has moments 0 to {trace.steps}, not 1000"):
        trace[1000]
