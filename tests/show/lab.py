"""JupyterLab for the tests: a server on copies, and hands on a notebook."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import nbformat

from tools.lab import ROOT, jupyterlab

READ = ["notebooks", "tests/traces"]  # what the chapters read, themselves included

SETUP = """
import khosim

def two_kernels(title):
    m = khosim.boot(frames=64, page_size=64)
    with m.record(title) as trace:
        fd = m.os.memfd_create("guest", khosim.MFD_KHO)
        m.os.pwrite(fd, b"hello, next kernel", 0)
        m = m.kexec()
        fd = m.os.memfd_create("guest", khosim.MFD_KHO)
        m.os.pread(fd, 18, 0)
    return trace
"""


@contextmanager
def server(folder):
    """Serve a copy of the chapters; yields its address and where the copy lies."""
    root = folder / "root"
    for name in READ:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    with jupyterlab(root, folder) as address:
        yield address, root


def notebook(path: Path, *cells: str, html: str = "") -> None:
    """Write a notebook: the setup, these cells, and below the first one `html` as if an earlier run had said it."""
    new = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    new.cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, *cells)]
    if html:
        new.cells[0].outputs = [nbformat.v4.new_output("display_data", {"text/html": html})]
    nbformat.write(new, path)


class Notebook:
    """A notebook in a tab of JupyterLab, in view."""

    def __init__(self, page, path):
        self.page = page
        self.panel = page.evaluate_handle(
            """async (path) => {
                const panel = await jupyterapp.commands.execute("docmanager:open", { path, factory: "Notebook" });
                await panel.context.ready;
                await panel.sessionContext.ready;
                await panel.revealed;
                return panel;
            }""",
            path,
        )

    def run_all(self):
        self.activate()
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")

    def restart(self):
        self.panel.evaluate("async (panel) => { await panel.sessionContext.session.kernel.restart(); }")

    def cells(self):
        return self.panel.evaluate("(panel) => panel.content.model.toJSON().cells")

    def wear(self, theme):
        run = "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })"
        self.page.evaluate(run, f"JupyterLab {theme}")

    def figures(self, kind="application/vnd.jupyter.widget-view+json"):
        """The cells with a figure below them: with a stepper, or with something of another kind; no question's card."""

        def shows(out):
            return kind in out.get("data", ()) and "digest" in "".join(out["data"].get("text/plain", ""))

        return [n for n, cell in enumerate(self.cells()) if any(map(shows, cell.get("outputs", ())))]

    def said(self, n):
        """The text that cell `n` printed."""
        return "".join("".join(out.get("text", "")) for out in self.cells()[n]["outputs"])

    def activate(self):
        """Bring its tab to the front: commands go to the tab in front."""
        self.panel.evaluate("async (panel) => { jupyterapp.shell.activateById(panel.id); await panel.revealed; }")
        self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)").wait_for()

    def start(self, n):
        """Begin to run cell `n`; what is returned waits for its end."""
        self.activate()
        running = self.panel.evaluate_handle(
            """(panel, n) => {
                panel.content.deselectAll();
                panel.content.activeCellIndex = n;
                return { end: jupyterapp.commands.execute("notebook:run-cell") };
            }""",
            n,
        )
        return lambda: running.evaluate("async ({ end }) => { await end; }")

    def run(self, n):
        self.start(n)()

    def cell(self, n):
        """Cell `n`, scrolled into view: JupyterLab draws what is seen."""
        self.activate()
        self.panel.evaluate("(panel, n) => panel.content.scrollToItem(n, 'start')", n)
        return self.page.locator(f".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell[data-windowed-list-index='{n}']")

    def output(self, n):
        return self.cell(n).locator(".jp-Cell-outputArea")

    def stepper(self, n):
        place = self.output(n)
        place.locator(".kho").wait_for()
        return place
