"""What `make lab` tells JupyterLab, read and tried as JupyterLab does."""

import json
from pathlib import Path

import pytest

pytest.importorskip("jupyterlab", reason="JupyterLab is not installed here")

from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyterlab.labapp import LabApp
from traitlets.config import PyFileConfigLoader

# A manager reads its configuration twice, and says then that the same hook takes the place of itself.
pytestmark = pytest.mark.filterwarnings("ignore:Overriding existing pre_save_hook")
ROOT = Path(__file__).resolve().parent.parent
CARD = {"text/plain": "Predict", "text/html": "<p>Predict</p>"}
WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "gone", "version_major": 2, "version_minor": 0}}


@pytest.fixture
def config():
    return PyFileConfigLoader("lab_config.py", path=str(ROOT / "tools")).load_config()


def test_jupyterlab_knows_all_that_it_is_told(config):
    known = {"LabApp": LabApp, "ServerApp": ServerApp, "FileContentsManager": FileContentsManager}
    assert set(config) == set(known)
    for name, told in config.items():
        assert set(told) <= set(known[name].class_trait_names())


def test_it_opens_the_reader_s_copy_of_the_first_chapter(config):
    folder, first = config.LabApp.default_url.removeprefix("/lab/tree/").split("/")
    assert folder == "my"
    assert first == min(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def test_a_saved_chapter_can_be_read_when_its_kernel_is_gone(config, tmp_path):
    """Its cards and figures are stored as text and HTML; a view of a widget would be an error message."""
    output = {"output_type": "display_data", "data": CARD | WIDGET, "metadata": {}}
    cell = {"cell_type": "code", "id": "c0", "source": "predict('x')", "execution_count": 1, "metadata": {},
            "outputs": [output]}  # fmt: skip
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"widgets": {"gone": {}}}, "cells": [cell]}
    FileContentsManager(config=config, root_dir=str(tmp_path)).save({"type": "notebook", "content": book}, "a.ipynb")
    stored = json.loads((tmp_path / "a.ipynb").read_text())
    assert set(stored["cells"][0]["outputs"][0]["data"]) == set(CARD)
    assert stored["metadata"] == {}


def test_other_files_are_stored_as_they_are(config, tmp_path):
    manager = FileContentsManager(config=config, root_dir=str(tmp_path))
    manager.save({"type": "file", "format": "text", "content": "a note"}, "a.txt")
    assert (tmp_path / "a.txt").read_text() == "a note"
