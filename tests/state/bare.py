"""A machine's arrays with empty lists and no kernel in them, for tests of one array at a time."""

from khosim.config import MachineConfig
from khosim.state.lists import init_lists
from khosim.state.machine import MachineState

__all__ = ["bare"]


def bare(**shape):
    """All bytes zero, but for what an empty list and a page without a head look like."""
    m = MachineState(MachineConfig(**shape))
    init_lists(m)
    m.arrays["page"]["head"] = -1
    m.arrays["slots"][:] = -1
    return m
