"""The tests' own JupyterLab: it is found when it listens, and ends with those who started it."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from tools import lab

HOST = """
import pathlib, sys, time
from tests.show.lab import server
with server(pathlib.Path(sys.argv[1])) as (address, _):
    print(address, flush=True)
    time.sleep(600)
"""


def test_an_address_that_is_being_written_is_waited_for(tmp_path):
    (tmp_path / "runtime").mkdir()
    file = tmp_path / "runtime/jpserver-1.json"
    file.touch()
    words = iter(["", '{"url": "http', '{"url": "http://127.0.0.1:1/"}'])

    class Started:
        def poll(self):
            file.write_text(next(words))

    assert lab.address(tmp_path, Started()) == "http://127.0.0.1:1/"


def test_a_server_does_not_outlive_tests_that_are_killed(tmp_path):
    host = subprocess.Popen([sys.executable, "-c", HOST, tmp_path], cwd=lab.ROOT, stdout=subprocess.PIPE)
    with host:
        assert host.stdout.readline().startswith(b"http://127.0.0.1:")
        (found,) = tmp_path.glob("runtime/jpserver-*.json")
        pid = json.loads(found.read_text())["pid"]
        os.kill(pid, 0)
        host.send_signal(signal.SIGKILL)
    ends = time.monotonic() + lab.ENDS
    with suppress(ProcessLookupError):
        while time.monotonic() < ends:
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        raise AssertionError((tmp_path / "log").read_text())
