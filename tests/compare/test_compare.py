"""Planted bugs are found and shrunk; without one, nothing is found. The oracle is `naive.py`, not khosim."""

import sys

import pytest

from khosim.compare import Call, Failed, Name, compare
from khosim.compare.host import Host
from khosim.errors import UsageError
from tests.compare.naive import PAGE, File, Map, Naive

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compare needs Linux underneath")


@pytest.mark.parametrize("seed", range(3))
def test_the_real_kernel_agrees_with_itself(seed):
    assert compare(random=3000, seed=seed, boot=Host).ok


@pytest.mark.parametrize("seed", range(3))
def test_the_real_kernel_agrees_with_the_manual_pages(seed):
    result = compare(random=5000, seed=seed, boot=Naive)
    assert result.ok, str(result)
    assert result.calls == 5000
    assert repr(result) == "<Comparison: 5000 calls, no difference>"


def truncate_forgets_the_tail(file, size):
    file.drop([index for index in file.pages if size <= file.size and index * PAGE >= size])
    file.size = size


def truncate_to_the_same_size_does_nothing(file, size):
    if size != file.size:
        _truncate(file, size)


def seek_answers_whole_pages(file, start, *, data):
    return _seek(file, start, data=data) // PAGE * PAGE


def allocate_leaves_old_pages_fresh(file, start, stop):
    for index in range(start // PAGE, -(-stop // PAGE)):
        if index not in file.pages:
            file.pages[index] = bytearray(PAGE)
            file.fresh.add(index)


def punch_crashes(_file, _start, _stop):
    raise AssertionError("BUG in punch")


def touch_takes_any_page(mapping, start, stop):
    while start < stop:
        edge = min(stop, start - start % PAGE + PAGE)
        yield start, edge, mapping.file.page(start // PAGE)
        start = edge


_truncate, _seek = File.truncate, File.seek
_BUGS = [
    ((File, "truncate"), truncate_forgets_the_tail),
    ((File, "truncate"), truncate_to_the_same_size_does_nothing),
    ((File, "seek"), seek_answers_whole_pages),
    ((File, "allocate"), allocate_leaves_old_pages_fresh),
    ((File, "punch"), punch_crashes),
    ((Map, "touch"), touch_takes_any_page),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("place", "bug"), _BUGS)
def test_a_planted_bug_is_found_and_shrunk(monkeypatch, place, bug, seed):
    monkeypatch.setattr(*place, bug)
    found = compare(random=20_000, seed=seed, boot=Naive)
    assert not found.ok
    assert len(found.difference.calls) <= 7
    assert repr(found) == repr(compare(random=20_000, seed=seed, boot=Naive))


def test_the_shrunk_program_shows_the_difference_again(monkeypatch, tmp_path):
    monkeypatch.setattr(File, "truncate", truncate_forgets_the_tail)
    found = compare(random=20_000, boot=Naive)
    path = tmp_path / "found.py"
    path.write_text(str(found))
    again = compare(path, boot=Naive)
    assert again.difference.calls == found.difference.calls
    assert again.difference.origin == str(path)
    monkeypatch.undo()
    assert compare(path, boot=Naive).ok


def test_calls_that_fail_on_the_way_do_not_end_the_printed_program(monkeypatch, tmp_path):
    def pread(naive, fd, n, offset):
        failed = naive.__dict__.setdefault("failed", 0)
        return b"!" if failed else _pread(naive, fd, n, offset)

    def fail(naive, *_):
        naive.failed = 1
        raise OSError(22, "Invalid argument")

    _pread = Naive.pread
    monkeypatch.setattr(Naive, "pread", pread)
    monkeypatch.setattr(Naive, "posix_fallocate", fail)
    fd = Name("fd1")
    calls = [
        Call("memfd_create", ("file",), fd),
        Call("posix_fallocate", (fd, 0, -1)),
        Call("pread", (fd, 1, 0)),
    ]
    found = compare(calls, boot=Naive)
    assert found.difference.outcomes[1] == Failed("EINVAL")
    assert "with contextlib.suppress(OSError):\n        os.posix_fallocate(fd1, 0, 0)\n" in str(found)
    path = tmp_path / "found.py"
    path.write_text(str(found))
    assert len(compare(path, boot=Naive).difference.calls) == 3


def test_what_the_simulated_side_raises_is_its_answer(monkeypatch):
    monkeypatch.setattr(File, "punch", punch_crashes)
    found = compare(random=20_000, boot=Naive)
    assert found.difference.simulated == Failed("AssertionError")
    assert "simulated AssertionError (BUG in punch)" in repr(found)


def test_one_seed_gives_one_program_and_progress_is_told():
    told = []
    compare(random=1000, seed=5, boot=Naive, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (1000, 1000)


def test_a_program_and_random_calls_exclude_each_other():
    with pytest.raises(UsageError, match="not both"):
        compare([], random=5)
    with pytest.raises(UsageError, match="at least 1 call, not 0"):
        compare(random=0)
