"""The whole book, built once for all tests that look at it."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Built(NamedTuple):
    """What a build left: the pages' folder, and all that it said."""

    html: Path
    said: str


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """Build the book as `make book` does, but into a folder of the tests. A chapter that was run is not run again."""
    out = tmp_path_factory.mktemp("book")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going",
         "--doctree-dir", out / "doctrees", ROOT / "book", out / "html"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Built(out / "html", done.stdout + done.stderr)
