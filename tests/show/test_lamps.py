"""The lamps: what is violated, and when a reader is told."""

import khosim
from khosim.run.scheduler import Choice
from khosim.scenarios import Scenario, play
from khosim.show.lamps import NAMES, STATEMENTS, lamps, rails
from khosim.state.invariants import INVARIANTS, violations


def recorded(*acts):
    m = khosim.boot()
    with m.record() as trace:
        fd = m.os.memfd_create("guest", khosim.MFD_KHO)
        for act in acts:
            act(m, fd)
    return trace


def test_every_invariant_has_a_short_name_and_a_full_statement():
    assert tuple(INVARIANTS) == NAMES
    assert all(STATEMENTS[name] == holds.__doc__ for name, holds in INVARIANTS.items())
    assert all(len(name) <= 15 and holds.__doc__.endswith(".") for name, holds in INVARIANTS.items())


def test_nothing_is_violated_by_writing_and_reading():
    trace = recorded(lambda m, fd: m.os.pwrite(fd, b"x" * 100, 0), lambda m, fd: m.os.pread(fd, 10, 0))
    assert set(lamps(trace)) == {()}


def test_what_is_broken_only_within_a_call_is_not_told():
    trace = recorded(lambda m, fd: m.os.pwrite(fd, b"x", 0))
    assert any(violations(moment.snapshot) for moment in trace)
    assert not any(lamps(trace))


def test_what_is_broken_within_a_call_is_pending():
    trace = recorded(lambda m, fd: m.os.pwrite(fd, b"x", 0), lambda m, fd: m.os.ftruncate(fd, 64))
    found = list(rails(trace))
    for moment, rail in zip(trace, found, strict=True):
        broken = {words.split(":")[0] for words in violations(moment.snapshot)}
        assert broken == {words.split(":")[0] for words in rail.bad} | set(rail.pending)
        assert not rail.pending or moment.t < trace.calls[moment.call].last
    assert {name for rail in found for name in rail.pending} >= {"No leak", "Size mirrored"}
    assert found[-1].pending == ()


def test_another_cpu_that_returns_does_not_end_the_wait():
    calls = {"cpu0": [("pwrite", (3, 1, b"x", 0))], "cpu1": [("pread", (3, 1, 64))]}
    opened = [("memfd_create", ("guest", khosim.MFD_KHO))]
    program = Scenario("two", "Who says that a call has returned?", [calls], before=opened)
    waited = 0
    for alone in range(1, 20):
        history = interrupted(program, alone)
        write, read = history.calls
        assert read.last < write.last
        waited += bool(list(rails(history))[read.last].pending)
        assert not any(lamps(history))
    assert waited


def interrupted(program, alone):
    """CPU 0 makes so many choices, then CPU 1 runs until its call has returned."""
    runs = (play(program, [Choice("cpu0", 0)] * alone + [Choice("cpu1", 0)] * n) for n in range(9))
    return next(run for run in runs if run.calls[1].last < run.calls[0].last)


def test_a_size_that_is_not_mirrored_is_told_when_the_call_returns():
    trace = recorded(lambda m, fd: m.os.ftruncate(fd, 64))
    told = [moment.t for moment, bad in zip(trace, lamps(trace), strict=True) if bad]
    assert told == [trace.steps]
    assert lamps(trace)[-1] == ("Size mirrored: guest has 64 bytes, its KHO inode remembers 0",)


def test_a_lamp_goes_out_as_soon_as_it_is_mended():
    trace = recorded(lambda m, fd: m.os.ftruncate(fd, 64), lambda m, fd: m.os.pwrite(fd, b"x" * 65, 0))
    mended = trace.why("kho_i_size").t
    assert lamps(trace)[mended - 1]
    assert not lamps(trace)[mended]


def test_swap_out_leaves_a_stale_block():
    trace = recorded(
        lambda m, fd: m.os.pwrite(fd, b"x", 0), lambda m, _: m.swapon(), lambda m, fd: m.swap_out(fd, 0)
    )  # fmt: skip
    names = {words.split(":")[0] for words in lamps(trace)[-1]}
    assert names == {"No stale block"}
