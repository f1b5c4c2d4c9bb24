"""Lucky numbers stay within their bounds and reach every edge."""

import random

import pytest

from khosim.compare.luck import Luck

PAGE = 4096


@pytest.fixture
def luck():
    return Luck(random.Random(1), PAGE, 16 * PAGE)


def test_offsets_reach_the_edges_and_the_end(luck):
    drawn = {luck.offset(end=5000) for _ in range(5000)}
    assert {0, PAGE - 1, PAGE, PAGE + 1, 4999, 5000, 5001, 16 * PAGE} <= drawn
    assert min(drawn) < 0
    assert max(drawn) == 16 * PAGE


def test_lengths_are_small_and_sometimes_nothing(luck):
    drawn = {luck.length() for _ in range(5000)}
    assert {0, 1, PAGE - 1, PAGE, PAGE + 1} <= drawn
    assert max(drawn) <= 4 * PAGE
    assert min(luck.signed_length() for _ in range(5000)) < 0


@pytest.mark.parametrize("length", [1, 2, PAGE, 3 * PAGE + 5])
def test_spans_lie_in_the_mapping(luck, length):
    for _ in range(500):
        start, stop = luck.span(length)
        assert 0 <= start < length
        assert start <= stop <= length
        assert 0 <= luck.page_start(length) < length


def test_data_never_repeats_at_a_page_edge(luck):
    data = luck.data(2 * PAGE)
    assert len(data) == 2 * PAGE
    assert len(set(data[:3])) == 1 or data[:9] != data[PAGE : PAGE + 9]
