"""A fake history tells its own violations; a real one is looked at. And pages with a stepper on them."""

import pytest

import khosim
from khosim.show import frame, text
from khosim.show.lamps import Rail, rails
from tests.browser import opened
from tests.kernel import rig
from tests.show.bare import files, recorded, traits
from tests.show.fakes import story
from tools.browser import served


def told_or_seen(history):
    moments = [history[t] for t in range(len(history))]
    return [Rail(m.violations, m.pending) for m in moments] if hasattr(moments[0], "pending") else rails(history)


def told(history):
    return [rail.bad for rail in told_or_seen(history)]


@pytest.fixture(autouse=True, scope="session")
def _fakes_tell_their_violations():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame, "rails", told_or_seen)
        patch.setattr(text, "lamps", told)
        yield


@pytest.fixture(scope="module")
def site():
    with served(files(story())) as address:
        yield address


@pytest.fixture
def page(browser, site):
    with opened(browser, site) as page:
        yield page


@pytest.fixture
def phone(browser, site):
    with opened(browser, site, 390) as page:
        yield page


@pytest.fixture(scope="module")
def lived():
    return traits(recorded(64))


@pytest.fixture(scope="module")
def forked():
    """A run of two kernels, and its other future after the kexec."""
    machine = khosim.boot(frames=64, page_size=64)
    with machine.record("a fork") as trace:
        fd = rig.opened(machine)
        machine.os.pwrite(fd, b"hello", 0)
        machine, fd = rig.crossed(machine)
        machine.os.pread(fd, 5, 0)
    t = next(moment.t for moment in trace if moment.t > trace.kexecs[0] and trace.alternatives(moment.t))
    return trace, trace.fork(t, trace.alternatives(t)[0])


@pytest.fixture(scope="module")
def parted():
    """A read that restores a block, and one for which the page cache has no memory: two futures."""
    machine = khosim.boot(frames=64, page_size=64)
    with machine.record("a fork") as trace:
        fd = rig.opened(machine)
        machine.os.pwrite(fd, b"hello, next kernel", 0)
        machine.os.pwrite(fd, b"second page", 64)
    asked = [m.t for m in trace if any(str(choice) == "cpu0=-12" for choice in trace.alternatives(m.t))]
    return traits(trace.fork(asked[0], "cpu0=-12"))


@pytest.fixture(scope="session")
def trace():
    """One file crosses: what the drawings for print show."""
    m = khosim.boot()
    with m.record("one file crosses") as found:
        fd = rig.opened(m)
        m.os.pwrite(fd, b"A" * 130, 0)
        m.os.pwrite(fd, b"hello, next kernel", 320)
        m, fd = rig.crossed(m)
        m.os.pread(fd, 18, 0)
        m.os.ftruncate(fd, 100)
    return found
