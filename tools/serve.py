"""Serve the built book on this machine, and on no other: python tools/serve.py [PORT]. Without a port, a free one."""

import sys
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HTML = Path(__file__).parent.parent / "book" / "_build" / "html"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and keeps no log. A browser asks again each time, as a book that is being written changes."""

    def end_headers(self) -> None:
        """Add what keeps a browser from showing yesterday's page."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of a folder, bound to 127.0.0.1. Raises `OSError` if the port is taken."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=folder))


def main() -> None:
    """Serve until Ctrl-C."""
    if not (HTML / "index.html").exists():
        sys.exit("There is no book yet: run make book")
    with server(HTML, int(sys.argv[1]) if sys.argv[1:] else 0) as book, suppress(KeyboardInterrupt):
        print(f"The book is at http://127.0.0.1:{book.server_port}/ - stop it with Ctrl-C.", flush=True)
        book.serve_forever()


if __name__ == "__main__":
    main()
