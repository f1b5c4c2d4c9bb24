"""A machine kept in pieces is the same machine: only what is kept of it differs."""

import numpy as np
import pytest

import khosim
from khosim.show import document, transcript
from khosim.state import pieces, snapshot
from khosim.state.pieces import cut, join, patch
from khosim.state.snapshot import OPEN, Snapshot, opened
from tests.kernel import rig


def recorded():
    machine = khosim.boot(frames=64, page_size=64)
    with machine.record("in pieces or whole") as trace:
        fd = rig.opened(machine)
        machine.os.pwrite(fd, b"hello", 60)
        machine, fd = rig.crossed(machine)
        machine.os.pread(fd, 5, 60)
    return trace


@pytest.fixture(params=[512, 4096])
def both(request, monkeypatch):
    whole = recorded()
    monkeypatch.setattr(snapshot, "WHOLE", 0)
    for module in (pieces, snapshot):
        monkeypatch.setattr(module, "PIECE", request.param)
    return whole, recorded()


def test_every_moment_reads_the_same(both):
    """Bytes, differences, pictures and causes; a digest is of the bytes here and of the pieces' digests there."""
    whole, cut_up = both
    assert [len(moment.snapshot.pieces) > 0 for moment in (whole[0], cut_up[0])] == [False, True]
    for one, two in zip(whole, cut_up, strict=True):
        assert (one.snapshot.buffer == two.snapshot.buffer).all()
        assert one.snapshot == two.snapshot
        assert two.snapshot == one.snapshot
    assert [whole.between(t, t + 1) for t in range(whole.steps)] == [
        cut_up.between(t, t + 1) for t in range(whole.steps)
    ]
    assert whole.why("block", index=0) == cut_up.why("block", index=0)
    assert {**document(whole), "digest": ""} == {**document(cut_up), "digest": ""}
    assert transcript(whole).splitlines()[1:] == transcript(cut_up).splitlines()[1:]


def test_what_did_not_change_is_kept_once(both):
    _, cut_up = both
    kept = {id(piece) for moment in cut_up for piece in moment.snapshot.pieces}
    assert len(kept) < len(cut_up) * len(cut_up[0].snapshot.pieces) // 2


def test_other_futures_and_replays_are_the_same(both):
    whole, cut_up = both
    t = next(moment.t for moment in whole if whole.alternatives(moment.t))
    choice = whole.alternatives(t)[0]
    one, two = whole.fork(t, choice), cut_up.fork(t, choice)
    assert one.parent[1] == two.parent[1]
    assert [m.snapshot for m in one] == [m.snapshot for m in two]
    assert cut_up.replay() == whole[-1].snapshot
    assert cut_up.fork(t, choice).digest == two.digest != cut_up.digest


@pytest.mark.usefixtures("both")
def test_equal_moments_have_equal_digests():
    """Whether their pieces are shared or not; one other bit gives another digest."""
    machine = khosim.boot()
    first = machine.snapshot()
    assert Snapshot(machine, first).pieces == first.pieces
    assert machine.snapshot().digest == Snapshot(machine, first).digest == first.digest
    machine.ram[1000] ^= 1
    assert Snapshot(machine, first) != first
    assert Snapshot(machine, first).digest != first.digest


def test_nothing_can_be_written_through_pieces(both):
    _, cut_up = both
    for looked_at in (cut_up[3].snapshot, *opened([cut_up[3].snapshot])):
        with pytest.raises(ValueError, match="read-only"):
            looked_at.arrays["phys"][0, 0] = 1
        with pytest.raises(TypeError, match="read-only"):
            looked_at.page.flags[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        cut_up[3].snapshot.pieces[0].data[0] = 1


def test_few_are_open_at_a_time_and_all_can_be_looked_at_again(both):
    _, cut_up = both
    first = [moment.snapshot.arrays["phys"].copy() for moment in cut_up]
    assert sum("arrays" in vars(moment.snapshot) for moment in cut_up) == OPEN
    kept = cut_up[0].snapshot.arrays["phys"]
    assert all(np.array_equal(a, moment.snapshot.arrays["phys"]) for a, moment in zip(first, cut_up, strict=True))
    assert np.array_equal(kept, first[0])


@pytest.mark.parametrize("size", [1, 7, 8, 20])
def test_pieces_join_and_patch_to_the_bytes_they_were_cut_from(monkeypatch, size):
    monkeypatch.setattr(pieces, "PIECE", 64)
    before = np.arange(8 * size, dtype="u1")
    after = before.copy()
    after[-1] += 1
    old = cut(before)
    new = cut(after, old)
    assert [a is b for a, b in zip(old, new, strict=True)] == [True] * (len(old) - 1) + [False]
    assert np.array_equal(join(new), after)
    there = join(old)
    patch(there, old, new)
    assert np.array_equal(there, after)
