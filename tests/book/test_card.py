import pytest

from book.press.card import ROWS, faults

GOOD = dict.fromkeys(ROWS, "some words") | {
    "Time": "20 minutes",
    "Seed elements": "P36: lazily",
    "Bugs": "none named here",
}


def test_a_good_card_has_no_fault():
    assert list(faults(GOOD)) == []
    assert list(faults(GOOD | {"Seed elements": "none", "Bugs": "B24 and B25"})) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"Time": "a while"}, "the time is not in minutes"),
        ({"Seed elements": "the first"}, "seed elements are named as P01, or there are none"),
        ({"Bugs": "many"}, "bugs are named as B01, or there are none"),
    ],
)
def test_a_fault_is_named(change, fault):
    assert list(faults(GOOD | change)) == [fault]


def test_a_row_that_is_missing_or_misplaced_is_a_fault():
    assert len(list(faults({key: GOOD[key] for key in ROWS[1:]}))) == 1
    assert len(list(faults({key: GOOD[key] for key in reversed(ROWS)}))) == 1
