"""The account of agreement with the recorded kernel, as a page."""

import json
from collections.abc import Sequence
from pathlib import Path

from book.press.chapters import kept
from khosim.conform.report import explain, report
from khosim.conform.verdict import Tally, judge_file

__all__ = ["agreement"]


def agreement(traces: Sequence[Path], cache: Path) -> tuple[str, list[str]]:
    """Replay the recorded runs; return the page, and each difference that nobody explained."""
    text, unexplained = json.loads(kept(cache, "agreement", traces, lambda: _replay(traces)))
    return text, unexplained


def _replay(traces: Sequence[Path]) -> str:
    tally = Tally()
    for path in traces:
        for verdict in judge_file(path):
            tally.add(verdict)
    unexplained = [f"not explained: {found}" for found in tally.differences if not explain(found)]
    return json.dumps([report(tally, [path.name for path in traces]), unexplained])
