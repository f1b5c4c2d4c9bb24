"""Order for the chapters; everything else for the tests is in tests/conftest.py."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests run in any order, but the cells of a chapter run as a reader runs them."""
    cells = [item for item in items if item.path.suffix == ".ipynb"]
    cells.sort(key=lambda cell: (cell.path, cell.cell_num))
    items[:] = [item for item in items if item.path.suffix != ".ipynb"] + cells
