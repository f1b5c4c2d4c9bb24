"""Recorded runs, as they lie in `.jsonl` and `.jsonl.gz` files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from khosim.errors import UsageError

__all__ = ["RecordedRun", "read_runs"]


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One script and what the kernel did with it, op by op. `steps` holds one entry per op that ended."""

    name: str
    mode: str
    script: tuple[str, ...]
    outcome: str
    panic: str
    console: tuple[str, ...]
    steps: tuple[dict[str, Any], ...]

    @property
    def kho(self) -> bool:
        """Whether the file was KHO-enabled."""
        return self.mode == "kho"


def read_runs(path: Path) -> Iterator[RecordedRun]:
    """The runs of a file, in order. Raises `UsageError` naming the line if it cannot be read."""
    number = 0
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            for number, line in enumerate(lines, 1):  # noqa: B007 - the error below names it
                yield _run(json.loads(line))
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        where = f", line {number}" if number else ""
        raise UsageError(f"{path}{where} is not a file of recorded runs: {error!r}") from None


def _run(found: dict[str, Any]) -> RecordedRun:
    if found["mode"] not in ("kho", "plain"):
        raise ValueError(f'mode is "kho" or "plain", not {found["mode"]!r}')
    return RecordedRun(
        name=str(found["scenario"]),
        mode=found["mode"],
        script=tuple(map(str, found["script"])),
        outcome=str(found["outcome"]),
        panic=str(found.get("panic") or ""),
        console=tuple(map(str, found.get("console", ()))),
        steps=tuple(found["steps"]),
    )
