import pytest

from book.press.model import anchor, bug_tests, defined, elements, functions
from book.press.names import Names

SOURCE = '''
def shmem_x(m):
    """Do one thing,
    in one sentence.

    Kernel:   mm/shmem.c, shmem_x(), folio_y(), P02, P12-P14;
              as posted
    Locks:    folio lock
    Left out: the rest (B44)
    """

def helper(m):
    """No Linux function."""
'''


@pytest.fixture
def tree(tmp_path):
    for room in ("kernel", "variants", "state"):
        (tmp_path / "khosim" / room).mkdir(parents=True)
    (tmp_path / "khosim" / "kernel" / "shmem.py").write_text(SOURCE)
    (tmp_path / "khosim" / "state" / "buddy.py").write_text("class Lists: ...\ndef take(m): ...\n")
    return tmp_path / "khosim"


def test_reads_a_docstring_as_the_house_writes_it(tree):
    [found] = functions(tree)
    assert (found.name, found.file, found.line) == ("shmem_x", "khosim/kernel/shmem.py", 2)
    assert found.sentence == "Do one thing, in one sentence."
    assert found.kernel == "mm/shmem.c, shmem_x(), folio_y(), P02, P12-P14; as posted"
    assert (found.locks, found.left_out) == ("folio lock", "the rest (B44)")
    assert found.elements == ["P02", "P12", "P13", "P14"]
    assert found.linux == ["shmem_x", "folio_y"]
    assert found.bugs == ("B44",)


def test_a_range_of_elements_is_all_of_them():
    assert elements("P01, and P03-P05") == ["P01", "P03", "P04", "P05"]
    assert elements("XP01 P1") == []


def test_finds_the_tests_that_show_a_bug(tmp_path):
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "test_x.py").write_text("def test_b07_one():\n    pass\n\ndef test_other():\n    pass\n")
    assert bug_tests(tmp_path / "kernel") == {"B07": ["kernel/test_x.py: test_b07_one"]}


def names(tree):
    return Names(functions(tree), {"kmalloc", *defined(tree)})


def test_a_name_of_the_model_and_one_of_linux_lead_to_the_model(tree):
    assert names(tree).find("shmem_x") == anchor("shmem_x") == "fn-shmem-x"
    assert names(tree).find("folio_y") == "fn-shmem-x"


@pytest.mark.parametrize(
    "name", ["kmalloc", "take", "Lists", "pread", "m.kexec", "m.os.pread", "trace.why", "khosim.boot"]
)
def test_a_name_that_is_known_needs_no_entry(tree, name):
    assert names(tree).find(name) == ""


@pytest.mark.parametrize("name", ["shmem_z", "m.reboot", "m.os.mkdir", "khosim.shut", "thing.why"])
def test_a_name_that_nobody_knows_is_refused(tree, name):
    assert names(tree).find(name) is None
