"""Questions: instances by seed, answers by running the model, wrong answers told apart by what they would need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from khosim.run.history import History
from khosim.teach.answer import WHOLE, fitted, same, wrong_entry
from khosim.teach.case import Case, Played, play
from khosim.teach.seed import Seed
from khosim.teach.verdict import Verdict
from khosim.variants.mistakes import MISTAKES

__all__ = ["QUESTIONS", "Question", "ask", "named"]

NOTHING = "no answer"
"""What a kernel gives that never gets as far as what is asked."""


@dataclass(frozen=True)
class Question:
    """A question of a chapter. `make` returns the instance of a seed; `check` puts it among the closing five.

    `grade` 0 is a prediction, 1 an exercise by hand, with two `hints`.
    """

    name: str
    chapter: int
    objective: int
    make: Callable[[Seed], Case]
    check: bool = False
    grade: int = 0
    hints: tuple[str, ...] = ()
    _known: dict[tuple[str, str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    def case(self, seed: int) -> Case:
        """The instance of a seed. Seeds side by side have different ones, so that a retry is not a repetition."""
        case = self.make(Seed(self.name, seed))
        if seed % 2:  # an even seed's is drawn once: nobody has to ask what its neighbours have
            beside = [_shown(self.make(Seed(self.name, other))) for other in (seed - 1, seed + 1)]
            for draw in range(1, DRAWS):
                if _shown(case) not in beside:
                    break
                case = self.make(Seed(self.name, seed + draw * FAR))
        return case

    def play(self, case: Case, mistake: str = "") -> Played:
        """Run an instance, in a kernel with a planted mistake if one is named; recorded."""
        paths = MISTAKES[mistake].paths if mistake else None
        return play(case.program, paths, case.shape, self.name)

    def truth(self, case: Case) -> Any:
        """What the model answers."""
        key = (*_shown(case), "")
        if key not in self._known:
            run = self.play(case)  # once, for the reading and all misreadings
            self._known[key] = case.read(run)
            for belief, read in case.misread.items():
                self._kept(case, belief, partial(read, run))
        return self._known[key]

    def believed(self, case: Case) -> dict[str, Any]:
        """What each belief answers: a planted mistake by its name, a misreading by its words."""
        self.truth(case)
        misread = {belief: self._known[*_shown(case), belief] for belief in case.misread}
        return {name: self.under(case, name) for name in case.mistakes} | misread

    def under(self, case: Case, mistake: str) -> Any:
        """What a kernel with a planted mistake answers, or that it never comes so far."""
        return self._kept(case, mistake, lambda: case.read(self.play(case, mistake)))

    def _kept(self, case: Case, belief: str, find: Callable[[], Any]) -> Any:
        key = (*_shown(case), belief)
        if key not in self._known:
            try:
                self._known[key] = find()
            except Exception:  # noqa: BLE001 - a wrong kernel may leave anything for the reading to trip over
                self._known[key] = NOTHING
        return self._known[key]

    def judge(self, seed: int, answer: Any, hint: int = 0) -> Verdict:
        """Hold an answer against the model's. Raises `UsageError` for one of another form."""
        case = self.case(seed)
        truth = self.truth(case)
        answer = fitted(answer, truth, case.options)
        entry = wrong_entry(answer, truth)
        if entry is None:
            return Verdict(True, "Right: the model gives the same.")
        belief = next((name for name, other in self.believed(case).items() if same(other, answer)), "")
        where = "" if entry == WHOLE else f" for {entry!r}"
        if isinstance(entry, int) and not isinstance(truth, Mapping):  # a mapping's own numbers are names
            where = f" at entry {entry}, counted from 0"
        words = [f"Not yet. The model gives something else{where}.", f"Rule: {case.rule_of(entry)}"]
        if belief:
            told = f"{MISTAKES[belief].belief!r} ({belief})" if belief in MISTAKES else repr(belief)
            words.append(f"Your answer would be right if this were so: {told}")
        if hint > 1:
            words.append(f"Where to look: {case.look}")
        return Verdict(False, "\n".join(words), belief)

    def run(self, seed: int) -> History:
        """The recording of an instance."""
        return self.play(self.case(seed)).history


def _shown(case: Case) -> tuple[str, str]:
    """What tells instances apart: what the reader sees of them."""
    return case.asks, case.program


DRAWS, FAR = 64, 1 << 64  # so often another instance is drawn, as of seeds that no reader takes

QUESTIONS: dict[str, Question] = {}
"""Every question and every exercise by hand, by name."""


def named(make: Callable[..., Any]) -> str:
    """A function's name as readers write it."""
    return make.__name__.replace("_", "-")


def ask(*, chapter: int, objective: int, check: bool = False, grade: int = 0,
        hints: tuple[str, ...] = ()) -> Callable[[Callable[[Seed], Case]], Callable[[Seed], Case]]:  # fmt: skip
    """Make a function of a seed a question, named after it. Raises `TypeError` for a name that is taken."""

    def add(make: Callable[[Seed], Case]) -> Callable[[Seed], Case]:
        name = named(make)
        if name in QUESTIONS:
            raise TypeError(f"two questions are named {name!r}; give one of them another name")
        QUESTIONS[name] = Question(name, chapter, objective, make, check, grade, hints)
        return make

    return add
