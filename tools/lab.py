"""JupyterLab, as the measurements and the tests start it: with the book's settings and nobody's own."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["ENDS", "ROOT", "address", "jupyterlab"]

ROOT = Path(__file__).resolve().parent.parent
STARTS = 120  # seconds; a machine that runs other things needs several times the usual six
ENDS = 30

# JupyterLab that ends when its input does: so it cannot outlive who started it, however they end.
WATCHED = """
import os, signal, sys, threading
def watch():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=watch, daemon=True).start()
from jupyterlab.labapp import main
main()
"""


@contextmanager
def jupyterlab(root: Path, folder: Path) -> Iterator[str]:
    """Serve what is in `root` with the settings that `make lab` uses; yields its address. It writes into `folder`.

    Raises `RuntimeError` with its log if it does not start.
    """
    (folder / "app").mkdir()
    shutil.copy(ROOT / "tools" / "lab-overrides.json", folder / "app" / "overrides.json")
    own = {f"JUPYTER_{name.upper()}_DIR": str(folder / name) for name in ("config", "data", "runtime")}
    env = os.environ | own | {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder / "ipython")}
    options = ["--no-browser", "--ip=127.0.0.1", f"--ServerApp.root_dir={root}", "--IdentityProvider.token=",
               f"--config={ROOT / 'tools' / 'lab_config.py'}",
               "--LabApp.expose_app_in_browser=True", f"--LabApp.app_settings_dir={folder / 'app'}",
               f"--LabApp.user_settings_dir={folder / 'user'}",
               f"--LabApp.workspaces_dir={folder / 'spaces'}"]  # fmt: skip
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-c", WATCHED, *options]
        started = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        yield address(folder, started)
    finally:
        with suppress(subprocess.TimeoutExpired):  # a kernel that is still starting can keep it
            started.communicate(timeout=ENDS)
        started.kill()  # if it is still there
        started.wait()


def address(folder: Path, started: subprocess.Popen[bytes]) -> str:
    """Where it listens: it says so in a file, once it does. The port is its choice, the first that is free."""
    ends = time.monotonic() + STARTS
    while True:
        for found in folder.glob("runtime/jpserver-*.json"):
            with suppress(json.JSONDecodeError):  # it is there before it is written
                return str(json.loads(found.read_text())["url"])
        if started.poll() is not None or time.monotonic() > ends:
            raise RuntimeError((folder / "log").read_text())
        time.sleep(0.05)
