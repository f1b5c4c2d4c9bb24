"""`m.os` is `os`: signatures, results and errors, against a model of a file, and a KHO file against an ordinary one."""

import errno
import inspect
import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import khosim
from khosim import BusError, UsageError
from tests.user.model import FileModel

S, PAGES, LIMIT = 64, 6, 16
PLACE = st.one_of(st.integers(0, PAGES).map(lambda page: page * S), st.integers(0, PAGES * S))
LENGTH = st.one_of(st.sampled_from([S, 2 * S]), st.integers(0, 3 * S))


def outcome(call, *args):
    """A result, or a negative errno, or the byte of a SIGBUS."""
    try:
        return call(*args)
    except OSError as error:
        return -error.errno
    except BusError as error:
        return error.address


class Files(RuleBasedStateMachine):
    """One program on an ordinary file, on a KHO file, and on the model: no kexec, and no fallocated page is read."""

    @initialize(around=st.sampled_from([1, 4]), batch=st.sampled_from([1, 3]))
    def boot(self, around, batch):
        self.m = khosim.boot(file_pages=LIMIT, nblocks=LIMIT, fault_around=around, lru_batch=batch)
        self.fds = [self.m.os.memfd_create("plain"), self.m.os.memfd_create("kho", khosim.MFD_KHO)]
        self.maps = [self.m.mmap(fd, (PAGES + 2) * S) for fd in self.fds]
        self.model = FileModel(LIMIT)

    def agree(self, name, *args, expected):
        for fd in self.fds:
            assert outcome(getattr(self.m.os, name), fd, *args) == expected, (fd, name, args)

    @rule(n=LENGTH, place=PLACE)
    def pread(self, n, place):
        if self.model.unread(place, place + max(n, 1)):
            return  # B01; who reads nothing looks its page up too
        self.agree("pread", n, place, expected=self.model.pread(n, place))
        self.agree("splice", n, place, expected=self.model.pread(n, place))

    @rule(n=LENGTH)
    def read(self, n):
        if self.model.unread(self.model.pos, self.model.pos + max(n, 1)):
            return  # B01
        self.agree("read", n, expected=self.model.read(n))

    @rule(n=LENGTH, place=st.one_of(PLACE, st.integers((LIMIT - 1) * S, (LIMIT + 1) * S)), byte=st.integers(1, 255))
    def pwrite(self, n, place, byte):
        data = bytes((byte + i) % 256 for i in range(n))
        self.agree("pwrite", data, place, expected=self.model.pwrite(data, place))

    @rule(data=st.binary(max_size=S + 5))
    def write(self, data):
        self.agree("write", data, expected=self.model.write(data))

    @rule(offset=st.one_of(PLACE, st.integers(-S, -1)), how=st.sampled_from([0, 1, 2, 3, 4]))
    def lseek(self, offset, how):
        expected = -errno.ENXIO if how in (3, 4) and offset < 0 else self.model.lseek(offset, how)
        self.agree("lseek", offset, how, expected=expected)

    @rule(length=st.one_of(PLACE, st.integers(LIMIT * S, (LIMIT + 1) * S)))
    def ftruncate(self, length):
        self.agree("ftruncate", length, expected=self.model.ftruncate(length) or None)

    @rule(mode=st.sampled_from([0, 1, 3]), place=PLACE, n=LENGTH.filter(bool))
    def fallocate(self, mode, place, n):
        self.agree("fallocate", mode, place, n, expected=self.model.fallocate(mode, place, n) or None)

    @rule(place=PLACE, n=LENGTH.filter(bool))
    def load(self, place, n):
        end = min(place + n, len(self.maps[0]))
        expected = self.model.touch(place, end)
        for mapping in self.maps:
            assert outcome(mapping.__getitem__, slice(place, end)) == expected
        if not isinstance(expected, bytes):
            assert expected == -(-self.model.size // S) * S or expected == place

    @rule(place=PLACE, n=LENGTH.filter(bool), byte=st.integers(1, 255))
    def store(self, place, n, byte):
        end = min(place + n, len(self.maps[0]))
        data = bytes([byte]) * (end - place)
        expected = self.model.touch(place, end, data)
        for mapping in self.maps:
            assert outcome(mapping.__setitem__, slice(place, end), data) in (None, expected)

    @rule(first=st.integers(0, PAGES - 1), advice=st.sampled_from([khosim.MADV_DONTNEED, khosim.MADV_REMOVE]))
    def madvise(self, first, advice):
        if advice == khosim.MADV_REMOVE:
            self.model.fallocate(3, first * S, 2 * S)
        for mapping in self.maps:
            mapping.madvise(advice, first * S, 2 * S)

    @rule(index=st.integers(0, PAGES - 1))
    def shake(self, index):
        """The world around a file changes nothing in it; a KHO file's blocks would not hear of it (B10 to B14)."""
        self.m.drain()
        outcome(self.m.migrate, self.fds[0], index)

    @invariant()
    def size_and_blocks_agree(self):
        for fd in self.fds:
            stat = self.m.os.fstat(fd)
            assert (stat.st_size, stat.st_blksize) == (self.model.size, S)
            assert stat.st_blocks == len(self.model.pages) * S // 512

    @invariant()
    def bytes_and_holes_agree(self):
        pos = self.model.pos
        for place in range(0, self.model.size, S):
            for how in (3, 4):
                self.agree("lseek", place, how, expected=self.model.lseek(place, how))
            if not self.model.unread(place, place + S):
                self.agree("pread", S, place, expected=self.model.pread(S, place))
        self.agree("lseek", pos, 0, expected=self.model.lseek(pos, 0))

    @invariant()
    def nobody_complains(self):
        assert {*self.m.complaints} <= {"Do not know how to handle partial folios yet"}


Files.TestCase.settings = settings(derandomize=True, max_examples=150, stateful_step_count=30, deadline=None)
TestFiles = Files.TestCase


def test_the_signatures_are_those_of_os():
    """Name for name and in order, where Python's own `os` has the call."""
    real = {name: getattr(os, name) for name in dir(os)}
    m = khosim.boot()
    names = [name for name, value in vars(type(m.os)).items() if inspect.isfunction(value) and name[0] != "_"]
    for name in sorted({*names} - {"fallocate", "splice"}):
        ours = list(inspect.signature(getattr(m.os, name)).parameters)
        try:
            theirs = list(inspect.signature(real[name]).parameters)
        except (KeyError, ValueError):  # memfd_create is Linux's, and some builtins tell no signature
            continue
        theirs = [{"position": "pos", "whence": "how", "buffer": "data"}.get(word, word) for word in theirs]
        assert [word.replace("length", "n") for word in ours] == [word.replace("length", "n") for word in theirs], name
    assert " ".join(sorted(names)) == (
        "close fallocate fstat ftruncate lseek memfd_create posix_fallocate pread pwrite read splice write"
    )
    assert [m.os.SEEK_SET, m.os.SEEK_CUR, m.os.SEEK_END, m.os.SEEK_DATA, m.os.SEEK_HOLE] == [0, 1, 2, 3, 4]


KHO = khosim.MFD_KHO
BAD = 99
REFUSED = [
    ("EBADF", "pread", (BAD, 1, 0)),
    ("EBADF", "read", (BAD, 1)),
    ("EBADF", "splice", (BAD, 1, 0)),
    ("EBADF", "pwrite", (BAD, b"x", 0)),
    ("EBADF", "write", (BAD, b"x")),
    ("EBADF", "lseek", (BAD, 0, 0)),
    ("EBADF", "ftruncate", (BAD, 0)),
    ("EBADF", "fstat", (BAD,)),
    ("EBADF", "close", (BAD,)),
    ("EBADF", "close", (-1,)),
    ("EBADF", "posix_fallocate", (0, 0, 1)),
    ("EINVAL", "pread", (3, -1, 0)),
    ("EINVAL", "pread", (3, 1, -1)),
    ("EINVAL", "pread", (3, 1, 1 << 63)),
    ("EINVAL", "read", (3, -5)),
    ("EINVAL", "pwrite", (3, b"x", -1)),
    ("EINVAL", "pwrite", (3, b"x", (1 << 63) - 1)),
    ("EFBIG", "pwrite", (3, b"x", 64 * 64)),
    ("EINVAL", "lseek", (3, 0, 5)),
    ("EINVAL", "lseek", (3, -1, 0)),
    ("ENXIO", "lseek", (3, 100, 3)),
    ("ENXIO", "lseek", (3, 100, 4)),
    ("ENXIO", "lseek", (3, -1, 3)),
    ("EINVAL", "ftruncate", (3, -1)),
    ("EFBIG", "ftruncate", (3, 64 * 64 + 1)),
    ("EINVAL", "posix_fallocate", (3, 0, 0)),
    ("EINVAL", "posix_fallocate", (3, -1, 5)),
    ("EFBIG", "posix_fallocate", (3, 0, 64 * 64 + 1)),
    ("EOPNOTSUPP", "fallocate", (3, 2, 0, 1)),
    ("EOPNOTSUPP", "fallocate", (3, 0x10, 0, 1)),
    ("EOPNOTSUPP", "fallocate", (3, -1, 0, 1)),
    ("EINVAL", "memfd_create", ("x", 1 << 20)),
    ("EINVAL", "memfd_create", ("x" * 32,)),
    ("EINVAL", "memfd_create", ("", KHO)),
    ("EINVAL", "memfd_create", ("ä", KHO)),
    ("EEXIST", "memfd_create", ("guest", KHO)),
    ("EFBIG", "pwrite", (4, b"x", 16 * 64)),
]


@pytest.fixture
def m():
    """An ordinary file of 100 bytes at descriptor 3, a KHO file at 4."""
    machine = khosim.boot()
    machine.os.pwrite(machine.os.memfd_create("plain"), b"p" * 100, 0)
    machine.os.pwrite(machine.os.memfd_create("guest", KHO), b"k" * 100, 0)
    return machine


@pytest.mark.parametrize(("error", "name", "args"), REFUSED, ids=lambda value: str(value)[:30])
def test_what_linux_refuses_is_an_os_error_with_its_errno(m, error, name, args):
    """And the machine is what it was."""
    before = m.snapshot()
    with pytest.raises(OSError, match=r"\[Errno \d+\] \w+") as caught:
        getattr(m.os, name)(*args)
    assert errno.errorcode[caught.value.errno] == {"EOPNOTSUPP": "ENOTSUP"}.get(error, error)
    assert caught.value.strerror == os.strerror(caught.value.errno)
    if (name, args[0]) != ("pwrite", 4):  # a lookup that fails inside the file system has counted pages again
        assert m.snapshot() == before


SLIPS = [
    (TypeError, "a file's name is a str, not bytes", "memfd_create", (b"x",)),
    (UsageError, "no null and no surrogate", "memfd_create", ("a\0b",)),
    (UsageError, "no null and no surrogate", "memfd_create", ("\ud800",)),
    (TypeError, r"pwrite takes bytes, not str; write b'...'", "pwrite", (3, "x", 0)),
    (TypeError, r"write takes bytes, not int", "write", (3, 5)),
    (TypeError, "'float' object cannot be interpreted as an integer", "pread", (3, 1.5, 0)),
    (TypeError, "'float' object", "pread", (3.0, 1, 0)),
    (TypeError, "'str' object", "ftruncate", (3, "5")),
    (TypeError, "'NoneType' object", "lseek", (3, None, 0)),
    (TypeError, "missing 1 required positional argument", "pread", (3, 1)),
]


@pytest.mark.parametrize(("kind", "words", "name", "args"), SLIPS)
def test_a_slip_of_the_reader_is_no_os_error(m, kind, words, name, args):
    """A wrong type is a TypeError, as from `os`; a name that Python refuses is refused here too. Nothing changes."""
    before = m.snapshot()
    with pytest.raises(kind, match=words):
        getattr(m.os, name)(*args)
    assert m.snapshot() == before


def test_a_memory_view_of_wide_items_is_written_byte_by_byte(m):
    """bytes, bytearray and any memoryview, as with `os`."""
    view = memoryview(b"abcdefgh").cast("I")
    assert m.os.pwrite(3, view, 0) == 8
    assert m.os.pread(3, 8, 0) == b"abcdefgh"
    assert m.os.pwrite(3, bytearray(b"xy"), 0) == 2


def test_descriptors_are_the_lowest_free_number_from_three(m):
    """And there is an end to them, as to inodes."""
    assert m.os.memfd_create("c") == 5
    m.os.close(3)
    assert m.os.memfd_create("d") == 3
    m.os.memfd_create("e")
    with pytest.raises(OSError, match="Too many open files in system"):
        m.os.memfd_create("f")
    few = khosim.boot(files=1)
    few.os.memfd_create("only")
    with pytest.raises(OSError, match=r"Too many open files$"):
        few.os.memfd_create("one more")


def test_a_preserved_file_is_found_by_its_name(m):
    """After a close and after a kexec; while it is open it is EEXIST; an ordinary file of that name is another file."""
    m.os.close(4)
    again = m.os.memfd_create("guest", KHO)
    assert m.os.fstat(again).st_size == 100
    other = m.os.memfd_create("guest")
    assert m.os.fstat(other).st_size == 0
    m = m.kexec()
    found = m.os.pread(m.os.memfd_create("guest", KHO), 200, 0)
    assert found == bytes(100)  # its last user had gone, and the pages with him; the remembered size had not


def test_bytes_cross_a_kexec_and_nothing_else_does(m):
    """The ordinary file, the descriptors and the file position are gone."""
    m.os.lseek(4, 50, 0)
    m = m.kexec()
    with pytest.raises(OSError, match="Bad file descriptor"):
        m.os.read(4, 1)
    fd = m.os.memfd_create("guest", KHO)
    assert m.os.read(fd, 200) == b"k" * 100
    assert m.os.fstat(m.os.memfd_create("plain")).st_size == 0


def test_a_stat_has_the_fields_of_os(m):
    """Those that this machine knows, under their names."""
    assert m.os.fstat(3)._asdict() == {"st_size": 100, "st_blocks": 128 // 512, "st_blksize": 64, "st_ino": 0}


def test_its_repr_names_the_calls(m):
    """On one line, without an address."""
    assert repr(m.os).startswith("Os(close fallocate fstat ")
    assert len(repr(m.os)) <= 120
