"""The command: what it prints, and its exit status."""

import argparse
import json
import sys

import pytest

from khosim.compare import cli, compare
from tests.compare.naive import File, Naive

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compare needs Linux underneath")

PROGRAM = """
def program(os, mmap):
    fd = os.memfd_create("file")
    os.pwrite(fd, b"hello", 0)
    os.ftruncate(fd, 1)
    os.ftruncate(fd, 5)
    os.pread(fd, 5, 0)
"""


def truncate(file, size):
    file.size = size


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(cli, "compare", lambda *args, **kwargs: compare(*args, **kwargs, boot=Naive))
    parser = argparse.ArgumentParser("khosim")
    cli.add_parser(parser.add_subparsers(required=True))
    return lambda *words: cli.main(parser.parse_args(["compare", *map(str, words)]))


def test_no_difference_is_status_0(run, capsys):
    assert run("--random", 500, "--seed", 3) == 0
    assert (
        capsys.readouterr().out == "500 calls on this machine's kernel and the simulated one: no difference\n"
    )


def test_a_difference_is_status_1_and_a_program(run, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(File, "truncate", truncate)
    assert run("--random", 5000) == 1
    path = tmp_path / "found.py"
    path.write_text(capsys.readouterr().out)
    assert run(path) == 1
    monkeypatch.undo()


def test_json_tells_the_same(run, capsys, monkeypatch, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    assert run(path, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "calls": 5, "notes": [], "difference": None}
    monkeypatch.setattr(File, "truncate", truncate)
    assert run(path, "--json") == 1
    found = json.loads(capsys.readouterr().out)["difference"]
    assert found["call"] == "os.pread(fd1, 1, 0)"
    assert (found["real"], found["simulated"]) == (r"b'\x00'", "b'A'")
    compile(found["program"], "program", "exec")


def test_unusable_input_is_status_2_with_words_on_stderr(run, capsys, tmp_path):
    path = tmp_path / "empty.py"
    path.write_text("")
    assert run(path) == 2
    assert run(path, "--random", 5) == 2
    assert run("--random", 0) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "khosim compare: " in captured.err
    assert "not both" in captured.err


def test_help_teaches_by_example(run, capsys):
    with pytest.raises(SystemExit) as stop:
        run("--help")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "def program(os, mmap):" in text
    assert "exit status: 0 no difference" in text
    example = text[text.index("def program") : text.index("  $ khosim compare hole.py")]
    compile("\n".join(line[2:] for line in ("  " + example).splitlines()), "example", "exec")
