"""The real kernel's face is safe and observes what it says."""

import errno
import sys
from pathlib import Path

import pytest

from khosim.compare import compare, host
from khosim.compare.host import Host
from khosim.compare.host_map import PAGE_SIZE
from khosim.errors import UsageError

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compare needs Linux underneath")


@pytest.fixture
def real():
    with Host() as face:
        yield face


@pytest.mark.parametrize("fd", [0, 1, 2, 99, -1])
def test_only_descriptors_made_here_reach_the_kernel(real, fd):
    for call in (real.os.close, real.os.fstat, lambda n: real.os.write(n, b"!"), lambda n: real.mmap(n, 1)):
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            call(fd)
        assert caught.value.errno == errno.EBADF


def test_leaving_closes_everything():
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Host() as face:
        for _ in range(3):
            face.mmap(face.os.memfd_create("file"), PAGE_SIZE)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_fallocate_takes_the_modes_that_python_lacks(real):
    fd = real.os.memfd_create("file")
    real.os.fallocate(fd, 1, 0, 3 * PAGE_SIZE)
    assert real.os.fstat(fd) == (0, 3 * PAGE_SIZE // 512)
    with pytest.raises(OSError, match="not supported"):
        real.os.fallocate(fd, 2, 0, 1)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("always within_size advise [never] deny force", None),
        ("always within_size [advise] never deny force", None),
        ("[always] within_size advise never deny force", "always"),
        ("always [within_size] advise never deny force", "within_size"),
    ],
)
def test_huge_pages_are_noticed(tmp_path, monkeypatch, text, policy):
    setting = tmp_path / "shmem_enabled"
    setting.write_text(text + "\n")
    monkeypatch.setattr(host, "_SHMEM_ENABLED", setting)
    assert host.huge_policy() == policy


def test_a_kernel_without_huge_pages_has_no_policy(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "_SHMEM_ENABLED", tmp_path / "none")
    assert host.huge_policy() is None


def test_elsewhere_compare_says_that_it_needs_linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UsageError, match=r"needs Linux .* this is darwin; everything else in khosim works"):
        compare(random=10)
