"""Ops that are none are refused in one sentence, and an op needs no luck to be played."""

import pytest

from khosim.conform.ops import Player
from khosim.errors import UsageError


@pytest.mark.parametrize(
    "op",
    ["", "dance", "write", "write 1 2", "write a b c", "read 0 1 2", "uffd_reg maybe 3", "inject alloc two", "play 1"],
)
def test_what_is_no_op_is_refused(op):
    player = Player(("enable 16",), kho=True)
    player.play("enable 16")
    with pytest.raises(UsageError):
        player.play(op)


def test_a_file_may_grow_far_past_its_blocks():
    script = ("enable 16", "ftruncate 1073741824", "write 1073737728 10 65", "read 1073737728 10")
    player = Player(script, kho=False)
    results = [player.play(op) for op in script]
    assert results[2]["ret"] == 10
    assert results[3]["runs"] == [[10, 65]]


def test_the_state_is_described_with_nothing_open():
    player = Player(("enable 16", "evict"), kho=True)
    player.play("enable 16")
    player.play("evict")
    assert player.state()["attached"] == 0
