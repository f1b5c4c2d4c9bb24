import os
import shutil

import pytest
from hypothesis import settings

# A slow machine is not a wrong answer; a failure must come with what is needed to repeat it.
settings.register_profile("khosim", deadline=None, print_blob=True)
settings.load_profile("khosim")

OTHER_NAMES = {"chromium": ["chromium-browser", "google-chrome", "google-chrome-stable"]}


@pytest.fixture(scope="session")
def need():
    """Find a program that pip cannot install: `need("dtc", "device-tree-compiler")` returns its path.

    Without it a reader's machine skips the test and names the package; CI, which installs it, fails.
    """

    def find(tool: str, package: str) -> str:
        for name in [tool, *OTHER_NAMES.get(tool, [])]:
            if path := shutil.which(name):
                return path
        missing = f"needs {tool}: install the package {package}"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)

    return find
