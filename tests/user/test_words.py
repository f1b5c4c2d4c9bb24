"""A call is told as its program would write it."""

import pytest

import khosim
from khosim.user.words import written


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("memfd_create", ("guest", 0x80), 'memfd_create("guest", MFD_KHO)'),
        ("memfd_create", ("guest", 0), 'memfd_create("guest", 0)'),
        ("memfd_create", ("guest", 0x83), 'memfd_create("guest", MFD_KHO | 0x3)'),
        ("pwrite", (3, 5, b"hello", 60), "pwrite(3, b'hello', 60)"),
        ("pwrite", (3, 256, b"x" * 256, 0), "pwrite(3, 256 bytes, 0)"),
        ("pread", (3, 18, 0), "pread(3, 18, 0)"),
        ("write", (3, b"x" * 17), "write(3, 17 bytes)"),
        ("lseek", (3, 0, 4), "lseek(3, 0, SEEK_HOLE)"),
        ("lseek", (3, 0, 9), "lseek(3, 0, 9)"),
        ("fallocate", (3, 3, 64, 64), "fallocate(3, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 64, 64)"),
        ("fallocate", (3, 0, 0, 64), "fallocate(3, 0, 0, 64)"),
        ("mmap", (3, 192, 0, 1), "mmap(3, 192, MAP_SHARED, 0)"),
        ("access", (0, 0, 5, None), "map[0:5]"),
        ("access", (0, 7, 1, None), "map[7]"),
        ("access", (2, 0, 2, b"hi"), "map2[0:2] = b'hi'"),
        ("madvise", (0, 9, 0, 64), "madvise(map, MADV_REMOVE, 0, 64)"),
        ("uffd_register", (0, 1), 'uffd_register(map, "missing")'),
        ("uffd_copy", (1, 2, b"x" * 64), "uffd_copy(map1, 2, 64 bytes)"),
        ("munmap", (0,), "munmap(map)"),
        ("kexec", (), "kexec()"),
    ],
)
def test_a_call_is_told_as_a_line_of_a_program(name, args, text):
    assert written(name, args) == text


def test_a_recording_tells_its_calls_so():
    m = khosim.boot()
    with m.record("one file") as trace:
        fd = m.os.memfd_create("guest", khosim.MFD_KHO)
        with m.mmap(fd, 64) as mapping, pytest.raises(khosim.BusError):
            mapping[0] = 1
    assert [call.text for call in trace.calls] == [
        'memfd_create("guest", MFD_KHO)', "mmap(3, 64, MAP_SHARED, 0)", "map[0] = b'\\x01'", "munmap(map)",
    ]  # fmt: skip
