import pytest

from khosim.cli import main
from khosim.teach import predict, progress

pytestmark = pytest.mark.usefixtures("asked")


def test_shows_how_far_this_reader_has_come(capsys):
    predict("first-byte", b"x")
    assert main(["progress"]) == 0
    assert capsys.readouterr().out == f"{progress()}\n"


@pytest.mark.parametrize("folder", ["my", "notebooks"])
def test_finds_the_file_beside_the_notebooks(folder, capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("KHOSIM_PROGRESS")
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    predict("first-byte", b"x")
    monkeypatch.chdir(tmp_path)
    assert main(["progress"]) == 0
    assert "1 of 6" in capsys.readouterr().out


def test_reads_a_code(capsys):
    code = progress().code
    predict("first-byte", b"x")
    other = progress().code
    assert main(["progress", other]) == 0
    assert "1 of 6" in capsys.readouterr().out
    assert main(["progress", code, other]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{code}  99: 0/6", f"{other}  99: 1/6"]


def test_a_code_with_a_slip_is_refused(capsys):
    assert main(["progress", "00000-00001"]) == 2
    assert capsys.readouterr().err == "khosim progress: '00000-00001' has a slip in it; copy it again\n"


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["progress", "--help"])
    assert "a workshop: one line for each code" in capsys.readouterr().out
