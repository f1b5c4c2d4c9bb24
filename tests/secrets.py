"""What a reader must not come upon: the lines of the solutions."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from khosim.teach.question import QUESTIONS
from khosim.teach.task import TASKS

SOLUTIONS = Path(__file__).parents[1] / "khosim" / "teach" / "solutions"
LONG_ENOUGH = 25  # shorter lines are anybody's


def leaks(text: str, sources: Iterable[str] = (), given: str | None = None) -> list[str]:
    """Return the lines of solutions that a text holds, however it breaks its lines.

    A line that a question's program or an exercise's own text shows anyway is no secret.
    """
    here, given = _plain(text), shown() if given is None else given
    sources = sources or [path.read_text() for path in sorted(SOLUTIONS.glob("ch*.py"))]
    return [line for source in sources for line in lines(source) if line in here and line not in given]


def shown() -> str:
    """What cards give to every reader."""
    programs = [question.case(0).program for question in QUESTIONS.values()]
    return _plain("\n".join([*programs, *(task.asks for task in TASKS.values())]))


def lines(source: str) -> Iterator[str]:
    """The lines of the functions and the texts of a module."""
    for node in ast.parse(source).body:
        text = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.FunctionDef) or text:
            found = map(_plain, (ast.get_source_segment(source, node) or "").splitlines())
            yield from (line for line in found if len(line) >= LONG_ENOUGH)


def _plain(text: str) -> str:
    return " ".join(text.split())
