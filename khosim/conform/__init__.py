"""Does a real kernel agree? Recorded runs of the patch are executed on the model and compared, step by step.

The recorded outcome never decides what to do; it is looked at afterwards.
"""

from __future__ import annotations

from khosim.conform.runs import RecordedRun, read_runs
from khosim.conform.verdict import Difference, RunVerdict, Tally, judge_file, judge_run

__all__ = ["Difference", "RecordedRun", "RunVerdict", "Tally", "judge_file", "judge_run", "read_runs"]
