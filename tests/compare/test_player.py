"""One face, played: every answer becomes an outcome."""

import pytest

from khosim.compare.calls import Call, Failed, Name, Stat
from khosim.compare.player import Player
from tests.compare.naive import PAGE, Naive

FD, OTHER, MAP = Name("fd1"), Name("fd2"), Name("map1")


@pytest.fixture
def player():
    player = Player(Naive())
    assert player.play(Call("memfd_create", ("file",), FD)) == "a descriptor"
    return player


def test_answers_are_plain_values(player):
    assert player.play(Call("write", (FD, b"hello"))) == 5
    assert player.play(Call("pread", (FD, 2, 1))) == b"el"
    assert player.play(Call("fstat", (FD,))) == Stat(5, PAGE // 512)
    assert player.play(Call("mmap", (FD, PAGE), MAP)) == "a mapping"
    assert player.play(Call("store", (MAP, b"j", 0, 1))) is None
    assert player.play(Call("load", (MAP, 0))) == ord("j")
    assert player.play(Call("mincore", (MAP,))) == b"\1"
    assert player.play(Call("length", (MAP,))) == PAGE
    assert player.play(Call("unmap", (MAP,))) is None


def test_errors_are_outcomes_too(player):
    assert player.play(Call("fallocate", (FD, 2, 0, 1))) == Failed("EOPNOTSUPP")
    assert player.play(Call("mmap", (FD, PAGE), MAP)) == "a mapping"
    assert player.play(Call("load", (MAP, 0))) == Failed("BusError")
    assert player.play(Call("fstat", (Name("never"),))) == Failed("KeyError")
    assert isinstance(player.raised, KeyError)
    assert player.play(Call("fstat", (3,))) == Failed("EBADF")  # a number was never handed out


def test_a_number_that_comes_back_does_not_reach_the_new_file(player):
    player.play(Call("close", (FD,)))
    player.play(Call("memfd_create", ("file",), OTHER))
    assert player.play(Call("fstat", (FD,))) == Failed("EBADF")
    assert player.play(Call("fstat", (OTHER,))) == Stat(0, 0)
