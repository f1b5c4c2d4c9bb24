"""`khosim progress`: how far a reader has come, from the file beside the notebooks or from codes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from khosim.teach import Report, names
from khosim.teach.progress import FILE, Progress, decoded, place

__all__ = ["add_parser", "main"]

_HELP = """\
examples:
  $ khosim progress                          this reader, and the code to hand in
  $ khosim progress 0003R-0A1Z8-...          what a code says
  $ khosim progress $(cat codes.txt)         a workshop: one line for each code

A code holds one bit for each question and exercise, and nothing about the person.
exit status: 0, or 2 if a code cannot be read
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "progress", help="how far a reader has come, or what codes say", epilog=_HELP, formatter_class=raw
    )
    parser.add_argument("codes", nargs="*", metavar="CODE", help="codes to read; without: the file of this reader")


def main(args: argparse.Namespace) -> int:
    """Print a report, or a line for each of several codes."""
    if not args.codes:
        places = [place(), Path("my") / FILE, Path("notebooks") / FILE]  # `make lab` opens what is in my/
        kept = Progress(next((path for path in places if path.exists()), place()))
        print(Report(set(kept.right), kept.notice))
        return 0
    known = names()
    reports = {code: Report(decoded(code, known)) for code in args.codes}
    if len(reports) == 1:
        print(*reports.values())
        return 0
    for code, report in reports.items():
        print(code, *(f"{n:02}: {done}/{every}" for n, (done, every) in report.chapters.items()), sep="  ")
    return 0
