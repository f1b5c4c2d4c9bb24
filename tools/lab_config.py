"""What `make lab` tells JupyterLab. It opens a reader's copies of the chapters, in my/."""

import os
import sys
import warnings
from pathlib import Path
from typing import Any

c = get_config()  # noqa: F821 - JupyterLab gives it to what it reads as its configuration

c.LabApp.default_url = "/lab/tree/my/00-start-here.ipynb"
# The tabs that are opened again are those of this copy of the book, and of no other.
c.LabApp.workspaces_dir = str(Path(sys.prefix) / "share" / "jupyter" / "lab" / "workspaces")
# The manager of extensions would ask the package index for its list.
c.LabApp.extension_manager = "readonly"
# jupytext would keep a text beside each copy, and refuse to open a fresh copy beside an old text.
c.ServerApp.jpserver_extensions = {"jupyterlab_jupytext": False}
# Inside a container there is often nobody but root, and Jupyter refuses to serve root unless told.
c.ServerApp.allow_root = hasattr(os, "getuid") and os.getuid() == 0


def without_widgets(model: dict[str, Any], **_where: object) -> None:
    """Store text and HTML alone: a widget without its kernel is an error message."""
    if model["type"] == "notebook":
        model["content"]["metadata"].pop("widgets", None)
        for cell in model["content"]["cells"]:
            for output in cell.get("outputs", ()):
                output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


c.FileContentsManager.pre_save_hook = without_widgets
warnings.filterwarnings("ignore", "Overriding existing pre_save_hook")  # it is read twice, and takes its own place
