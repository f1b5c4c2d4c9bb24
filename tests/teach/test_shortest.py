import pytest

from khosim.errors import KernelPanic
from khosim.steps import Step
from khosim.teach.shortest import shortest
from tests.teach.desk import OPEN

LINES = ("m.os.pwrite(fd, b'A', 0)", "m.os.ftruncate(fd, 64)", "m.os.pread(99, 1, 0)")


def test_shorter_programs_come_first():
    seen = []

    def holds(run):
        seen.append(run)
        if run.names["m"].os.fstat(3).st_size == 64:
            yield "It has 64 bytes."

    found, tried = shortest(OPEN, LINES, 3, holds, {})
    assert found.program == f"{OPEN}\n{LINES[1]}"
    assert found.sentence == "It has 64 bytes."
    assert found.trace.steps > 0
    assert tried == len(seen) == 3


def test_a_program_that_ended_early_is_not_made_longer():
    found, tried = shortest(OPEN, LINES, 2, lambda _: iter(()), {})
    assert found is None
    assert tried == 1 + 3 + 2 * 3


def test_a_kernel_that_dies_is_a_counterexample():
    def dies(m, ino, size):
        raise KernelPanic("Oops")
        yield

    found, _ = shortest(OPEN, LINES, 2, lambda _: iter(()), {"i_size_write": dies})
    assert found.sentence == "The kernel dies: KernelPanic: Oops"
    assert found.trace.failure is not None


def test_what_shows_it_may_be_a_recording_of_what_came_next():
    shown = []

    def holds(run):
        with run.names["m"].record("one more call") as trace:
            run.names["m"].os.ftruncate(3, 64)
        shown.append(trace)
        yield "It can be made longer.", trace

    found, _ = shortest(OPEN, LINES, 1, holds, {})
    assert [found.program, found.sentence] == [OPEN, "It can be made longer."]
    assert found.trace is shown[0]


def endless(m, ino, size):
    while True:
        yield Step("again", "And again.")


def test_a_path_without_an_end_is_told_in_words_and_not_drawn():
    found, _ = shortest(OPEN, ["m.os.ftruncate(fd, 64)"], 1, lambda _: iter(()), {"i_size_write": endless})
    assert "200,000 steps" in found.sentence
    assert found.trace is None


def test_a_kernel_that_dies_when_it_is_asked_is_a_counterexample():
    def holds(run):
        run.names["m"].os.ftruncate(3, 64)
        yield from ()

    found, _ = shortest(OPEN, [], 0, holds, {"i_size_write": endless})
    assert found.program == OPEN
    assert found.sentence.startswith("The kernel dies when it is asked what came of it: Endless: ")


def test_what_a_function_raises_names_the_program_also_when_it_is_asked_later():
    def slips(m, ino, size):
        yield Step("on", "On it goes.")
        return None + 1

    def holds(run):
        run.names["m"].os.ftruncate(3, 64)
        yield from ()

    with pytest.raises(TypeError) as raised:
        shortest(OPEN, [], 0, holds, {"i_size_write": slips})
    assert OPEN in raised.value.__notes__[-1]
