"""A document stays small, and so does what is kept of a large machine's moments."""

import json

import numpy as np
import pytest

import khosim
from khosim.show.frame import document
from khosim.show.picture import PLANES, picture, pictures
from khosim.state.snapshot import OPEN
from tests.kernel.rig import crossed, opened


def recorded(frames, steps=None):
    machine = khosim.boot(frames=frames, page_size=64)
    with machine.record("one page crosses") as trace:
        fd = opened(machine)
        machine.os.pwrite(fd, b"hello, next kernel", 0)
        machine, fd = crossed(machine)
        machine.os.pread(fd, 18, 0)
        machine.os.pwrite(fd, b"and back", 100)
        machine.os.ftruncate(fd, 10)
    if steps is not None:
        assert trace.steps >= steps
        trace.moments = trace.moments[: steps + 1]
        trace.calls = [call for call in trace.calls if call.first <= steps]
    return trace


def compact(doc):
    return len(json.dumps(doc, separators=(",", ":")).encode())


def test_forty_steps_of_256_frames_fit_8_kib():
    doc = document(recorded(256, 40))
    assert len(doc["steps"]) == 41
    assert len(doc["functions"]) > 20
    assert compact(doc) < 8 << 10


def test_a_hundred_steps_of_a_million_frames_fit_64_kib_and_a_gigabyte():
    trace = recorded(1024 * 1024, 100)
    assert compact(document(trace)) < 64 << 10
    snapshots = [moment.snapshot for moment in trace]
    pieces = {id(piece): piece.data.nbytes for snapshot in snapshots for piece in snapshot.pieces}
    assert sum(pieces.values()) < 1 << 30
    assert sum("buffer" in vars(snapshot) for snapshot in snapshots) <= OPEN


@pytest.fixture(scope="module")
def large():
    trace = recorded(16_384)
    assert trace[0].snapshot.pieces
    return trace


def test_what_is_drawn_step_by_step_is_what_is_drawn_of_each_moment_alone(large):
    found = pictures((moment.snapshot for moment in large), "guest")
    for moment, drawn in zip(large, found, strict=True):
        alone = picture(moment.snapshot, "guest")
        assert list(drawn) == list(PLANES)
        assert all(np.array_equal(drawn[name], alone[name]) for name in PLANES)
