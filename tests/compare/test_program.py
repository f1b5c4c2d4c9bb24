"""A reader's program: what it may say, and what it is told when it is wrong."""

import sys

import pytest

from khosim.compare import compare
from khosim.compare.calls import Failed
from khosim.compare.host import Host
from khosim.compare.program import Recorder
from khosim.errors import UsageError
from tests.compare.naive import PAGE, File, Naive

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compare needs Linux underneath")


def whole(os, mmap):
    fd = os.memfd_create("file")
    assert fd == 3
    os.ftruncate(fd, 2 * PAGE)
    page = mmap.mmap(fd, 2 * PAGE)
    page[PAGE] = 7
    page[0:2] = b"hi"
    assert (page[PAGE], page[:2], page[1:], len(page)) == (7, b"hi", page[1:], 2 * PAGE)
    page.madvise(mmap.MADV_REMOVE, 0, PAGE)
    assert page.mincore() == b"\0\1"
    assert os.lseek(fd, 0, os.SEEK_DATA) == PAGE
    assert os.fstat(fd).st_blocks == PAGE // 512
    assert os.write(fd, b"x") == os.pwrite(fd, bytearray(b"y"), 0) == 1
    os.lseek(fd, 0)
    assert os.read(fd, 1) + os.pread(fd, 1, 1) == b"y\0"
    os.posix_fallocate(fd, 0, 1)
    os.fallocate(fd, 3, 0, 1)
    page.close()
    os.close(fd)
    assert os.memfd_create("again", 0) == 3
    assert os.memfd_create("other", flags=2) == 4


def test_a_program_runs_on_both_kernels():
    result = compare(whole, boot=Naive)
    assert result.ok, str(result)
    assert result.calls == 25


def run(program):
    with Host() as host:
        recorder = Recorder(host)
        recorder.run(program)
    return recorder


def test_a_call_that_fails_ends_the_program_and_is_an_outcome():
    def program(os, _mmap):
        os.ftruncate(77, 0)
        raise AssertionError("not reached")

    recorder = run(program)
    assert recorder.ended is None
    assert [str(call) for call in recorder.calls] == ["os.ftruncate(77, 0)"]
    assert recorder.outcomes == [Failed("EBADF")]
    assert compare(program, boot=Naive).ok


def test_a_program_may_catch_what_a_call_raises():
    def program(os, mmap):
        try:
            mmap(9, 1)
        except OSError:
            os.memfd_create("file")

    assert compare(program, boot=Naive).calls == 2


def test_a_difference_in_a_program_is_shrunk(monkeypatch):
    def truncate(file, size):
        file.size = size

    def program(os, mmap):
        other = os.memfd_create("other")
        fd = os.memfd_create("file")
        page = mmap(other, 5)
        os.write(fd, b"some bytes")
        os.write(other, b"more")
        page[0:2] = b"hi"
        os.ftruncate(fd, 3)
        os.ftruncate(fd, 10)
        os.fstat(other)
        os.pread(fd, 10, 0)

    monkeypatch.setattr(File, "truncate", truncate)
    found = compare(program, boot=Naive)
    assert len(found.difference.calls) == 5
    assert found.difference.origin == "program"


_SLIPS = [
    ("x = 1", r"defines no function program\(os, mmap\)"),
    ("program = 3", r"defines no function program\(os, mmap\)"),
    ("def program(os, mmap:", "cannot be imported: SyntaxError"),
    ("import nowhere", "cannot be imported: ModuleNotFoundError"),
    ("def program(os, mmap):\n    os.open('x')", r"fails in line .*no os\.open; it has close, fallocate"),
    ("def program(os, mmap):\n    os.fork()", r"no os\.fork"),
    ("def program(os, mmap):\n    mmap.anon(5)", r"no mmap\.anon"),
    ("def program(os, mmap):\n    nothing()", "fails in line 2: NameError"),
    ("def program(os):\n    pass", "fails.*TypeError.*takes 1 positional argument"),
    ("def program(os, mmap):\n    assert os.memfd_create('x') == 4", "fails in line 2: AssertionError"),
]


@pytest.mark.parametrize(("text", "message"), _SLIPS)
def test_a_slip_is_told_in_words(tmp_path, text, message):
    path = tmp_path / "slip.py"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        compare(path, boot=Naive)


def test_a_missing_file_is_told_in_words(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*: No such file"):
        compare(tmp_path / "none.py", boot=Naive)


def test_a_program_that_is_not_the_same_twice_is_refused():
    runs = []

    def program(os, _mmap):
        runs.append(1)
        os.memfd_create("file" * len(runs))

    with pytest.raises(UsageError, match=r"not the same twice: call 1 is .*'file'.*then .*'filefile'"):
        compare(program, boot=Naive)
