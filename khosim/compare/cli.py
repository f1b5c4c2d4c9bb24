"""`khosim compare`: the command. Its text goes to stdout, its progress to stderr."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from khosim.compare import DEFAULT_CALLS, Comparison, compare
from khosim.compare.report import told_apart
from khosim.errors import UsageError

__all__ = ["add_parser", "main"]

_SAME, _DIFFERENT, _UNUSABLE = 0, 1, 2

_HELP = """\
Run a program on this machine's kernel and on the simulated one, and show the first call that they answer
differently.

With PROGRAM.py, a file that defines program(os, mmap): it is run twice, and `os` and `mmap` are first the
real kernel's, then the simulated one's. Without it: random calls on small memfds, drawn from a seed.
"""

_EXAMPLE = """\
example:
  $ cat hole.py
  def program(os, mmap):
      fd = os.memfd_create("file")
      os.ftruncate(fd, 8192)
      map = mmap(fd, 8192)
      map[4096] = 1
      os.lseek(fd, 0, os.SEEK_DATA)
      os.fstat(fd)
      map.mincore()
  $ khosim compare hole.py
  6 calls on this machine's kernel and the simulated one: no difference
  $ khosim compare --random 100000 --seed 7

A difference is printed as a shrunk PROGRAM.py. Save it and compare it again:
  $ khosim compare --random 100000 > found.py || khosim compare found.py

What a program may call:
  os      memfd_create close read write pread pwrite lseek ftruncate fstat (st_size, st_blocks)
          posix_fallocate(fd, offset, length) fallocate(fd, mode, offset, length)
  mmap    m = mmap(fd, length)   m[3]   m[0:8] = b"8 bytes."   len(m)   m.mincore()   m.madvise()   m.close()
A touch past the end of a file raises khosim.BusError on both.

exit status: 0 no difference, 1 a difference, 2 the program cannot be run, or there is no Linux underneath
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add `compare` to a command's subparsers (what `ArgumentParser.add_subparsers` returned)."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "compare",
        help="run a program, or random calls, on this machine's kernel and on the simulated one",
        description=_HELP,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("program", nargs="?", metavar="PROGRAM.py", help="a file that defines program(os, mmap)")
    parser.add_argument(
        "--random", type=int, metavar="N", help=f"make N random calls (without a program: {DEFAULT_CALLS})"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="draw them from this seed (default: 0)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


def main(args: argparse.Namespace) -> int:
    """Compare as the arguments say; the exit status: 0 no difference, 1 a difference, 2 unusable input."""
    progress = _progress if sys.stderr.isatty() else None
    try:
        result = compare(args.program, random=args.random, seed=args.seed, progress=progress)
    except UsageError as error:
        sys.stderr.write(f"khosim compare: {error}\n")
        return _UNUSABLE
    sys.stdout.write((json.dumps(_document(result), indent=2) if args.json else str(result).rstrip()) + "\n")
    return _SAME if result.ok else _DIFFERENT


def _progress(done: int, total: int) -> None:
    """Rewrite one line of a terminal; the last time, wipe it."""
    width = 40
    sys.stderr.write(f"\r{done} of {total} calls".ljust(width) if done < total else "\r" + " " * width + "\r")
    sys.stderr.flush()


def _document(result: Comparison) -> dict[str, Any]:
    """The result as JSON values; bytes are told as text."""
    found = result.difference
    document: dict[str, Any] = {"ok": result.ok, "calls": result.calls, "notes": list(result.notes)}
    if found is None:
        return document | {"difference": None}
    real, simulated = told_apart(found.real, found.simulated)
    words = {"call": str(found.calls[-1]), "real": real, "simulated": simulated, "origin": found.origin}
    return document | {"difference": words | {"shrunk_from": found.found, "program": found.source}}
