"""Order for the chapters; everything else for the tests is in tests/conftest.py."""

from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """A stored picture is compared by its words, with or without make."""
    if getattr(config.option, "nbval", False) and config.option.nbval_sanitize_with is None:
        config.option.nbval_sanitize_with = str(Path(__file__).parent / "tools" / "nbval.cfg")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests run in any order, but the cells of a chapter run as a reader runs them."""
    cells = [item for item in items if item.path.suffix == ".ipynb"]
    cells.sort(key=lambda cell: (cell.path, cell.cell_num))
    items[:] = [item for item in items if item.path.suffix != ".ipynb"] + cells
