"""Every cell can be asked for its cause: the step that made it so, and the call behind it."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khosim import UsageError
from tests.run.recordings import recorded
from tests.user.programs import PROGRAMS


@settings(derandomize=True, max_examples=25, deadline=None)
@given(PROGRAMS, st.data())
def test_the_cause_is_the_last_change(ops, data):
    """Of every cell that a random run changed, `why` gives the last step whose diff has it, and that step's call."""
    trace = recorded(ops)
    t = data.draw(st.integers(0, trace.steps))
    last = {}
    for before, after in pairwise(trace[: t + 1]):
        for change in before.snapshot.diff(after.snapshot):
            if change.array == "page" and change.field == "refcount":
                last["refcount", "pfn", change.index[0]] = (after.t, change.old, change.new)
            elif change.array == "slots" and change.index[0] == 0:
                last["cache", "index", change.index[1]] = (after.t, change.old, change.new)
        bits = before.snapshot.bits != after.snapshot.bits
        for pfn in bits.nonzero()[0].tolist() if before.snapshot.bitmap_phys and after.snapshot.bitmap_phys else ():
            last["bit", "pfn", pfn] = (after.t, 1 - after.snapshot.bits[pfn], after.snapshot.bits[pfn])
    for (cell, key, place), (when, old, new) in last.items():
        cause = trace.why(cell, t, **{key: place})
        assert cause[:1] + cause[4:] == (when, old, new)
        assert cause.sentence == trace[when].sentence
        assert cause.call == trace.calls[trace[when].call].text
        assert cause.path == trace[when].stack[-1].function


def test_why_leads_back_to_the_users_call(trace):
    """A bit, a block, a slot, a flag and three sizes, each to its step, its path and its call."""
    frame = trace.why("block", index=0).new
    write, read = "pwrite(3, 18 bytes, 0)", "pread(3, 18, 0)"
    expected = {
        ("block", "index", 0): ("shmem_alloc_kho_folio", write, "block_set"),
        ("bit", "pfn", frame): ("bitmap_set", write, "bit_set"),
        ("byte", "pfn", frame): ("shmem_file_write_iter", write, "copy_in"),
        ("cache", "index", 0): ("shmem_add_to_page_cache", read, "cache_add"),
        ("uptodate", "pfn", frame): ("shmem_alloc_kho_folio", read, "mark_uptodate"),
        ("refcount", "pfn", frame): ("folio_put", read, "folio_put"),
    }
    for (cell, key, place), (path, call, step) in expected.items():
        cause = trace.why(cell, **{key: place})
        assert (cause.path, cause.call) == (path, call)
        assert trace[cause.t].step.name == step
        assert trace[cause.t].sentence == cause.sentence
    assert trace.why("kho_i_size").call == write
    assert trace.why("i_size").call == 'memfd_create("guest", MFD_KHO)'
    assert trace.why("nrpages").call == read
    early = trace.why("uptodate", trace.kexecs[0] - 1, pfn=frame)
    assert early.call == write


def test_a_cell_that_nothing_changed_has_no_cause(trace):
    """Nor has one that cannot be."""
    with pytest.raises(UsageError, match=r"nothing up to moment \d+ changed bit \(pfn=0\)"):
        trace.why("bit", pfn=0)
    with pytest.raises(UsageError, match=r"nothing up to moment 0 changed i_size$"):
        trace.why("i_size", 0)
    with pytest.raises(UsageError, match="there is no cell 'nonsense'"):
        trace.why("nonsense")
