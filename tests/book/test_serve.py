from threading import Thread
from urllib.request import urlopen

import pytest

from tools.serve import server


@pytest.fixture
def served(tmp_path):
    (tmp_path / "index.html").write_text("<p>here")
    with server(tmp_path) as book:
        thread = Thread(target=book.serve_forever)
        thread.start()
        yield book
        book.shutdown()
        thread.join()


def test_serves_the_folder_on_this_machine_only(served):
    assert served.server_address[0] == "127.0.0.1"
    with urlopen(f"http://127.0.0.1:{served.server_port}/") as page:
        assert page.read() == b"<p>here"
        assert page.headers["Cache-Control"] == "no-cache"
