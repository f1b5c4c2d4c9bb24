"""Before there is an allocator: who owns which frame, and that the allocator gets all the others in large blocks."""

import random

import pytest

import khosim
from khosim.state.buddy import in_scratch
from khosim.state.layout import MAX_ORDER
from khosim.state.lists import free_area, list_walk
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_BUDDY, PG_reserved
from khosim.state.memblock import KERNEL_TEXT, free_all, init_memory, reserve, reserve_preserved
from khosim.state.phys import FREED


def blank(frames=256, **shape):
    """A machine before its boot, its kernel and scratch placed as the first kernel places them."""
    m = MachineState(khosim.MachineConfig(frames=frames, **shape))
    m.scratch_start = m.config.kernel_size
    return m


def blocks(m):
    """(first frame, order, 1 if scratch) of every block on the buddy's lists."""
    return [
        (pfn, order, kind)
        for kind in (0, 1)
        for order in range(MAX_ORDER + 1)
        for pfn in list_walk(m, free_area(m, kind, order))
    ]


def random_owners(m, rng):
    for _ in range(rng.randrange(12)):
        pfn = rng.randrange(m.frames)
        reserve(m, pfn, rng.randrange(1, min(20, m.frames - pfn) + 1))
    bits = sorted(rng.sample(range(1, m.frames), rng.randrange(m.frames // 4)))
    reserve_preserved(m, bits, rng.sample(bits, len(bits) // 3))


@pytest.mark.parametrize("seed", range(60))
def test_every_frame_is_either_owned_or_on_one_list_in_an_aligned_block_as_large_as_can_be(seed):
    rng = random.Random(seed)
    m = blank(rng.choice((64, 75, 256, 1000, 2100)))
    init_memory(m)
    random_owners(m, rng)
    owned = {pfn for pfn in range(m.frames) if m.page.refcount[pfn]}
    free_all(m)
    found = blocks(m)
    frames = [pfn + n for pfn, order, _ in found for n in range(1 << order)]
    assert len(frames) == len(set(frames)) == m.nr_free
    assert set(frames) == set(range(m.frames)) - owned
    for pfn, order, kind in found:
        assert pfn % (1 << order) == 0
        assert {in_scratch(m, pfn + n) for n in range(1 << order)} == {kind}
        assert m.page.private[pfn] == 1 + order
        buddy = pfn ^ 1 << order
        assert order == MAX_ORDER or (buddy, order, kind) not in found, "two buddies are free and not merged"


@pytest.mark.parametrize("seed", range(10))
def test_free_frames_are_poisoned_and_flagged_and_owned_ones_keep_their_bytes(seed):
    rng = random.Random(seed)
    m = blank()
    init_memory(m)
    m.arrays["phys"][m.config.kernel_size :] = 0x5C
    random_owners(m, rng)
    free_all(m)
    for pfn in range(m.frames):
        if m.page.refcount[pfn]:
            assert not m.page.flags[pfn] & PG_BUDDY
            assert bytes(m.arrays["phys"][pfn]) in (b"\x5c" * m.page_size, bytes((KERNEL_TEXT,)) * m.page_size)
        else:
            assert m.page.flags[pfn] == PG_BUDDY
            assert bytes(m.arrays["phys"][pfn]) == bytes((FREED,)) * m.page_size


def test_metadata_is_reserved_and_pages_of_files_are_as_fresh_from_the_allocator():
    m = blank()
    init_memory(m)
    reserve_preserved(m, [40, 41, 42, 99], [40, 41])
    assert [m.page.refcount[pfn] for pfn in (39, 40, 41, 42, 43, 99)] == [0, 1, 1, 1, 0, 1]
    assert [m.page.flags[pfn] for pfn in (39, 40, 41, 42, 43, 99)] == [0, PG_reserved, PG_reserved, 0, 0, 0]
    assert m.page.head[42] == -1


def test_nothing_preserved_is_no_special_case():
    m = blank()
    init_memory(m)
    reserve_preserved(m, [], [])
    free_all(m)
    assert m.nr_free == m.frames - m.config.kernel_size


def test_the_kernel_and_frame_0_are_kept_and_read_as_kernel_wherever_it_boots():
    m = blank()
    m.kernel_start = m.scratch_start
    m.arrays["phys"][:] = 0x5C
    init_memory(m)
    kernel = [0, *range(m.kernel_start, m.kernel_start + m.config.kernel_size)]
    assert (m.arrays["phys"][kernel] == KERNEL_TEXT).all()
    assert [pfn for pfn in range(m.frames) if m.page.flags[pfn] & PG_reserved] == kernel
    free_all(m)
    assert 0x5C not in m.arrays["phys"]


def test_a_machine_with_no_free_frame_frees_none():
    m = blank(64)
    init_memory(m)
    reserve(m, 0, m.frames)
    free_all(m)
    assert m.nr_free == 0
    assert blocks(m) == []
