"""What tests in a browser share: pages that may ask nobody outside, and hands on a stepper."""

import re
from contextlib import contextmanager


@contextmanager
def opened(browser, address, width=800, selector=".kho", quiet=(), theirs="", home="", **options):
    """A page of `address`. A console message fails the test, but for the quiet kinds; so does any request elsewhere.

    Such a request is refused and counted, from a page, a frame or a worker; so is a socket. `home` is where a page's
    own files lie: its server, or for a file, the file itself or a folder. What begins with `theirs` the host says of
    itself.
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
    said, refused = [], []

    def refuse(route):
        refused.append(route.request.url)
        route.abort()

    home = home or (address if address.startswith("file:") else "/".join(address.split("/")[:3]))
    context.route(re.compile(f"^(?!{re.escape(home)}|data:|blob:)"), refuse)
    page = context.new_page()
    page.on("console", lambda it: it.type in quiet or (theirs and it.text.startswith(theirs)) or said.append(it.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("websocket", lambda socket: socket.url.startswith(home.replace("http", "ws")) or refused.append(socket.url))
    try:
        page.goto(address)
        page.wait_for_selector(selector)
        yield page
    finally:
        context.close()
    assert (said, refused) == ([], []), f"said {said}, asked {refused}"


def t(place):
    """The step in view. A place is a page, or a locator of what holds one stepper."""
    return int(place.locator(".kho").get_attribute("data-t"))


def shown(place):
    """The stepper's whole DOM as text, with the pixels of a canvas; attributes have no order.

    The class `still` is no part of it: it holds transitions back while things are resized or dragged.
    """
    words = place.locator(".kho").evaluate("""function told(node) {
        if (node.nodeType === 3) return node.data;
        const attrs = [...node.attributes].map((a) => `${a.name}=${a.value}`).sort().join(" ");
        const pixels = node.nodeName === "CANVAS" ? node.toDataURL() : "";
        return `<${node.nodeName} ${attrs}>${pixels}${[...node.childNodes].map(told).join("")}</>`;
    }""")
    return words.replace(" still ", " ", 1)


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def focus(place):
    place.locator("svg.tl").focus()
