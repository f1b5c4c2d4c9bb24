"""A page with figures and nothing else, bound as the book's are: for what no chapter holds."""

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from book.press.embed import STATE, STEPPER, VIEW, bind
from khosim.show import document, sources
from khosim.show.html import fallback

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>leaf</title><link rel="icon" href="data:,">
{head}</head><body><h1>Leaf</h1>{body}</body></html>"""


def notebook(*histories, mend=lambda _traits: None):
    """An executed notebook with a stepper for each history; `mend` may change its traits."""
    cells, state = [], {}
    for number, history in enumerate(histories):
        told = document(history)
        data = {"text/html": fallback(history, told), VIEW: {"model_id": f"m{number}"}}
        cells.append(new_code_cell("trace", outputs=[new_output("display_data", data)]))
        traits = {"document": told, "sources": sources(history), "t": 0, "_anywidget_id": STEPPER}
        mend(traits)
        state[f"m{number}"] = {"state": traits}
    return nbformat.from_dict(new_notebook(cells=cells, metadata={"widgets": {STATE: {"state": state}}}))


def leaf(built, *books):
    """The page, in the folder of the built book `built`; its address is relative to it."""
    body = "".join(out.data["text/html"] for book in books for cell in bind(book).cells for out in cell.outputs)
    loads = (built / "notebooks" / "00-start-here.html").read_text().splitlines()
    head = [line for line in loads if "_static/figures.js" in line]
    path = built / "notebooks" / "leaf.html"
    path.write_text(PAGE.format(head="\n".join(head), body=body))
    return path
