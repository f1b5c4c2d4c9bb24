"""What tests in a browser share: a server for a few files, pages that may ask nobody else, and hands on a stepper."""

import http.server
import re
import threading
from contextlib import contextmanager

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # also what no page can see is asked of nobody
]


@contextmanager
def served(files):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            kind, body = files[self.path]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def opened(browser, address, width=800, selector=".kho", **options):
    """A page of `address`. Any console message fails the test; so does any request elsewhere, and it is refused."""
    context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
    said, refused = [], []

    def refuse(route):
        refused.append(route.request.url)
        route.abort()

    home = address if address.startswith("file:") else "/".join(address.split("/")[:3])
    context.route(re.compile(f"^(?!{re.escape(home)}|data:|blob:)"), refuse)
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("websocket", lambda socket: refused.append(socket.url))
    try:
        page.goto(address)
        page.wait_for_selector(selector)
        yield page
    finally:
        context.close()
    assert (said, refused) == ([], [])


def t(page):
    return int(page.get_attribute(".kho", "data-t"))


def shown(page):
    """The stepper's whole DOM as text; attributes have no order."""
    return page.evaluate("""(function told(node) {
        if (node.nodeType === 3) return node.data;
        const attrs = [...node.attributes].map((a) => `${a.name}=${a.value}`).sort().join(" ");
        return `<${node.nodeName} ${attrs}>${[...node.childNodes].map(told).join("")}</>`;
    })(document.querySelector(".kho"))""")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def focus(page):
    page.focus("svg.tl")
