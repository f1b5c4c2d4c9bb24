"""One lookup of one page: what each sgp mode does with a page that is cached, held, a hole and so on.

A lookup is played like any scenario; `outcome` reads off the recorded run what came of it.
"""

from __future__ import annotations

from errno import errorcode

from khosim.config import MachineConfig
from khosim.errors import UsageError
from khosim.kernel.memfd import MFD_KHO
from khosim.kernel.shmem_kho import SGP_CACHE, SGP_FALLOC, SGP_NOALLOC, SGP_READ, SGP_WRITE
from khosim.run.history import History
from khosim.scenarios.scenario import Scenario
from khosim.state import page_cache
from khosim.state.blocks import load_block
from khosim.state.mem_map import PG_uptodate, test_flag
from khosim.state.phys import pfn_phys
from khosim.state.snapshot import Snapshot
from khosim.user.calls import NO_FOLIO
from khosim.user.session import Request

__all__ = ["MODES", "PAGES", "lookup", "outcome"]

MODES = {"READ": SGP_READ, "NOALLOC": SGP_NOALLOC, "CACHE": SGP_CACHE, "WRITE": SGP_WRITE, "FALLOC": SGP_FALLOC}
"""Who asks, by the name that follows SGP_ in Linux."""

FD, INO, SIZE, PAST = 3, 0, MachineConfig().page_size, MachineConfig().nblocks
OPEN: Request = ("memfd_create", ("guest", MFD_KHO))
WRITTEN: Request = ("pwrite", (FD, SIZE, b"A" * SIZE, 0))

PAGES: dict[str, tuple[Request, ...]] = {
    "cached": (OPEN, WRITTEN),
    "not uptodate": (OPEN, ("fallocate", (FD, 0, 0, SIZE))),
    "swapped": (OPEN, WRITTEN, ("swapon", ()), ("swap_out", (FD, 0))),
    "held": (OPEN, WRITTEN, ("kexec", ()), OPEN),
    "hole": (OPEN, ("ftruncate", (FD, SIZE))),
    "past i_size": (OPEN,),
    "past the array": (OPEN, ("ftruncate", (FD, (PAST + 1) * SIZE))),
}
"""What a page can be when somebody asks for it -> the calls that make it so."""


def lookup(page: str, mode: str) -> Scenario:
    """The lookup of a page that is as `PAGES` says, in a mode of `MODES`. Raises `UsageError` for other names."""
    if page not in PAGES or mode not in MODES:
        raise UsageError(f"a page is {', '.join(PAGES)}; a mode {', '.join(MODES)}; not {page!r}, {mode!r}")
    index = PAST if page == "past the array" else 0
    return Scenario(
        f"SGP_{mode}: {page}",
        "What does the caller get, and what became of the page?",
        [{"cpu0": [("get_folio", (FD, index, MODES[mode]))]}],
        before=(*PAGES[page], ("drain", ())),
    )


def outcome(history: History) -> str:
    """What came of the lookup that ends a history: how the page was had and filled, or an errno by name.

    "found", "swapped in", "restored" (its block named it) or "new"; then, unless somebody had filled it before,
    "zeroed", "exposed" (called uptodate, and not zeroes) or "unfilled". "no page" is success without a page.
    """
    if history.failure is not None:
        return "never returns"
    call = history.calls[-1]
    if call.result < 0:
        return "no page" if call.result == NO_FOLIO else errorcode[-call.result]
    index, frame = call.args[1], call.result
    before, after = history.seek(call.first - 1), history.seek(call.last)
    entry = page_cache.load(before, INO, index)
    if page_cache.is_swap(entry):
        return "swapped in"
    if entry == page_cache.EMPTY and load_block(before, before.inode.kho[INO], index) == pfn_phys(before, frame):
        return "restored"
    if entry >= 0 and test_flag(before, entry, PG_uptodate):
        return "found"
    return f"{'found' if entry >= 0 else 'new'}, {_filled(after, frame)}"


def _filled(after: Snapshot, frame: int) -> str:
    if not test_flag(after, frame, PG_uptodate):
        return "unfilled"
    return "exposed" if any(after.arrays["phys"][frame]) else "zeroed"
