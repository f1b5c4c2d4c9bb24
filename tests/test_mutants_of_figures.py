"""One cell of the model wrong, and a chapter's stored figures no longer come out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHAPTER = ROOT / "notebooks" / "00-start-here.ipynb"
OPTIONS = ["--nbval", "--nbval-current-env", "-p", "no:randomly", "-p", "no:cacheprovider", "-q", "-x"]
MUTANTS = {
    "as it is": ("state/blocks.py", "", ""),
    "a PFN bit set beside the right one": ("kernel/shmem_kho.py", "word | 1 << pfn % 64)", "word | 3 << pfn % 64)"),
    "a block one frame on": ("state/blocks.py", "+ index] = start", "+ index] = start + m.page_size * bool(start)"),
    "a page flag forgotten": ("state/mem_map.py", ".flags[pfn] |= flag", ".flags[pfn] |= flag & ~PG_swapbacked"),
    "a size too large by one": ("state/blocks.py", "m.words[kho >> 3] = size", "m.words[kho >> 3] = size + bool(size)"),
}


def started(folder, file, right, wrong):
    shutil.copytree(ROOT / "khosim", folder / "khosim", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "khosim" / file
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong) if right else text)
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *OPTIONS, CHAPTER], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """All at once, which takes half as long as one after another."""
    found = {name: started(tmp_path_factory.mktemp("mutant"), *change) for name, change in MUTANTS.items()}
    return {name: (*process.communicate(), process.returncode) for name, process in found.items()}


def test_the_chapter_passes_as_it_is(runs):
    said, _, code = runs["as it is"]
    assert code == pytest.ExitCode.OK, said


@pytest.mark.parametrize("name", [name for name in MUTANTS if name != "as it is"])
def test_a_figure_of_a_wrong_model_is_another(runs, name):
    said, _, code = runs[name]
    assert code == pytest.ExitCode.TESTS_FAILED, said
    assert "Cell outputs differ" in said
