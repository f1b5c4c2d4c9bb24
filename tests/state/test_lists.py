"""`struct list_head` against Python's lists, and what happens to an entry that is deleted twice."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from khosim.errors import KernelPanic
from khosim.state.lists import (
    LIST_POISON1,
    LIST_POISON2,
    free_area,
    list_add,
    list_add_tail,
    list_del,
    list_empty,
    list_walk,
    lru_head,
    pcp_head,
)
from tests.state.bare import bare

HEADS = 3


class Lists(RuleBasedStateMachine):
    """Three lists; every frame is on one of them or on none."""

    def __init__(self):
        super().__init__()
        self.m = bare(frames=32, fdt_bytes=256)
        self.heads = [pcp_head(self.m), lru_head(self.m), free_area(self.m, 1, 10)]
        self.model = [[] for _ in self.heads]

    @property
    def loose(self):
        return sorted(set(range(8)) - {pfn for on in self.model for pfn in on})

    @precondition(lambda self: self.loose)
    @rule(data=st.data(), which=st.integers(0, HEADS - 1), tail=st.booleans())
    def add(self, data, which, tail):
        pfn = data.draw(st.sampled_from(self.loose))
        (list_add_tail if tail else list_add)(self.m, pfn, self.heads[which])
        self.model[which].insert(len(self.model[which]) if tail else 0, pfn)

    @precondition(lambda self: any(self.model))
    @rule(data=st.data())
    def delete(self, data):
        which, pfn = data.draw(st.sampled_from([(n, pfn) for n, on in enumerate(self.model) for pfn in on]))
        list_del(self.m, pfn)
        self.model[which].remove(pfn)
        assert (self.m.link.next[pfn], self.m.link.prev[pfn]) == (LIST_POISON1, LIST_POISON2)

    @invariant()
    def walks_give_the_lists(self):
        for head, on in zip(self.heads, self.model, strict=True):
            assert list(list_walk(self.m, head)) == on
            assert list_empty(self.m, head) == (not on)
            ring = [head, *on, head]
            assert [self.m.link.prev[after] for after in ring[1:]] == ring[:-1]


Lists.TestCase.settings = settings(derandomize=True, max_examples=40, stateful_step_count=40, deadline=None)
TestLists = Lists.TestCase


def test_every_list_has_a_head_of_its_own():
    """None of them is a frame's number."""
    m = bare()
    heads = [pcp_head(m), lru_head(m), *(free_area(m, cma, order) for cma in (0, 1) for order in range(11))]
    assert sorted(heads) == list(range(64, len(m.link.next)))


def test_deleting_twice_is_a_panic_with_the_kernels_poison_in_it():
    """LIST_POISON1 plus the offset of `prev`: 0x100 + 8."""
    m = bare()
    list_add(m, 5, lru_head(m))
    list_del(m, 5)
    before = m.buffer.copy()
    with pytest.raises(KernelPanic, match="Kernel mode fault at addr 0x108"):
        list_del(m, 5)
    assert (m.buffer == before).all()


def test_a_walk_stops_where_a_list_is_broken():
    """It neither raises nor goes round for ever: pictures are drawn of broken machines too."""
    m = bare()
    for pfn in (3, 2, 1):
        list_add(m, pfn, lru_head(m))
    m.link.next[2] = LIST_POISON1
    assert list(list_walk(m, lru_head(m))) == [1, 2]
    m.link.next[2] = 1
    assert len(list(list_walk(m, lru_head(m)))) == m.frames
