"""The chapter that asks the reader's own kernel, where that kernel has nothing to say."""

import contextlib
import io
import sys
from pathlib import Path

import jupytext
import pytest

from khosim.compare import host

FOLDER = Path(__file__).parents[1] / "notebooks"
CHAPTER = jupytext.read(FOLDER / "02-a-file-is-a-page-cache.md")


def said(monkeypatch):
    """What the cells print, one after the other, in one room."""
    monkeypatch.chdir(FOLDER)
    room, out = {"__name__": "__main__"}, io.StringIO()
    with contextlib.redirect_stdout(out):
        for cell in (cell for cell in CHAPTER.cells if cell.cell_type == "code"):
            exec(cell.source, room)  # noqa: S102 - as Jupyter does
    return out.getvalue()


def test_where_there_is_no_linux_the_chapter_says_so_and_goes_on(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    words = said(monkeypatch)
    assert words.count("compare needs Linux underneath") == 3
    assert "calls that both kernels were asked: none" in words


@pytest.mark.skipif(sys.platform != "linux", reason="it is about two Linux machines")
def test_where_memfds_get_huge_pages_the_chapter_says_the_same(monkeypatch, tmp_path):
    stored = said(monkeypatch)
    setting = tmp_path / "shmem_enabled"
    setting.write_text("[always] within_size advise never deny force\n")
    monkeypatch.setattr(host, "_SHMEM_ENABLED", setting)
    assert host.huge_policy() == "always"
    assert said(monkeypatch) == stored
