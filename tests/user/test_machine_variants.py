"""A machine runs the reader's own function in place of a kernel path, in every kernel and every replay."""

import re

import pytest

import khosim
from khosim import UsageError
from khosim.kernel.shmem_kho import bitmap_clear
from khosim.state.blocks import load_block, store_block
from khosim.steps import Step

KHO = khosim.MFD_KHO


def free_block_in_the_other_order(m, ino, index):
    """Empty the block, then clear its bit."""
    start = load_block(m, m.inode.kho[ino], index)
    store_block(m, m.inode.kho[ino], index, 0)
    yield Step("free_block", "Block {index} is empty.", index=index)
    yield from bitmap_clear(m, start // m.page_size)


def test_a_variant_replaces_a_whole_path():
    """The machine runs the reader's function, and the call stack shows it; another machine knows nothing of it."""
    variants = {"shmem_kho_free_block": free_block_in_the_other_order}
    orders, stacks = [], []
    for chosen in ({}, variants):
        m = khosim.boot(variants=chosen)
        with m.record() as trace:
            fd = m.os.memfd_create("guest", KHO)
            m.os.pwrite(fd, b"x" * 64, 0)
            m.os.ftruncate(fd, 0)
        orders.append([s.step.name for s in trace[1:] if s.step.name in ("free_block", "bit_clear")])
        stacks.append(next(s.stack for s in trace[1:] if s.step.name == "bit_clear"))
    assert orders == [["bit_clear", "free_block"], ["free_block", "bit_clear"]]
    assert [frame.function for frame in stacks[0][-2:]] == ["shmem_kho_free_block", "bitmap_clear"]
    assert [frame.function for frame in stacks[1][-2:]] == ["free_block_in_the_other_order", "bitmap_clear"]
    assert stacks[1][-2].file == "test_machine_variants.py"


def test_a_variant_lives_through_kexecs_and_forks():
    """The whole chain of kernels, and every replay, is built with it."""
    m = khosim.boot(variants={"shmem_kho_free_block": free_block_in_the_other_order})
    with m.record() as trace:
        m = m.kexec()
        fd = m.os.memfd_create("guest", KHO)
        m.os.pwrite(fd, b"x" * 64, 0)
        m.os.ftruncate(fd, 0)
    for history in (trace, trace._replay(trace, trace.choices)):
        assert "free_block_in_the_other_order" in {frame.function for moment in history for frame in moment.stack}


def one_argument(_):
    yield Step("never", "It never runs.")


@pytest.mark.parametrize(
    ("variants", "words"),
    [
        ({"shmem_kho_free_blok": free_block_in_the_other_order}, "did you mean shmem_kho_free_block?"),
        ({"zzz": free_block_in_the_other_order}, "no kernel path is named 'zzz'; `khosim list` shows them all"),
        ({"shmem_kho_free_block": len}, "must be a function that yields steps, and there is no `yield` in len"),
        ({"shmem_kho_free_block": None}, "must be a function that yields steps, not None"),
        (
            {"shmem_kho_free_block": one_argument},
            "is given (m, ino, index); one_argument cannot take that: too many positional arguments",
        ),
        (["shmem_kho_free_block"], "variants is a dict from the name of a path to a function"),
    ],
)
def test_what_can_replace_nothing_is_refused(variants, words):
    """Before anything boots, with a hint."""
    with pytest.raises(UsageError, match=re.escape(words)):
        khosim.boot(variants=variants)


def test_changing_the_dict_later_changes_no_machine():
    """The machine keeps what it was booted with."""
    variants = {"shmem_kho_free_block": free_block_in_the_other_order}
    m = khosim.boot(variants=variants)
    variants["memfd_create"] = free_block_in_the_other_order
    assert m.os.memfd_create("file") == 3
