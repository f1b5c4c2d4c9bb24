"""A comparison in words."""

from khosim.compare import Call, Comparison, Difference, Failed, Name
from khosim.compare.report import told_apart

FD, MAP = Name("fd1"), Name("map1")


def difference(*pairs, simulated):
    calls, outcomes = zip(*pairs, strict=True)
    return Difference(calls, outcomes, simulated, 40, "random program 3 of seed 0")


def test_no_difference_is_one_line():
    result = Comparison(100, notes=("a note",))
    assert result.ok
    assert repr(result) == "<Comparison: 100 calls, no difference>"
    assert str(result).splitlines() == [
        "# a note",
        "100 calls on this machine's kernel and the simulated one: no difference",
    ]


def test_a_difference_is_a_file():
    found = difference(
        (Call("memfd_create", ("file",), FD), "a descriptor"),
        (Call("mmap", (FD, 1), MAP), "a mapping"),
        (Call("load", (MAP, 0)), Failed("BusError")),
        (Call("load", (MAP, 5)), Failed("IndexError")),
        (Call("close", (FD,)), Failed("EIO")),
        (Call("fstat", (FD,)), Failed("EBADF")),
        simulated=None,
    )
    result = Comparison(40, found)
    assert not result.ok
    assert repr(result) == "<Comparison: os.fstat(fd1) gives EBADF, simulated None>"
    assert (
        str(result)
        == """\
# A real kernel and the simulated one differ in the last of these 6 calls.
# Found by khosim compare in random program 3 of seed 0, shrunk from 40 calls.
#     real kernel: EBADF
#     simulated:   None

import contextlib

import khosim


def program(os, mmap):
    fd1 = os.memfd_create('file')
    map1 = mmap(fd1, 1)
    with contextlib.suppress(khosim.BusError):
        map1[0]
    with contextlib.suppress(IndexError):
        map1[5]
    with contextlib.suppress(OSError):
        os.close(fd1)
    os.fstat(fd1)
"""
    )


def test_long_bytes_are_shown_where_they_part():
    real, simulated = told_apart(b"a" * 5000, b"a" * 4000 + b"b" * 1000)
    assert real == "5000 bytes, from byte 3984: " + repr(b"a" * 24)
    assert simulated == "5000 bytes, from byte 3984: " + repr(b"a" * 16 + b"b" * 8)
    assert told_apart(b"ab", b"a") == ("b'ab'", "b'a'")
