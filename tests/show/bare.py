"""The stepper on a bare page: no notebook, no network, no framework. Its model keeps what a host would keep."""

import json

import khosim
from khosim.show import document, sources
from khosim.show.widget import STATIC
from tests.kernel.rig import crossed, opened

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>stepper</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/stepper.css"><style>body { margin: 16px }</style>
</head>
<body><main></main><script type="module">
import stepper from "/stepper.js";
const state = { ...await (await fetch("/traits.json")).json(), t: 0 }, heard = {};
window.saved = [];
window.model = {
  get: (key) => state[key],
  set(key, value) { state[key] = value; (heard[`change:${key}`] ?? []).forEach((f) => f()); },
  save_changes() { window.saved.push(state.t); },
  on(name, f) { (heard[name] ??= []).push(f); },
  off(name, f) { heard[name] = (heard[name] ?? []).filter((g) => g !== f); },
};
window.heard = heard;
window.cleanup = stepper.render({ model: window.model, el: document.querySelector("main") });
</script></body></html>"""

# What sticks out of the stepper, as text; what scrolls inside, or is cut with an ellipsis, does not.
OVER = """() => {
    const root = document.querySelector(".kho"), box = root.getBoundingClientRect();
    const scrolls = ".hidden, .src, .twin, .crumb"; // what scrolls inside, or is cut with an ellipsis
    const over = (b) => b.width > 0 && Math.max(b.right - box.right, box.left - b.left) > 0.1;
    const all = [...root.querySelectorAll("*")].filter((e) => !e.closest(scrolls) && over(e.getBoundingClientRect()));
    return all.map((e) => e.outerHTML.slice(0, 80));
}"""


def traits(history):
    """What a host gives to the stepper, besides the step."""
    return {"sources": sources(history), "document": document(history)}


def files(history):
    return {
        "/": ("text/html", PAGE.encode()),
        "/traits.json": ("application/json", json.dumps(traits(history)).encode()),
        "/stepper.js": ("text/javascript", (STATIC / "stepper.js").read_bytes()),
        "/stepper.css": ("text/css", (STATIC / "stepper.css").read_bytes()),
    }


def give(page, told):
    page.evaluate("(traits) => Object.entries(traits).forEach(([key, value]) => model.set(key, value))", told)


def at(page, step):
    """Go to a step as a link does: at once, also while the model has yet to hear what the reader did last."""
    page.evaluate(
        """(t) => {
            history.replaceState(null, "", `#${model.get("document").id}@${t}`);
            dispatchEvent(new Event("hashchange"));
        }""",
        step,
    )


def recorded(frames):
    machine = khosim.boot(frames=frames, page_size=64)
    with machine.record("two kernels, and a size that is not mirrored") as trace:
        fd = opened(machine)
        machine.os.pwrite(fd, b"hello, next kernel", 0)
        machine, fd = crossed(machine)
        machine.os.pread(fd, 18, 0)
        machine.os.ftruncate(fd, 100)
    return trace
