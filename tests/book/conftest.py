"""The whole book, built once for all tests that look at it."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.book import leaf as leaves
from tools.serve import server

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


@pytest.fixture(scope="module")
def served(book):
    with server(book.html) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module", params=["http", "file"])
def home(request, book):
    return request.getfixturevalue("served") if request.param == "http" else f"{book.html.as_uri()}/"


@pytest.fixture
def leaf(book):
    """Binds executed notebooks into one more page of the book; returns its address. It is gone after the test."""
    paths = []

    def bound(*books):
        paths.append(leaves.leaf(book.html, *books))
        return paths[0].relative_to(book.html).as_posix()

    yield bound
    for path in paths:
        path.unlink()
