"""What the README shows is what happens."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_program_runs_and_prints_what_its_comments_say(capsys):
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(program, "README.md", "exec"), {})  # noqa: S102 - it is our own page
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "b'hello, next kernel'"
    assert out[1].startswith("one page crosses: ")
    assert re.search(r"#\s+(Block 0 names frame 0x\w+\.)", program)[1] == out[-1]


def test_every_path_it_names_is_there_but_for_what_make_builds():
    for name in re.findall(r"`((?:khosim|notebooks|tests|book)/[\w./-]+)`", README):
        assert "_build" in name or (ROOT / name).exists(), name


def test_every_file_of_the_reading_order_is_there():
    order = README.split("Reading order of the core:")[1].split("\n\n")[0]
    names = re.findall(r"`([\w/]+\.py)`", order)
    assert names
    assert all((ROOT / "khosim" / name).exists() for name in names)
