import importlib.metadata
import platform
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import rattler
import yaml

from tools import envfile

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
SPECS = [line for line in ENVIRONMENT["dependencies"] if isinstance(line, str)]
PYPI_NAMES = {conda: pypi for pypi, conda in envfile.CONDA_NAMES.items()}


def installed(conda_name: str) -> str:
    if conda_name == "python":
        return platform.python_version()
    return importlib.metadata.version(PYPI_NAMES.get(conda_name, conda_name))


def run(*command: object) -> subprocess.CompletedProcess:
    return subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False)


def test_environment_file_is_the_one_made_from_pyproject():
    assert envfile.ENVIRONMENT.read_text() == envfile.environment(PYPROJECT["project"])


def test_check_tells_fresh_from_stale(tmp_path, monkeypatch):
    stale = tmp_path / "environment.yml"
    stale.write_text("name: khosim\n")
    monkeypatch.setattr(sys, "argv", ["envfile.py", "--check"])
    envfile.main()
    monkeypatch.setattr(envfile, "ENVIRONMENT", stale)
    with pytest.raises(SystemExit, match="stale"):
        envfile.main()


def test_environment_takes_nothing_from_the_licensed_channel():
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"]


@pytest.mark.parametrize("spec", SPECS)
def test_conda_reads_the_line_and_this_environment_meets_it(spec):
    wanted = rattler.MatchSpec(spec)
    name = wanted.name.normalized if hasattr(wanted.name, "normalized") else str(wanted.name)
    if wanted.version:
        assert rattler.VersionSpec(wanted.version).matches(rattler.Version(installed(name)))


@pytest.mark.parametrize("requirement", ["numpy[x]", "numpy; python_version>'3'", "numpy @ https://x.org/y"])
def test_a_requirement_conda_cannot_say_is_refused(requirement):
    with pytest.raises(ValueError, match="conda cannot say"):
        envfile.conda_spec(requirement)


def test_core_needs_numpy_alone():
    assert [spec.split(">")[0] for spec in PYPROJECT["project"]["dependencies"]] == ["numpy"]


def test_lock_is_the_one_made_from_pyproject():
    check = run(sys.executable, "-m", "uv", "lock", "--check", "--offline")
    assert check.returncode == 0, check.stderr


def test_wheel_ships_every_file_of_the_package(tmp_path):
    build = run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path)
    assert build.returncode == 0, build.stderr
    (wheel,) = tmp_path.glob("*.whl")
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("khosim/")}
    on_disk = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("khosim/**/*") if path.is_file()}
    assert "khosim/py.typed" in shipped
    assert shipped == {name for name in on_disk if not name.endswith(".pyc")}
