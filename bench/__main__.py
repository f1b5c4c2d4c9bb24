"""`python -m bench`: how fast khosim is, as ratios measured in one run on this computer.

The table goes to standard output, what is going on to standard error. Numbers differ from computer to computer, and
no test looks at them; ratios of one run differ less.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bench import calls, conform, snapshots, stepper, steps
from bench.table import Effort, Row, say, text

ROOT = Path(__file__).resolve().parents[1]
SECTIONS: dict[str, tuple[str, Callable[[Effort], list[Row]]]] = {
    "steps": (f"steps, {steps.FRAMES} frames of 64 bytes", steps.measure),
    "snapshots": ("snapshots, frames of 64 bytes", snapshots.measure),
    "calls": (f"calls, pages of {calls.PAGE} bytes", calls.measure),
    "stepper": ("the same memory drawn three ways, frames of 64 bytes", stepper.measure),
    "conform": ("recorded ops, replayed and compared", conform.measure),
}


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure khosim on this computer.")
    parser.add_argument("--quick", action="store_true", help="few repetitions: every row, no numbers to rely on")
    parser.add_argument("--json", action="store_true", help="print JSON, with the numbers of every round")
    parser.add_argument("--only", metavar="NAME", action="append", choices=SECTIONS, help=" | ".join(SECTIONS))
    parser.add_argument("--traces", metavar="DIR", type=Path, default=ROOT / "tests" / "traces",
                        help="where the recorded runs lie (tests/traces)")  # fmt: skip
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Measure what was asked for and print it."""
    asked = parse(words)
    effort = Effort(2, 0.01, asked.traces) if asked.quick else Effort(7, 1.0, asked.traces)
    found: dict[str, list[Row]] = {}
    for name in asked.only or SECTIONS:
        title, measure = SECTIONS[name]
        say(f"measuring {title}")
        found[title] = measure(effort)
    here = f"Python {platform.python_version()}, numpy {np.__version__}, {platform.system()} {platform.machine()}"
    if asked.json:
        rows = [{"section": title, **row.record} for title, rows in found.items() for row in rows]
        json.dump({"computer": here, "rounds": effort.rounds, "rows": rows}, sys.stdout, indent=1)
        print()
        return
    print(text(found))
    print(f"\n{here}. Medians of {effort.rounds} rounds, in which what is compared takes turns.")


if __name__ == "__main__":
    main()
