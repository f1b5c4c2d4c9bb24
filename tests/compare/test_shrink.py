"""Shrinking keeps the difference and leaves little else."""

from khosim.compare.calls import Call, Name
from khosim.compare.shrink import shrink

PAGE = 4096
FD, MAP = Name("fd7"), Name("map9")


def differs_at(test):
    """Answers the first call for which `test(call, calls before it)` holds."""

    def differs(calls):
        return next((i for i, call in enumerate(calls) if test(call, calls[:i])), None)

    return differs


def test_calls_that_do_not_matter_go_and_names_start_at_one():
    noise = [Call("fstat", (FD,)) for _ in range(50)]
    opened = Call("memfd_create", ("file",), FD)
    calls = [*noise, opened, *noise, Call("ftruncate", (FD, 5 * PAGE + 17)), *noise]
    differs = differs_at(lambda call, before: call.name == "ftruncate" and opened in before)
    assert [str(call) for call in shrink(calls, differs, PAGE)] == [
        "fd1 = os.memfd_create('file')",
        "os.ftruncate(fd1, 0)",
    ]


def test_a_number_shrinks_to_the_edge_of_the_difference():
    calls = [Call("ftruncate", (FD, 61_234))]
    for least in (0, 1, 4095, 4096, 4097, 50_001):
        small = shrink(calls, differs_at(lambda call, _: call.args[1] >= least), PAGE)  # noqa: B023
        assert small[0].args[1] == least


def test_numbers_that_hang_together_move_together():
    calls = [Call("ftruncate", (FD, 40_962)), Call("pread", (FD, 1, 36_864))]
    differs = differs_at(lambda call, before: before and before[0].args[1] == call.args[2] + 4098)
    assert [call.args[-1] for call in shrink(calls, differs, PAGE)] == [4098, 0]


def test_a_store_keeps_its_value_as_long_as_its_slice():
    calls = [Call("store", (MAP, b"xyz" * 3000, 100, 9100))]
    differs = differs_at(
        lambda call, _: call.args[3] > PAGE and call.args[3] - call.args[2] == len(call.args[1])
    )
    (small,) = shrink(calls, differs, PAGE)
    assert small.args[2:] == (4097, 4097)


def test_data_becomes_plain():
    calls = [Call("pwrite", (FD, b"qwertyuiop", 3))]
    differs = differs_at(lambda call, _: len(call.args[1]) > 2)
    assert shrink(calls, differs, PAGE)[0].args == (FD, b"AAA", 0)


def test_it_gives_up_in_time():
    tried = []

    def differs(calls):
        tried.append(1)
        return len(calls) - 1

    shrink([Call("ftruncate", (FD, 10**9))] * 500, differs, PAGE, trials=20)
    assert len(tried) == 20
