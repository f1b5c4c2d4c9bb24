"""Calls and outcomes as text: what is printed can be pasted."""

import pytest

from khosim.compare.calls import Call, Failed, Name, Stat, described, written

FD, MAP = Name("fd1"), Name("map1")


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (Call("memfd_create", ("file",), FD), "fd1 = os.memfd_create('file')"),
        (Call("lseek", (FD, 0, 3)), "os.lseek(fd1, 0, os.SEEK_DATA)"),
        (Call("lseek", (FD, 0, 9)), "os.lseek(fd1, 0, 9)"),
        (Call("lseek", (FD, 0, -1)), "os.lseek(fd1, 0, -1)"),
        (
            Call("fallocate", (FD, 3, 0, 1)),
            "os.fallocate(fd1, khosim.FALLOC_FL_PUNCH_HOLE | khosim.FALLOC_FL_KEEP_SIZE, 0, 1)",
        ),
        (Call("fallocate", (FD, 16, 0, 1)), "os.fallocate(fd1, 16, 0, 1)"),
        (Call("close", (77,)), "os.close(77)"),
        (Call("mmap", (FD, 10), MAP), "map1 = mmap(fd1, 10)"),
        (Call("load", (MAP, 3)), "map1[3]"),
        (Call("load", (MAP, None, 5)), "map1[:5]"),
        (Call("load", (MAP, 1, 9, 2)), "map1[1:9:2]"),
        (Call("store", (MAP, b"ab", 0, 2)), "map1[0:2] = b'ab'"),
        (Call("store", (MAP, 7, -1)), "map1[-1] = 7"),
        (Call("length", (MAP,)), "len(map1)"),
        (Call("madvise", (MAP, 9, 0, 1)), "map1.madvise(9, 0, 1)"),
        (Call("mincore", (MAP,)), "map1.mincore()"),
        (Call("unmap", (MAP,)), "map1.close()"),
    ],
)
def test_a_call_is_a_line_of_python(call, line):
    assert str(call) == line
    compile(line, "line", "exec")


@pytest.mark.parametrize("data", [b"", b"abc", b"A" * 5000, b"xyz" * 100 + b"x", bytes(range(200))])
def test_bytes_are_written_so_that_they_read_back(data):
    assert eval(written(data)) == data  # noqa: S307 - our own text
    assert len(written(b"xyz" * 10_000)) < 30


def test_outcomes_are_described_in_few_words():
    assert described(Failed("EINVAL")) == "EINVAL"
    assert described(Failed("KernelPanic", "BUG at\nmm/shmem.c")) == "KernelPanic (BUG at mm/shmem.c)"
    assert described(Stat(1, 8)) == "st_size=1 st_blocks=8"
    assert described(None) == "None"
    assert described(b"\0" * 5000 + b"!", 5000) == "5001 bytes, from byte 4992: " + repr(b"\0" * 8 + b"!")


def test_failures_of_one_kind_are_equal_whatever_they_say():
    assert Failed("IndexError", "one") == Failed("IndexError", "other")
