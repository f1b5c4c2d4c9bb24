import pytest

from book.press.appendices import Taught, catalogue, code, coverage
from book.press.generate import ROOT, data, recorded, repairs
from book.press.model import Function, bug_tests, functions

ELEMENTS = {"P01": {"at": "shmem_x", "does": "Does one thing."}}
BUGS = {"B01": {"severity": 1, "at": ["P01"], "title": "A title", "what": "What goes wrong.", "runs": ["a_run"]}}
MODEL = [
    Function(
        "shmem_x", "khosim/kernel/shmem.py", 7, "One sentence.", "mm/shmem.c, shmem_x(), P01", "none", "-", ("B01",)
    )
]
CHAPTER = Taught("07-x", "A chapter", {"B01"}, {"shmem_x"})


def bugs(model=MODEL, bugs=BUGS, **more):
    known = {"elements": ELEMENTS, "runs": {"a_run"}, "tests": {}, "repairs": {}} | more
    return catalogue(bugs, model, [CHAPTER], **known)


def test_a_bug_has_its_place_its_run_its_function_and_its_chapter():
    page, wrong = bugs(tests={"B01": ["tests/kernel/test_x.py: test_b01_x"]}, repairs={"B01": "khosim/variants/b01.py"})
    assert wrong == []
    for said in ["(b01)=\n## B01: A title", ":In the patch: P01", "`a_run`", "`shmem_x()`", "`test_b01_x`",
                 ":Repair: `khosim/variants/b01.py`", "[A chapter](../notebooks/07-x.ipynb)"]:  # fmt: skip
        assert said in page


def test_a_bug_without_runs_was_found_by_reading():
    page, _ = bugs(bugs={"B01": BUGS["B01"] | {"runs": []}})
    assert ":Recorded: no; found by reading" in page


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"bugs": {}}, "khosim/kernel/shmem.py: shmem_x names B01, which is in no catalogue"),
        ({"tests": {"B02": ["test_x.py: test_b02_x"]}}, "test_x.py: test_b02_x shows B02, which is in no catalogue"),
        ({"repairs": {"B02": "b02.py"}}, "b02.py repairs B02, which is in no catalogue"),
        ({"elements": {}}, "B01: there is no element P01"),
        ({"runs": set()}, "B01: there is no recorded run a_run"),
    ],
)
def test_what_does_not_fit_together_is_named(change, wrong):
    assert bugs(**change)[1] == [wrong]


def test_an_element_has_its_functions_and_the_chapters_that_run_them():
    page, wrong = coverage(ELEMENTS, MODEL, [CHAPTER])
    assert wrong == []
    assert "(p01)=\n### P01\n\nDoes one thing.\n\n:Modelled by: `shmem_x()`\n:Chapters: [A chapter](" in page


def test_an_element_that_nobody_models_is_named():
    assert coverage(ELEMENTS, [], [])[1] == ["P01: no function of the model names it"]


def test_a_function_of_an_unknown_element_is_named():
    assert coverage({}, MODEL, [])[1] == ["khosim/kernel/shmem.py: shmem_x names P01, which is no element"]


def test_a_function_has_its_sentence_and_its_line():
    page, wrong = code(MODEL, [CHAPTER])
    assert wrong == []
    for said in [
        "(fn-shmem-x)=\n### `shmem_x()`",
        "One sentence.",
        ":Left out: nothing",
        "line 7",
        ":Runs in: [A chapter]",
    ]:
        assert said in page


def test_two_functions_of_one_name_are_named():
    assert code([*MODEL, *MODEL], [])[1] == ["khosim/kernel/shmem.py: another function is called shmem_x too"]


def test_the_data_files_have_every_element_and_every_bug():
    assert list(data("elements")) == [f"P{n:02}" for n in range(1, 42)]
    assert list(data("bugs")) == [f"B{n:02}" for n in range(1, 47)]


def test_the_catalogue_of_this_tree_fits_together():
    found = catalogue(
        data("bugs"), functions(ROOT / "khosim"), [], elements=data("elements"),
        runs=recorded((ROOT / "tests" / "traces").glob("*.gz")), tests=bug_tests(ROOT / "tests" / "kernel"),
        repairs=repairs(),
    )  # fmt: skip
    assert found[1] == []


def test_every_repair_has_its_file():
    assert all((ROOT / path).is_file() for path in repairs().values())
