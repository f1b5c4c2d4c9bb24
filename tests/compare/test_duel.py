"""Two kernels side by side."""

import sys

import pytest

from khosim.compare import Call, Name, Stat
from khosim.compare.duel import Duel
from khosim.errors import UsageError
from tests.compare.naive import PAGE, Map, Naive

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compare needs Linux underneath")


def test_huge_pages_are_excused_and_named(monkeypatch):
    def fstat(naive, fd):
        return Stat(naive.file(fd).size, 4096)

    monkeypatch.setattr(Naive, "fstat", fstat)
    monkeypatch.setattr(Map, "mincore", lambda mapping: b"\1" * -(-mapping.length // PAGE))
    fd, mapping = Name("fd1"), Name("map1")
    calls = [
        Call("memfd_create", ("file",), fd),
        Call("ftruncate", (fd, 1)),
        Call("fstat", (fd,)),
        Call("mmap", (fd, 1), mapping),
        Call("mincore", (mapping,)),
    ]
    assert Duel(Naive, None).play(calls).calls == tuple(calls[:3])
    duel = Duel(Naive, "always")
    assert duel.play(calls) is None
    assert "shmem_enabled is 'always'" in duel.notes[0]


def test_a_duel_ends_at_the_first_difference(monkeypatch):
    monkeypatch.setattr(Naive, "fstat", lambda _naive, _fd: Stat(77, 0))
    fd = Name("fd1")
    calls = [Call("memfd_create", ("file",), fd), *[Call("fstat", (fd,)), Call("close", (fd,))] * 3]
    found = Duel(Naive, None).play(calls, "here")
    assert found.calls == tuple(calls[:2])
    assert (found.real, found.simulated) == (Stat(0, 0), Stat(77, 0))
    assert (found.found, found.origin) == (2, "here")


def test_a_difference_that_does_not_come_back_is_left_as_it_was(monkeypatch):
    answers = iter((Stat(77, 0),))
    monkeypatch.setattr(Naive, "fstat", lambda _naive, _fd: next(answers, Stat(0, 0)))
    fd = Name("fd1")
    duel = Duel(Naive, None)
    found = duel.play([Call("memfd_create", ("file",), fd), Call("close", (99,)), Call("fstat", (fd,))])
    assert duel.shrunk(found) is found


def test_an_answer_of_another_type_is_a_difference(monkeypatch):
    monkeypatch.setattr(Naive, "write", lambda _naive, _fd, data: float(len(data)))
    fd = Name("fd1")
    found = Duel(Naive, None).play([Call("memfd_create", ("file",), fd), Call("write", (fd, b"abc"))])
    assert (found.real, found.simulated) == (3, 3.0)


def test_what_khosim_does_not_model_is_no_difference(monkeypatch):
    def refuse(*_):
        raise UsageError("advice 3 is not modelled")

    monkeypatch.setattr(Map, "madvise", refuse)
    fd, mapping = Name("fd1"), Name("map1")
    calls = [Call("memfd_create", ("file",), fd), Call("mmap", (fd, 1), mapping)]
    with pytest.raises(UsageError, match=r"map1.madvise\(3, 0, 1\) cannot be compared: .*not modelled"):
        Duel(Naive, None).play([*calls, Call("madvise", (mapping, 3, 0, 1))])
    # Out of bounds is a ValueError of Python's mmap: the reader's slip on both sides.
    assert Duel(Naive, None).play([*calls, Call("madvise", (mapping, 3, 77, 1))]) is None
