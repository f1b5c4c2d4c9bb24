"""Each cell of the table is what its lookup did."""

import pytest

from khosim.errors import UsageError
from khosim.kernel.shmem_kho import ENOENT, shmem_alloc_kho_folio
from khosim.scenarios import Scenario, play
from khosim.scenarios.lookups import MODES, PAGES, lookup, outcome
from khosim.state import page_cache
from khosim.state.blocks import load_block
from khosim.state.mem_map import PG_uptodate, set_flag
from khosim.steps import PATHS, Step

FILLED = "found"
TABLE = {
    "cached": [FILLED] * 5,
    "not uptodate": ["never returns", "found, zeroed", "found, zeroed", "found, unfilled", "found, zeroed"],
    "swapped": ["swapped in"] * 5,
    "held": ["restored"] * 5,
    "hole": ["no page", "ENOENT", "new, zeroed", "new, unfilled", "new, unfilled"],
    "past i_size": ["EINVAL", "EINVAL", "EINVAL", "new, unfilled", "new, unfilled"],
    "past the array": ["EFBIG"] * 5,
}


@pytest.mark.parametrize("page", PAGES)
def test_a_row_of_the_table_is_what_the_kernel_functions_say(page):
    """tests/conform/test_lookups.py holds the same cells to the recorded kernel."""
    assert [outcome(play(lookup(page, mode))) for mode in MODES] == TABLE[page]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("mode", MODES)
def test_a_lookup_is_recorded_alone(page, mode):
    history = play(lookup(page, mode))
    assert [call.name for call in history.calls] == ["get_folio"]
    assert page in history.title
    assert mode in history.title


def test_a_kind_or_a_mode_that_is_not_there_is_named():
    with pytest.raises(UsageError, match=r"past the array.*NOALLOC.*'cold', 'READ'"):
        lookup("cold", "READ")
    with pytest.raises(UsageError, match="'hole', 'read'"):
        lookup("hole", "read")


def restored_without_filling(m, ino, index, sgp):
    """A kernel whose pages come back without the flag, and holes as they are."""
    folio = yield from PATHS[shmem_alloc_kho_folio.__name__](m, ino, index, sgp)
    if folio >= 0 and page_cache.load(m, ino, index) == page_cache.EMPTY:
        set_flag(m, folio, PG_uptodate)
        yield Step("too_early", "Frame {pfn:#x} is called uptodate.", pfn=folio)
    return folio


def test_a_page_called_uptodate_that_nobody_zeroed_is_exposed():
    history = play(lookup("hole", "CACHE"), variants={"shmem_alloc_kho_folio": restored_without_filling})
    assert outcome(history) == "new, exposed"


def nothing_is_held(m, ino, index, sgp):
    """A kernel that does not believe in held pages."""
    if load_block(m, m.inode.kho[ino], index):
        yield Step("kho_alloc_err", "Page {index} is believed to be a hole.", index=index)
        return -ENOENT
    return (yield from PATHS[shmem_alloc_kho_folio.__name__](m, ino, index, sgp))


def test_an_errno_has_its_name_and_success_without_a_page_is_no_page():
    cells = {
        mode: outcome(play(lookup("held", mode), variants={"shmem_alloc_kho_folio": nothing_is_held})) for mode in MODES
    }
    assert cells == dict.fromkeys(MODES, "ENOENT") | {"READ": "no page"}


def test_a_lookup_that_follows_others_is_told_from_its_own_beginning():
    before = lookup("cached", "READ")
    twice = Scenario("twice", "?", [{"cpu0": [("get_folio", (3, 1, 3)), ("get_folio", (3, 0, 0))]}], (), before.before)
    assert outcome(play(twice)) == "found"
