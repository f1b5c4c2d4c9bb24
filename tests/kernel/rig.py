"""A machine with one KHO file, and short ways to make it and to look at it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import khosim
from khosim.run.scheduler import Choice, Run
from khosim.state import page_cache
from khosim.state.bitmap import test_bit as bit
from khosim.state.blocks import load_block
from khosim.state.mem_map import PG_NAMES
from khosim.steps import Wait

__all__ = ["PAGE", "bit", "block", "crossed", "drive", "fails", "flags", "ino_of", "interleave", "kho_of", "opened",
           "page", "slot", "started", "steps", "unlucky"]  # fmt: skip

PAGE = 64


def opened(m, name="guest"):
    """A KHO file: a new one, or the one that came across."""
    return m.os.memfd_create(name, khosim.MFD_KHO)


def started(**shape):
    """A machine, and an empty KHO file on it."""
    m = khosim.boot(**shape)
    return m, opened(m)


def crossed(m):
    """The next kernel, and the file on it."""
    m = m.kexec()
    return m, opened(m)


def page(letter):
    """One page of one letter."""
    return letter.encode() * PAGE


def ino_of(m, fd):
    return m.file.ino[fd - 3]


def kho_of(m, fd):
    """Physical address of the file's KHO inode."""
    return m.inode.kho[ino_of(m, fd)]


def slot(m, fd, index):
    """What the page cache has at `index`: a frame, a swap entry, or page_cache.EMPTY."""
    return page_cache.load(m, ino_of(m, fd), index)


def block(m, fd, index):
    """The frame that the block list names at `index`, 0 for none."""
    return load_block(m, kho_of(m, fd), index) // PAGE


def flags(m, pfn):
    """The page flags of a frame, by name."""
    return {name for flag, name in PG_NAMES.items() if m.page.flags[pfn] & flag}


def drive(m, path):
    """Run one kernel path to its end; what it returns."""
    return Run(m._session, {"cpu0": path}).finish()["cpu0"]


def fails(code):
    """Expect an `OSError` with this errno."""
    return pytest.raises(OSError, match=rf"\[Errno {code}\]")


def unlucky(m, question, code, nth=1):
    """Answer the `nth` such question ("alloc", "add") with an error, all others with no interference."""
    left = [nth]

    def luck(asked):
        left[0] -= asked.name == question
        if asked.name == question and not left[0]:
            return -code
        return asked.options[0]

    m._session.luck = luck


@contextmanager
def steps(m) -> Iterator[list[tuple[str, dict[str, int]]]]:
    """The steps taken inside the `with`: name, and numbers."""
    seen = []
    m._session.watch = lambda _run, _task, step: seen.append((step.name, step.args))
    try:
        yield seen
    finally:
        m._session.watch = None


def interleave(m, tasks, *turns):
    """Run tasks of calls side by side: each turn is a task, how many choices it takes, and the step it stops after.

    The choices are explicit, the step says what they mean ("" where the task stops to wait). Afterwards the tasks
    finish in order.
    """
    seen, before = [], m._session.watch

    def watch(run, task, step):
        seen.append((task, step.name))
        if before:
            before(run, task, step)

    def choices():
        for task, count, name in turns:
            yield from [Choice(task)] * count
            assert seen[-1] == (task, name) if name else isinstance(m._session._run.tasks[task].parked, Wait)

    m._session.watch = watch
    try:
        return m._session.together(tasks, choices())
    finally:
        m._session.watch = before
