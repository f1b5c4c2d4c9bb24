"""The timeline as it is drawn for print: calls, kexecs, lives and violations."""

import khosim
from khosim.show import plot
from khosim.show.lamps import rails
from khosim.show.picture import Verdict, picture
from khosim.show.plot.timeline import lives
from tests.kernel.rig import opened
from tests.show.sheet import axis


def test_the_timeline_tells_calls_kexecs_and_violations(trace):
    drawing = plot.timeline(axis(), trace, 40)
    assert f"Kexec before step {trace.kexecs[0]}." in drawing.alt
    for call in trace.calls:
        assert f"CPU 0 {call.name} {call.first}-{call.last}" in drawing.alt
    assert drawing.digest == trace.digest
    assert [text.get_text() for text in drawing.artists["playhead"] if hasattr(text, "get_text")] == ["40"]
    assert [text.get_text() for text in drawing.artists["kexec"] if hasattr(text, "get_text")] == ["KEXEC"]


def test_the_life_of_a_block_is_what_its_snapshots_say(trace):
    found = lives(trace, "guest", rails(trace))
    for t, moment in enumerate(trace):
        verdicts = picture(moment.snapshot, "guest")["verdict"]
        alive = {life.block: life.verdict for life in found if life.first <= t <= life.last}
        for block, verdict in enumerate(verdicts.tolist()):
            if verdict in (Verdict.HOLE, Verdict.UNKNOWN):
                assert block not in alive
            elif verdict in (Verdict.CACHED, Verdict.FRESH, Verdict.HELD):
                assert alive[block] == verdict
    kexec = trace.kexecs[0]
    assert not [life for life in found if life.first < kexec <= life.last]


def test_a_violation_has_its_cross_and_its_words():
    m = khosim.boot()
    with m.record("the size stays behind") as trace:
        fd = opened(m)
        m.os.posix_fallocate(fd, 0, 400)
    drawing = plot.timeline(axis(), trace)
    assert "Violated: Size mirrored: " in drawing.alt
    assert f"-{trace.steps}." in drawing.alt
    assert len(drawing.artists["violated"]) == 2
    fine = khosim.boot()
    with fine.record("nothing wrong") as trace:
        opened(fine)
    drawing = plot.timeline(axis(), trace)
    assert drawing.alt.endswith(" No violation.")
    assert "violated" not in drawing.artists
