"""Recordings, and what is compared of them."""

import khosim
from tests.kernel.rig import crossed, opened
from tests.user.programs import play


def recorded(ops, **shape):
    m = khosim.boot(**shape)
    with m.record("a program") as trace:
        play(m, ops)
    return trace


def story():
    """The first program of the book."""
    m = khosim.boot()
    with m.record("story") as trace:
        fd = opened(m)
        m.os.pwrite(fd, b"hello, next kernel", 0)
        m, fd = crossed(m)
        assert m.os.pread(fd, 18, 0) == b"hello, next kernel"
    return trace


def states(history):
    return [(moment.sentence, moment.task, moment.snapshot.digest) for moment in history]
