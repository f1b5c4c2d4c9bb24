"""Gathers what the generated appendices are made from, and writes them."""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from book.press.agreement import agreement
from book.press.appendices import Taught, catalogue, code, coverage
from book.press.chapters import Chapter
from book.press.kills import kills, outcomes
from book.press.model import bug_tests, defined, functions
from book.press.names import Names
from khosim.variants.registry import REPAIRS

__all__ = ["appendices", "data", "names", "numbers"]

ROOT = Path(__file__).parents[2]
DATA = ROOT / "book" / "data"
TRACES = ROOT / "tests" / "traces"


def data(name: str) -> Mapping[str, Any]:
    """Return one of the book's data files."""
    found: Mapping[str, Any] = yaml.safe_load((DATA / f"{name}.yml").read_text())
    return found


def names() -> Names:
    """Return every name of a function that a text may use."""
    listed = data("names")
    return Names(functions(ROOT / "khosim"), {*listed["linux"], *listed["python"], *defined(ROOT / "khosim")})


def numbers() -> dict[str, str]:
    """Return the page of every element and bug."""
    return dict.fromkeys(data("elements"), "generated/coverage") | dict.fromkeys(data("bugs"), "generated/catalogue")


def appendices(chapters: Iterable[Chapter], cache: Path) -> dict[str, tuple[str, list[str]]]:
    """Return each generated page with what is wrong with it."""
    model = functions(ROOT / "khosim")
    taught = [Taught(c.name, c.title, c.names, c.functions) for c in chapters]
    elements = data("elements")
    return {
        "coverage": coverage(elements, model, taught),
        "catalogue": catalogue(
            data("bugs"), model, taught, elements=elements, runs=recorded(TRACES.glob("*.gz")),
            tests=bug_tests(ROOT / "tests" / "kernel"), repairs=repairs(),
        ),
        "code": code(model, taught),
        "kills": kills(outcomes((ROOT / "notebooks").glob("*.md"), cache), taught),
        "agreement": agreement(sorted(TRACES.glob("*.jsonl.gz")), cache),
    }  # fmt: skip


def recorded(traces: Iterable[Path]) -> set[str]:
    """Return the names of all recorded runs."""
    found: set[str] = set()
    for path in traces:
        with gzip.open(path, "rt") as lines:
            found |= {json.loads(line)["scenario"] for line in lines}
    return found


def repairs() -> dict[str, str]:
    """Return the file of each bug's repair."""
    modules = {bug: next(iter(variant.values())).__module__ for bug, variant in REPAIRS.items()}
    return {bug: f"{module.replace('.', '/')}.py" for bug, module in modules.items()}
