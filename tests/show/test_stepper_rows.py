"""What the stepper reads of a document of any size: rows in shared chunks, ranges, columns, and how long it takes."""

from itertools import pairwise

import pytest

from khosim.show.frame import states
from tests.show.large import MILLION, large

MODULE = "async (given) => { const m = await import('/stepper.js'); return (%s)(m, given); }"


@pytest.fixture(scope="module")
def million():
    return {"document": large(MILLION, pages=300), "sources": {}}


def pure(page, code, given=None):
    return page.evaluate(MODULE % code, given)


def test_rows_of_any_length_are_rebuilt_cell_for_cell(page):
    doc = large(4096, steps=30)
    code = """({ decode }, doc) => decode(doc).states.map(({ rows }) =>
        Object.values(rows).map((row) => [...row.slice(0, row.length)]))"""
    rebuilt = pure(page, code, doc)
    for state, rows in zip(states(doc), rebuilt, strict=True):
        assert [plane.tolist() for plane in state.planes.values()] == rows


def test_a_step_shares_the_chunks_that_it_leaves_alone(page, million):
    shared = """({ decode }, { document }) => {
        const all = decode(document).states;
        const changed = (a, b) => b.filter((x, c) => x !== a[c] && typeof x !== "number");
        const own = all.slice(1).map(({ rows }, k) => changed(all[k].rows.role.chunks, rows.role.chunks).length);
        return Math.max(...own.filter((_, k) => k + 1 !== 50)); // a kexec touches every page of the file
    }"""
    assert pure(page, shared, million) == 1


def test_counts_and_runs_of_a_row_agree_with_its_cells(page):
    agree = """({ unpack, differences }) => {
        const row = unpack([3, 1000, 0, 5000, 7, 1, 2, 3000]).write([990, 40, 9, 4000, 1, 11, 1024, 1024, 5]);
        const other = row.write([0, 1, 3, 2048, 1024, 1, 8999, 2, 4]), cells = [...row.slice(0, row.length)];
        const times = (v, a, b) => cells.slice(a, b).filter((x) => x === v).length;
        const count = (a, b) => Array.from({ length: 16 }, (_, v) => times(v, a, b));
        const runs = [...row.runs(980, 4100)], changed = [...differences(row, other)];
        const spans = [[0, 9001], [0, 1024], [1000, 4001], [1023, 1025], [5, 5]];
        return [
            spans.every(([a, b]) => count(a, b).join() === [...row.tally(a, b)].join()),
            runs.every(([a, b, v]) => a < b && times(v, a, b) === b - a) && runs.at(-1)[1] === 4100,
            runs.every(([a, , v], k) => !k || (runs[k - 1][1] === a && runs[k - 1][2] !== v)),
            row.find(5, 2000).length === 1024 && row.find(11, 9).join() === "4000",
            changed.every(([a, b, was]) => times(was, a, b) === b - a),
            changed.every(([a, b, was, is]) => other.tally(a, b)[is] === b - a && was !== is),
            changed.reduce((sum, [a, b]) => sum + b - a, 0) === cells.filter((x, n) => x !== other.at(n)).length,
            row.at(-1) === -1 && row.at(9001) === -1,
        ];
    }"""
    assert pure(page, agree) == [True] * 8


def test_ranges_lie_side_by_side_and_each_within_one_of_the_next_level(page):
    found = """({ zooms, shownRange, wider }) => [zooms(64), zooms(256), zooms(300), zooms(4096), zooms(1 << 20),
        shownRange(70, 64, 300), shownRange(299, 64, 300), wider(shownRange(0x91667, 64, 1 << 20), 1 << 20)]"""
    small, full, odd, four, all_, inner, end, above = pure(page, found)
    assert (small, full, odd, four) == ([64], [256], [64, 256, 300], [64, 256, 4096])
    assert all_ == [64, 256, 4096, MILLION]
    assert inner == {"first": 64, "last": 128, "zoom": 64}
    assert end == {"first": 256, "last": 300, "zoom": 64}
    assert above == [
        {"first": 0, "last": MILLION, "zoom": MILLION},
        {"first": 0x91000, "last": 0x92000, "zoom": 4096},
    ]


def test_columns_of_a_density_cover_each_frame_once(page):
    found = pure(page, "({ columnRange }) => Array.from({ length: 128 }, (_, c) => columnRange(c, 128, 0, 1000003))")
    assert found[0][0] == 0
    assert found[-1][1] == 1000003
    assert all(a[1] == b[0] for a, b in pairwise(found))
