"""The account of agreement, as a page of the book."""

from __future__ import annotations

from khosim.conform.fields import LEVELS, MASKED_FIELDS
from khosim.conform.verdict import Difference, Tally

__all__ = ["EXPLAINED", "explain", "report"]

EXPLAINED = {
    "kexec_keep_free_frame": "Frames are walked by PFN. Which of two freed pages had the lower PFN depends on where "
    "the recorded allocator began; the events are the same, in another order.",
}
"""Why a difference in events is no difference in behaviour, by the event it starts at."""


def explain(difference: Difference) -> str:
    """The explanation of a difference; empty if there is none."""
    if difference.level != "events" or not difference.recorded:
        return ""
    names = {row[0] for row in [*difference.recorded, *difference.simulated]}
    return EXPLAINED.get(names.pop(), "") if len(names) == 1 else ""


def report(tally: Tally, files: list[str]) -> str:
    """Markdown: the counts, what was masked and why, and every remaining difference with its explanation."""
    share = 100 * tally.masked / max(tally.kho_steps, 1)
    lines = [
        "# Agreement with the recorded kernel",
        "",
        f"Recorded runs: {', '.join(files)}. Each script was executed on the model; every step was compared.",
        "",
        "| | agree | of |",
        "|---|---:|---:|",
        f"| runs (at level `{tally.level}`) | {tally.runs_agree} | {tally.runs} |",
        *(f"| steps: {level} | {tally.agree[level]} | {tally.steps} |" for level in LEVELS),
        "",
        f"Masked: {tally.masked} steps, {share:.2f} % of the {tally.kho_steps} steps of KHO runs. From a run's first",
        f"stale block on, the fields {', '.join(f'`{name}`' for name in MASKED_FIELDS)} of blocks are left out: they",
        "tell which frame the recorded allocator reused. So are the bytes of a page that a stale block brought back",
        "from a frame of the recorder's own program.",
        "",
        "## Remaining differences",
        "",
    ]
    if not tally.differences:
        lines.append("None.")
    for found in tally.differences:
        reason = explain(found) or "**Not explained.**"
        lines += [
            f"- `{found.run}` ({found.mode}), step {found.step}, `{found.op}`, {found.level}: `{found.field}`. {reason}"
        ]
    return "\n".join(lines) + "\n"
