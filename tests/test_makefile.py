import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TARGETS = re.findall(r"^## make (\w+)", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.fixture
def make(need):
    program = need("make", "make")
    # The make that runs the tests must not pass its own flags on to the one under test.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}

    def run(*words):
        return subprocess.run(
            [program, *words], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        ).stdout

    return run


def test_make_alone_says_what_there_is(make):
    assert make() == make("help")
    assert all(f"make {target} " in make() for target in TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_says_what_it_is_doing(make, target):
    assert 'echo "' in make("--dry-run", target)


def test_arguments_reach_the_program(make):
    assert "--no-browser" in make("--dry-run", "lab", "ARGS=--no-browser")


def test_an_old_python_is_named_with_the_way_out(make, tmp_path):
    # An old Python is played by a script: it refuses the version check and says which one it is.
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1 || exit 1\n')
    old.chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        make("--always-make", "test", f"PYTHON={old}")
    assert "needs Python 3.11 or newer" in stopped.value.stderr
    assert "Python 3.9.1" in stopped.value.stderr


def test_a_linked_environment_is_never_emptied(need, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "kept").touch()
    here = tmp_path / "tree"
    for name in ("Makefile", "pyproject.toml", "uv.lock", "tools/lab-overrides.json"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_bytes((ROOT / name).read_bytes())
    (here / ".venv").symlink_to(shared)
    done = subprocess.run([need("make", "make"), "book"], cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode
    assert ".venv is a link" in done.stderr
    assert [path.name for path in shared.iterdir()] == ["kept"]


def test_a_reader_works_in_copies_that_are_never_overwritten(need, tmp_path):
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    for name in ("pyproject.toml", "uv.lock", "tools/lab-overrides.json", ".venv/ready", ".venv/bin/jupyter",
                 "notebooks/00-start-here.ipynb", "notebooks/01-next.ipynb", "my/01-next.ipynb"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"the book's {name}")
    (tmp_path / "my" / "01-next.ipynb").write_text("a reader's")
    jupyter = tmp_path / ".venv" / "bin" / "jupyter"
    jupyter.write_text('#!/bin/sh\necho "$@"\n')
    jupyter.chmod(0o755)
    (tmp_path / ".venv" / "ready").touch()
    done = subprocess.run([need("make", "make"), "lab"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "--config tools/lab_config.py" in done.stdout
    assert (tmp_path / "my" / "00-start-here.ipynb").read_text() == "the book's notebooks/00-start-here.ipynb"
    assert (tmp_path / "my" / "01-next.ipynb").read_text() == "a reader's"


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda page: page.name)
def test_pages_name_only_targets_that_exist(page):
    named = re.findall(r"(?:^|`|\$ )make (\w+)", page.read_text(), re.MULTILINE)
    assert set(named) <= {*TARGETS, "help"}


def test_ci_script_is_bash(need):
    subprocess.run([need("bash", "bash"), "-n", ROOT / ".ci" / "run"], check=True)
