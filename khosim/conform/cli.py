"""`khosim conform`: the command. Disagreements and the closing line go to stdout, progress to stderr."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from khosim.conform.fields import LEVELS
from khosim.conform.report import report
from khosim.conform.verdict import RunVerdict, Tally, judge_file
from khosim.errors import UsageError

__all__ = ["add_parser", "main"]

AGREE, DISAGREE, UNREADABLE = 0, 1, 2

_HELP = """\
Execute recorded runs of the patch on the model and compare every op: what it returned, the state it left, and the
events inside it. The recorded outcome is never used to decide what to do.
"""

_EXAMPLE = """\
example:
  $ khosim conform tests/traces/*.jsonl.gz
  runs 764/764  results 16889/16889  state 16889/16889  events 16886/16889  masked 252

The closing line counts whole runs in agreement at the asked level; results, state and events count steps, on all
runs; masked counts steps of which some fields were left out: from a run's first stale block on, those that tell which
frame the recorded allocator reused. --report writes the whole account as Markdown.

exit status: 0 all runs agree at the asked level, 1 some do not, 2 a file cannot be read
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add `conform` to a command's subparsers."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "conform",
        help="replay recorded kernel runs on the model and count agreement",
        description=_HELP,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recorded runs, .jsonl or .jsonl.gz")
    parser.add_argument(
        "--level", choices=LEVELS, default="state", help="what must agree, with the levels before it (default: state)"
    )
    parser.add_argument("--json", action="store_true", help="print the account as one JSON object")
    parser.add_argument("--report", type=Path, metavar="PATH", help="write the account as Markdown")
    return parser


def main(args: argparse.Namespace) -> int:
    """Judge the files; the exit status."""
    tally = Tally(args.level)
    try:
        for verdict in _judge(args.files):
            tally.add(verdict)
            for difference in () if args.json else verdict.differences:
                print(difference)
        if args.report:
            args.report.write_text(report(tally, [path.name for path in args.files]))
    except UsageError as error:
        print(f"khosim conform: {error}", file=sys.stderr)
        return UNREADABLE
    except OSError as error:
        print(f"khosim conform: cannot write the report: {error}", file=sys.stderr)
        return UNREADABLE
    print(json.dumps(_account(tally)) if args.json else tally)
    return AGREE if tally.ok else DISAGREE


def _judge(files: list[Path]) -> Iterator[RunVerdict]:
    for path in files:
        count = 0
        for count, verdict in enumerate(judge_file(path), 1):
            if sys.stderr.isatty():
                print(f"\r{path.name}: {count} runs", end="", file=sys.stderr, flush=True)
            yield verdict
        if not count:
            raise UsageError(f"{path} holds no recorded runs")
        print(f"\r{path.name}: {count} runs", file=sys.stderr)


def _account(tally: Tally) -> dict[str, Any]:
    return {
        "level": tally.level,
        "runs": [tally.runs_agree, tally.runs],
        **{level: [tally.agree[level], tally.steps] for level in LEVELS},
        "masked": tally.masked,
        "kho_steps": tally.kho_steps,
        "differences": [asdict(difference) for difference in tally.differences],
    }
