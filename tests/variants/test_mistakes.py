import inspect

import pytest

import khosim
from khosim.errors import KernelFailure, UsageError
from khosim.steps import PATHS
from khosim.variants.mistakes import MISTAKES

mistakes = pytest.mark.parametrize("mistake", MISTAKES.values(), ids=lambda mistake: mistake.name)


@mistakes
def test_is_made_of_whole_kernel_paths(mistake):
    assert mistake.paths
    for name, function in mistake.paths.items():
        assert name in PATHS
        assert inspect.isgeneratorfunction(function)
        assert function is not PATHS[name]
        posted = inspect.signature(PATHS[name]).parameters
        assert len(inspect.signature(function).parameters) == len(posted)
        assert "Kernel:" in function.__doc__


@mistakes
def test_boots(mistake):
    """Not a broken kernel, a mistaken one: at least it comes up."""
    try:
        assert khosim.boot(variants=mistake.paths).boots == 1
    except (KernelFailure, UsageError) as error:
        pytest.fail(f"{mistake.name} cannot boot: {error}")
