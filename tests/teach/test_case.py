import pytest

from khosim.errors import KernelPanic
from khosim.teach.case import Case, play
from tests.teach.desk import OPEN


def test_what_is_shown_is_what_runs():
    run = play(f"{OPEN}\ngot = m.os.pwrite(fd, b'abc', 0)")
    assert (run.names["got"], run.error, run.trace) == (3, None, None)


def test_a_titled_run_is_recorded_from_its_first_line():
    run = play(f"{OPEN}\nm = m.kexec()", title="crossing")
    assert [call.text.partition("(")[0] for call in run.history.calls] == ["memfd_create", "kexec"]
    assert run.history.title == "crossing"
    assert run.names["m"].boots == 2


def test_an_unrecorded_run_has_no_history():
    with pytest.raises(TypeError, match="not recorded"):
        _ = play("").history


def test_what_the_kernel_refuses_ends_the_program_and_is_kept():
    run = play(f"{OPEN}\nm.os.pread(99, 1, 0)\nnever = 1", title="refused")
    assert run.error.errno == 9
    assert "never" not in run.names
    assert run.history.steps > 0


def test_what_the_kernel_dies_of_is_kept():
    def dies(m, ino, size):
        raise KernelPanic("Oops")
        yield

    run = play(f"{OPEN}\nm.os.ftruncate(fd, 1)", {"i_size_write": dies}, title="dies")
    assert isinstance(run.error, KernelPanic)
    assert run.history.failure is run.error


def test_a_slip_of_the_program_is_raised():
    with pytest.raises(NameError):
        play("nobody")


@pytest.mark.parametrize(
    ("rule", "said"), [("always", "always"), ({"a": "of a"}, "of a"), (lambda entry: f"by {entry}", "by a")]
)
def test_a_rule_may_depend_on_the_entry(rule, said):
    assert Case("", "", lambda _: 1, rule, "").rule_of("a") == said


def test_a_machine_may_have_another_shape():
    assert play("", shape={"frames": 128}).names["m"].frames == 128
