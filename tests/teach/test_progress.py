import json
import subprocess
import sys
from errno import EACCES
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khosim.errors import UsageError
from khosim.teach import names
from khosim.teach.progress import FILE, Progress, decoded, encoded, place

ROOT = Path(__file__).resolve().parents[2]
NAMES = [f"question-{n}" for n in range(90)]


def test_the_file_is_beside_the_notebook_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("KHOSIM_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert place().resolve() == tmp_path / FILE
    monkeypatch.setenv("KHOSIM_PROGRESS", str(tmp_path / "mine.json"))
    assert place() == tmp_path / "mine.json"


def test_survives_a_restart(tmp_path):
    path = tmp_path / FILE
    Progress(path).note("a", 0, right=False)
    Progress(path).note("a", 0, right=True)
    Progress(path).note("a", 3, right=True)
    again = Progress(path)
    assert (again.right, again.tries) == ({"a": [0, 3]}, {"a": 3})
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_holds_names_of_questions_and_numbers_alone(tmp_path):
    path = tmp_path / FILE
    Progress(path).note("a", 2, right=True)
    assert json.loads(path.read_text()) == {"format": 1, "right": {"a": [2]}, "tries": {"a": 1}}


@pytest.mark.parametrize(
    "broken",
    [b"", b"{", b"[]", b"null", b"{}", b'{"format": 1}', b'{"format": 1, "right": {}}', b"\xff\xfe",
     b'{"format": 1, "right": 3, "tries": {}}', b'{"format": 1, "right": {"a": [1e999]}, "tries": {}}',
     b'{"format": 1, "right": {"a": ["x"]}, "tries": {}}', b"[" * 100_000],
)  # fmt: skip
def test_a_damaged_file_is_kept_aside_and_a_new_one_begins(tmp_path, broken):
    path = tmp_path / FILE
    path.write_bytes(broken)
    kept = Progress(path)
    assert kept.right == {}
    assert "is kept as khosim-progress.json.damaged-1" in kept.notice
    assert (tmp_path / f"{FILE}.damaged-1").read_bytes() == broken
    assert kept.note("a", 0, right=True) == kept.notice
    assert Progress(path).right == {"a": [0]}


def test_the_file_of_another_release_is_kept_aside_and_called_so(tmp_path):
    path = tmp_path / FILE
    path.write_text('{"format": 2, "answers": []}')
    assert "was written by another release of the book. It is kept as" in Progress(path).notice
    assert (tmp_path / f"{FILE}.damaged-1").read_text() == '{"format": 2, "answers": []}'


def test_a_second_damage_does_not_overwrite_the_first(tmp_path):
    path = tmp_path / FILE
    for text in ("one", "two"):
        path.write_text(text)
        Progress(path)
    assert [(tmp_path / f"{FILE}.damaged-{n}").read_text() for n in (1, 2)] == ["one", "two"]


def test_a_folder_that_takes_no_file_is_told_and_loses_no_answer(tmp_path):
    path = tmp_path / "missing" / FILE
    said = Progress(path).note("a", 0, right=True)
    assert said == f"Your progress could not be kept: {FILE}: No such file or directory."


def test_a_file_that_cannot_be_read_is_left_alone(tmp_path):
    path = tmp_path / FILE
    path.mkdir()
    assert "cannot be read" in Progress(path).notice
    assert "cannot be read" in Progress(path).note("a", 0, right=True)
    assert path.is_dir()
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_may_not_be_read_is_not_written_over(tmp_path, monkeypatch):
    path = tmp_path / FILE
    Progress(path).note("a", 0, right=True)
    whole = path.read_bytes()
    monkeypatch.setattr("pathlib.Path.read_bytes", _refused)
    assert Progress(path).note("b", 0, right=True) == f"Your progress cannot be read: {FILE}: Permission denied."
    monkeypatch.undo()
    assert path.read_bytes() == whole


def test_a_damaged_file_that_cannot_be_put_aside_is_left_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / FILE
    path.write_text("damaged")
    monkeypatch.setattr("pathlib.Path.replace", _refused)
    assert "cannot be put aside: Permission denied." in Progress(path).note("a", 0, right=True)
    assert path.read_text() == "damaged"
    assert [*tmp_path.iterdir()] == [path]


def test_what_could_not_be_put_in_place_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / FILE
    monkeypatch.setattr("pathlib.Path.replace", _refused)
    assert "could not be kept" in Progress(path).note("a", 0, right=True)
    assert [*tmp_path.iterdir()] == []


def _refused(*_words):
    raise PermissionError(EACCES, "Permission denied")


def test_two_notebooks_at_once_lose_no_answer(tmp_path):
    path = tmp_path / FILE
    program = (
        "import sys; from pathlib import Path; from khosim.teach.progress import Progress\n"
        "for seed in range(25): Progress(Path(sys.argv[1])).note(sys.argv[2], seed, right=True)"
    )
    both = [subprocess.Popen([sys.executable, "-c", program, str(path), name], cwd=ROOT) for name in ("one", "two")]
    assert [notebook.wait() for notebook in both] == [0, 0]
    assert Progress(path).right == {"one": [*range(25)], "two": [*range(25)]}


@given(st.sets(st.sampled_from(NAMES)))
def test_a_code_says_what_is_done(done):
    code = encoded(done, NAMES)
    assert decoded(code, NAMES) == done
    assert decoded(code.lower().replace("-", " "), NAMES) == done
    assert len(code) <= 27


@given(st.sets(st.sampled_from(NAMES)), st.data())
def test_a_slip_in_a_code_is_noticed(done, data):
    code = encoded(done, NAMES).replace("-", "")
    at = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from([d for d in "0123456789ABCDEFGHJKMNPQRSTVWXYZ" if d != code[at]]))
    try:
        found = decoded(code[:at] + other + code[at + 1 :], NAMES)
    except UsageError:
        return
    pytest.fail(f"taken for {sorted(found)}")


@pytest.mark.parametrize(
    ("code", "said"), [("", "digits and letters"), ("a,b", "digits and letters"), ("AAAAA-AAAAA", "a slip")]
)
def test_what_is_no_code_is_refused_in_words(code, said):
    with pytest.raises(UsageError, match=said):
        decoded(code, NAMES)


def test_a_code_of_another_release_is_told_apart_from_a_slip():
    with pytest.raises(UsageError, match="another release"):
        decoded(encoded(set(), NAMES[:-1]), NAMES)


def test_the_books_own_code_is_short():
    assert len(encoded(set(names()), names())) <= 40
