"""The command `khosim`: list, run, conform, compare, progress."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from khosim import __version__
from khosim.compare import cli as compare_cli
from khosim.conform import cli as conform_cli
from khosim.errors import UsageError
from khosim.run.history import History
from khosim.scenarios import SCENARIOS, Scenario, find, play
from khosim.show.frame import document
from khosim.show.text import transcript
from khosim.steps import PATHS
from khosim.teach import cli as teach_cli

__all__ = ["main"]

_HELP = """\
A simulated kernel for one patch: a tmpfs file that lives through a kexec.

  khosim list               what there is to run, and which kernel paths a variant may replace
  khosim run kexec          play a scenario and print every step
  khosim conform FILE...    hold the model to recorded runs of a real kernel
  khosim compare            hold the model to this machine's kernel
  khosim progress           how far a reader has come
"""

_RUN = """\
example:
  $ khosim run kexec                    the transcript: one sentence a step, the call stack, what changed
  $ khosim run kexec --json > kexec.json    the recording, as the stepper reads it
  $ khosim run write --fork 4 cpu0=-12  the other future: at step 4 the allocation fails (ENOMEM)

exit status: 0 the run ended, 1 the modelled kernel died in it, 2 the arguments cannot be used
"""


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("khosim", description=_HELP, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"khosim {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="scenarios, and the kernel paths that a variant may replace")
    listing.add_argument("--json", action="store_true", help="as one JSON object")
    run = commands.add_parser("run", help="play a scenario and print every step", epilog=_RUN, formatter_class=raw)
    run.add_argument("scenario", help=f"one of: {', '.join(SCENARIOS)}")
    run.add_argument("--json", action="store_true", help="print the recording instead of the transcript")
    run.add_argument(
        "--fork", nargs=2, metavar=("T", "CHOICE"), help="go on from moment T with another choice, such as cpu0=-12"
    )
    conform_cli.add_parser(commands)
    compare_cli.add_parser(commands)
    teach_cli.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    args = _parser().parse_args(argv)
    acts = {
        "list": _list,
        "run": _run,
        "conform": conform_cli.main,
        "compare": compare_cli.main,
        "progress": teach_cli.main,
    }
    try:
        return acts[args.command](args)
    except UsageError as error:
        print(f"khosim {args.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, as `head` does
        return 0


def _list(args: argparse.Namespace) -> int:
    scenarios = {name: make() for name, make in SCENARIOS.items()}
    if args.json:
        print(json.dumps({"scenarios": {n: _about(s) for n, s in scenarios.items()}, "paths": sorted(PATHS)}))
        return 0
    print("Scenarios (khosim run NAME):")
    for name, scenario in scenarios.items():
        print(f"  {name:10} {scenario.question}")
    print("\nKernel paths (khosim.boot(variants={NAME: function})):")
    for name in sorted(PATHS):
        print(f"  {name:32} {(PATHS[name].__doc__ or '').splitlines()[0]}")
    return 0


def _about(scenario: Scenario) -> dict[str, Any]:
    return {"question": scenario.question, "notes": list(scenario.notes)}


def _run(args: argparse.Namespace) -> int:
    scenario = find(SCENARIOS, args.scenario)
    history = play(scenario)
    if args.fork:
        history = _fork(history, *args.fork)
    if args.json:
        print(json.dumps(document(history), separators=(",", ":")))
    else:
        print(scenario.question, end="\n\n")
        print(transcript(history), end="")
        for note in scenario.notes:
            print(f"Look at: {note}")
    return 1 if history.failure else 0


def _fork(history: History, t: str, choice: str) -> History:
    if not t.isdigit():
        raise UsageError(f"--fork takes a moment and a choice, such as 4 cpu0=-12, not {t!r}")
    return history.fork(int(t), choice)
