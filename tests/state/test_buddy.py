"""The buddy allocator against a set: what is free, what is taken, and that no block can be larger."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from khosim.state.buddy import free_block, in_scratch, pcp_free, pcp_take, take_block, take_frame
from khosim.state.layout import MAX_ORDER
from khosim.state.lists import free_area, list_walk, pcp_head
from khosim.state.mem_map import PG_BUDDY
from tests.state.bare import bare


class Buddy(RuleBasedStateMachine):
    """A machine whose memory is given in and taken out at random; `free` and `cached` are the model."""

    @initialize(
        frames=st.integers(64, 100), start=st.integers(1, 40), batch=st.integers(1, 4), high=st.integers(4, 12)
    )
    def boot(self, frames, start, batch, high):
        self.m = bare(frames=frames, fdt_bytes=256, scratch_frames=7, pcp_batch=batch, pcp_high=high)
        self.m.scratch_start = start
        self.scratch = set(range(start, start + 7))
        self.free, self.cached, self.taken = set(), [], {}
        for pfn in range(1, frames):
            free_block(self.m, pfn, 0)
            self.free.add(pfn)

    def fits(self, order, scratch):
        """Whether some aligned run of 2**order frames of one kind of memory is free in the buddy's lists."""
        runs = (set(range(pfn, pfn + (1 << order))) for pfn in range(0, self.m.frames, 1 << order))
        kinds = [self.free - self.scratch] + [self.free & self.scratch] * scratch
        return any(run <= kind for run in runs for kind in kinds)

    @rule(order=st.integers(0, 5), cma=st.booleans())
    def take(self, order, cma):
        pfn = take_block(self.m, order, cma=cma)
        assert (pfn is not None) == self.fits(order, cma)
        if pfn is not None:
            block = set(range(pfn, pfn + (1 << order)))
            assert block <= self.free
            assert pfn % (1 << order) == 0
            assert not block & self.scratch or (cma and not self.fits(order, False))
            self.free -= block
            self.taken[pfn] = order

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def give_back(self, data):
        pfn = data.draw(st.sampled_from(sorted(self.taken)))
        order = self.taken.pop(pfn)
        free_block(self.m, pfn, order)
        self.free |= set(range(pfn, pfn + (1 << order)))

    @rule(pfn=st.integers(0, 63))
    def take_this_one(self, pfn):
        assert take_frame(self.m, pfn) == (pfn in self.free)
        if pfn in self.free:
            self.free.remove(pfn)
            self.taken[pfn] = 0

    @rule(cma=st.booleans())
    def take_one(self, cma):
        before = [pfn for pfn in self.cached if cma or pfn not in self.scratch]
        usable = before or self.fits(0, cma)
        pfn = pcp_take(self.m, cma=cma)
        assert (pfn is not None) == bool(usable)
        assert cma or pfn not in self.scratch
        if pfn is not None:
            self.taken[pfn] = 0
            assert pfn == before[0] if before else pfn in self.free
        self.resync()

    @precondition(lambda self: 0 in self.taken.values())
    @rule(data=st.data())
    def give_one_back(self, data):
        pfn = data.draw(st.sampled_from(sorted(pfn for pfn, order in self.taken.items() if not order)))
        del self.taken[pfn]
        pcp_free(self.m, pfn)
        self.resync()
        assert self.cached[0] == pfn

    def resync(self):
        """Ask which free frames are on the per-CPU list; together with the buddy's they are all that is not taken."""
        self.cached = list(list_walk(self.m, pcp_head(self.m)))
        busy = {p for pfn, order in self.taken.items() for p in range(pfn, pfn + (1 << order))}
        self.free = set(range(1, self.m.frames)) - busy - set(self.cached)
        assert not busy & set(self.cached)
        assert len(self.cached) <= self.m.config.pcp_limit

    @invariant()
    def free_lists_hold_exactly_what_is_free(self):
        m, found = self.m, []
        for cma in (0, 1):
            for order in range(MAX_ORDER + 1):
                for pfn in list_walk(m, free_area(m, cma, order)):
                    block = range(pfn, pfn + (1 << order))
                    assert pfn % (1 << order) == 0
                    assert {in_scratch(m, frame) for frame in block} == {cma}
                    found += block
        assert sorted(found) == sorted(self.free)
        assert list(list_walk(m, pcp_head(m))) == self.cached

    @invariant()
    def no_two_free_buddies_stay_apart(self):
        heads = {}
        for cma in (0, 1):
            for order in range(MAX_ORDER):
                heads |= {(pfn, order): cma for pfn in list_walk(self.m, free_area(self.m, cma, order))}
        assert not [1 for (pfn, order), cma in heads.items() if heads.get((pfn ^ (1 << order), order)) == cma]

    @invariant()
    def the_counters_and_flags_agree(self):
        m = self.m
        assert m.pcp_count == len(self.cached)
        assert m.nr_free == len(self.free) + len(self.cached)
        marked = {pfn for pfn in range(m.frames) if m.page.flags[pfn] & PG_BUDDY}
        assert marked == self.free | set(self.cached)


Buddy.TestCase.settings = settings(derandomize=True, max_examples=60, stateful_step_count=40, deadline=None)
TestBuddy = Buddy.TestCase


def test_the_frame_freed_last_is_taken_first():
    """The per-CPU list is a stack: why a freed page comes back at once, under another name."""
    m = bare()
    for pfn in (10, 11, 12):
        pcp_free(m, pfn)
    assert [pcp_take(m, cma=True) for _ in range(3)] == [12, 11, 10]


def test_above_its_limit_the_per_cpu_list_gives_back_the_oldest():
    """What it gives back merges."""
    m = bare(pcp_high=4)
    for pfn in (8, 9, 20, 21, 22, 23):
        pcp_free(m, pfn)
    assert list(list_walk(m, pcp_head(m))) == [23, 22, 21, 20]
    assert list(list_walk(m, free_area(m, 0, 1))) == [8]


def test_a_scratch_frame_on_the_per_cpu_list_is_passed_over():
    """Linux keeps a list for each kind: what must not move is never put where the next kernel boots."""
    m = bare()
    m.scratch_start = 8
    free_block(m, 32, 1)
    for pfn in (9, 8):
        pcp_free(m, pfn)
    assert pcp_take(m, cma=False) == 32
    assert list(list_walk(m, pcp_head(m))) == [8, 9]
    assert pcp_take(m, cma=True) == 8
    pcp_free(m, 32)
    pcp_free(m, 8)
    assert pcp_take(m, cma=False) == 32
    assert pcp_take(m, cma=False) == 33
    assert pcp_take(m, cma=False) is None
    assert m.nr_free == m.pcp_count == 2


def test_a_batch_is_taken_at_once():
    """Two frames leave the buddy for one that was asked for."""
    m = bare(pcp_batch=2)
    free_block(m, 16, 3)
    assert pcp_take(m, cma=False) == 16
    assert (m.pcp_count, m.nr_free) == (1, 7)
