import os
import shutil

import pytest
from hypothesis import settings

from tools.browser import FLAGS, NAMES

# A slow machine is not a wrong answer; a failure must come with what is needed to repeat it.
settings.register_profile("khosim", deadline=None, print_blob=True)
settings.load_profile("khosim")

KNOWN_AS = {"chromium": NAMES}


@pytest.fixture(scope="session")
def need():
    """Find a program that pip cannot install: `need("dtc", "device-tree-compiler")` returns its path.

    Without it a reader's machine skips the test and names the package; CI, which installs it, fails.
    """

    def find(tool: str, package: str) -> str:
        for name in KNOWN_AS.get(tool, (tool,)):
            if path := shutil.which(name):
                return path
        missing = f"needs {tool}: install the package {package}"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)

    return find


@pytest.fixture(scope="module")
def browser(need):
    """Chromium without a window. Module scope: its driver keeps an event loop, and other tests start their own."""
    driver = pytest.importorskip("playwright.sync_api").sync_playwright
    path = need("chromium", "chromium")
    with driver() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()
