"""A browser to measure in: from a click to what it painted, on a bare page or in JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from khosim.show.palette import STYLESHEET
from tools.browser import FLAGS, program

__all__ = ["CLOCK", "Clicks", "bare", "chromium", "missing", "opened", "scrub"]

STATIC = STYLESHEET.parent
PATIENCE = 600  # seconds that a page may take to act
WARM = 2

CLOCK = """
window.paints = [];
(() => {
  let since = null;
  const drawn = () => {
    if (since === null) return;
    const start = since, after = new MessageChannel();
    since = null;
    after.port1.onmessage = () => window.paints.push(performance.now() - start);
    requestAnimationFrame(() => after.port2.postMessage(null)); // the next task comes after the frame is painted
  };
  addEventListener("click", (event) => { since = event.timeStamp; }, true);
  new MutationObserver(drawn).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-t"] });
  const put = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (...args) { put.apply(this, args); drawn(); };
})();
"""
"""Put into every page: `paints` gets the milliseconds from a click to the first task after what it drew is painted."""

SCRUB = """(seconds) => new Promise((done) => {
  const root = document.querySelector(".kho"), last = +document.querySelector("svg.tl").getAttribute("aria-valuemax");
  const begun = performance.now();
  let frames = 0, t = +root.dataset.t, way = 1;
  const next = () => {
    const spent = performance.now() - begun;
    if (spent >= 1000 * seconds) return done(frames / (spent / 1000));
    if (t + way < 0 || t + way > last) way = -way;
    model.set("t", (t += way));
    frames++;
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})"""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>bench</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/stepper.css"></head><body><main></main><script type="module">
import stepper from "/stepper.js";
const traits = { ...await (await fetch("/traits.json")).json(), t: 0 }, heard = {};
window.model = {
  get: (name) => traits[name],
  set: (name, value) => { traits[name] = value; for (const told of heard[`change:${name}`] ?? []) told(); },
  save_changes() {},
  on: (name, told) => { (heard[name] ??= []).push(told); },
  off: (name, told) => { heard[name] = (heard[name] ?? []).filter((one) => one !== told); },
};
stepper.render({ model, el: document.querySelector("main") });
requestAnimationFrame(() => setTimeout(() => { window.usable = performance.now(); }));
</script></body></html>"""


def missing(*modules: str) -> str:
    """What a measurement needs and does not find here, as words; "" if all is there."""
    found = [f"the Python package {name}" for name in ("playwright", *modules) if find_spec(name) is None]
    if not program():
        found.append("Chromium (package chromium)")
    return " and ".join(found)


@contextmanager
def chromium() -> Iterator[Any]:
    """Run a Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Any, width: int) -> Any:
    """An empty page with `CLOCK`, without motion; it waits `PATIENCE` for what a large machine takes."""
    page = browser.new_context(viewport={"width": width, "height": 1000}, reduced_motion="reduce").new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.add_init_script(CLOCK)
    return page


def bare(traits: bytes) -> dict[str, tuple[str, bytes]]:
    """The files of a page with a stepper that shows `traits`, JSON: what `served` serves."""
    return {
        "/": ("text/html", PAGE.encode()),
        "/traits.json": ("application/json", traits),
        "/stepper.js": ("text/javascript", (STATIC / "stepper.js").read_bytes()),
        "/stepper.css": ("text/css", (STATIC / "stepper.css").read_bytes()),
    }


class Clicks:
    """A button in a part of a page that was loaded with `CLOCK`, clicked with a mouse."""

    def __init__(self, page: Any, part: str, button: str) -> None:
        """Find part and button by selectors."""
        self.page, self.part = page, page.locator(part)
        self.button = self.part.locator(button)
        self.button.wait_for()

    def __call__(self, count: int) -> list[float]:
        """Seconds from click to painted, of `count` clicks after `WARM` more; a stepper at its end begins again."""
        return [self._click() for _ in range(WARM + count)][WARM:]

    def _click(self) -> float:
        if self.button.get_attribute("aria-disabled") == "true":
            self.part.locator("svg.tl").press("Home")
        before = self.page.evaluate("() => paints.length")
        self.button.click()
        self.page.wait_for_function("(n) => paints.length > n", arg=before)
        return float(self.page.evaluate("() => paints.at(-1)")) / 1000


def scrub(page: Any, seconds: float) -> float:
    """Steps a second that a page draws, one in each animation frame."""
    return float(page.evaluate(SCRUB, seconds))
