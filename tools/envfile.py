"""Write environment.yml from pyproject.toml, so that conda's readers and uv's ask for the same things.

    python tools/envfile.py            write it
    python tools/envfile.py --check    fail if the one in the repository is stale

It holds what a reader needs, the core and the extra `lab`. The tests bring their own environment.
"""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = ROOT / "pyproject.toml"
ENVIRONMENT = ROOT / "environment.yml"

CONDA_NAMES = {"matplotlib": "matplotlib-base"}  # conda-forge's `matplotlib` drags in a whole Qt

TEMPLATE = """\
# Made from pyproject.toml by tools/envfile.py; a test keeps it fresh. Do not edit.
#   conda env create -f environment.yml
#   conda activate khosim
#   mkdir -p my && cp notebooks/*.ipynb my && jupyter lab --config tools/lab_config.py
name: khosim
channels:
  - conda-forge
  - nodefaults
dependencies:
{dependencies}
  - pip:
      - -e .
"""


def conda_spec(requirement: str) -> str:
    """Say one PyPI requirement in conda's grammar; refuse what conda has no word for."""
    wanted = Requirement(requirement)
    if wanted.extras or wanted.marker or wanted.url:
        message = f"conda cannot say {requirement!r}: use a plain name and versions"
        raise ValueError(message)
    versions = ",".join(sorted(map(str, wanted.specifier), reverse=True))
    return f"{CONDA_NAMES.get(wanted.name, wanted.name)} {versions}".strip()


def environment(project: dict) -> str:
    """Return the text of environment.yml for the `[project]` table."""
    requirements = [*project["dependencies"], *project["optional-dependencies"]["lab"]]
    specs = [f"python {project['requires-python']}", "pip", *sorted(map(conda_spec, requirements))]
    return TEMPLATE.format(dependencies="\n".join(f"  - {spec}" for spec in specs))


def main() -> None:
    """Write the file, or compare with it."""
    text = environment(tomllib.loads(PYPROJECT.read_text())["project"])
    if "--check" not in sys.argv[1:]:
        ENVIRONMENT.write_text(text)
    elif not ENVIRONMENT.exists() or ENVIRONMENT.read_text() != text:
        sys.exit("environment.yml is stale: run python tools/envfile.py")


if __name__ == "__main__":
    main()
