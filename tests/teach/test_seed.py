import os
import subprocess
import sys
from pathlib import Path

from khosim.teach.seed import Seed

ROOT = Path(__file__).parents[2]


def picks(number):
    seed = Seed("a-question", number)
    return seed.among("a", "b", "c"), seed.number_from(3, 9), seed.some(range(5), 3)


def test_seed_0_takes_the_first_of_everything():
    assert picks(0) == ("a", 3, [0, 1, 2])


def test_a_seed_gives_the_same_instance_in_every_process():
    said = "from tests.teach.test_seed import picks; print([picks(n) for n in range(20)])"
    again = subprocess.run(
        [sys.executable, "-c", said], capture_output=True, text=True, check=True,
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert again.stdout == f"{[picks(n) for n in range(20)]}\n"


def test_seeds_reach_every_instance():
    many = [picks(n) for n in range(600)]
    assert {word for word, _, _ in many} == {"a", "b", "c"}
    assert {number for _, number, _ in many} == {*range(3, 10)}
    assert len({tuple(some) for _, _, some in many}) == 5 * 4 * 3


def test_some_are_different_ones():
    assert all(len({*picks(n)[2]}) == 3 for n in range(600))
