import pytest

from tests.run.recordings import story


@pytest.fixture(scope="session")
def trace():
    """Reading it changes nothing, so one recording serves all."""
    return story()
