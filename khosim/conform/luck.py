"""The recorder's test machinery, as choices: failing allocations and insertions, a second task, a truncation midway."""

from __future__ import annotations

from khosim.conform.witness import Witness
from khosim.run.scheduler import Run
from khosim.state.mem_map import PG_uptodate, test_flag
from khosim.steps import Choose, Step
from khosim.user.session import Session

__all__ = ["Injector"]


class Injector:
    """Answers the questions of a run as `inject` lines ask, and lets other tasks act where they say."""

    def __init__(self, session: Session, witness: Witness) -> None:
        """Nothing is injected yet."""
        self.session, self.witness = session, witness
        self.left: dict[str, tuple[int, ...]] = {}
        self.fd = self.index = -1
        witness.hooks.update(
            new_folio=self._fresh, block_set=self._obtained, restore=self._restoring, mark_dirty=self._restored,
            cache_add=self._added,
        )  # fmt: skip
        self.pending = False

    def arm(self, kind: str, *numbers: int) -> None:
        """`inject KIND N ...`: the N-th time from now on. One thing at a time: whatever was armed before is off."""
        self.left = {kind: numbers}

    def _due(self, kind: str) -> tuple[int, ...] | None:
        """Count one occasion; the other numbers of the line if this was the one."""
        if kind not in self.left:
            return None
        first, *rest = self.left[kind]
        if first > 1:
            self.left[kind] = (first - 1, *rest)
            return None
        del self.left[kind]
        return tuple(rest)

    def answer(self, question: Choose) -> int:
        """As `Luck`: what happens."""
        due = self._due(question.name)
        if due is None:
            return question.options[0]
        if question.name == "alloc":
            self.witness.event("inject_alloc_fail", question.args["index"])
            return question.options[1]
        self.witness.event("inject_add_err", question.args["index"], due[0])
        return due[0]

    # ---- between obtaining a folio and inserting it

    def _fresh(self, step: Step) -> None:
        if not self.session.machine.inode.kho[self.witness.ino]:
            self._race(step.args["index"])

    def _obtained(self, step: Step) -> None:
        self._race(step.args["index"])

    def _restoring(self, step: Step) -> None:
        self.pending, self.index = True, step.args["index"]

    def _restored(self, _step: Step) -> None:
        if self.pending:
            self.pending = False
            self._race(self.index)

    def _race(self, index: int) -> None:
        due = self._due("race")
        if due is None:
            return
        sgp = due[0]
        self.witness.event("race_begin", index, sgp)
        other = Run(self.session, {"cpu1": self.session.path("get_folio", self.fd, index, sgp)})
        folio = other.finish(luck=self.answer)["cpu1"]
        if folio >= 0:
            machine = self.session.machine
            self.witness.event(
                "race_winner_has", index, self.witness.ids.get(folio, 0), int(test_flag(machine, folio, PG_uptodate))
            )
            self.witness.event("race_winner_byte0", index, machine.ram[folio * machine.page_size])
        self.witness.event("race_end", index, 0)

    def _added(self, step: Step) -> None:
        due = self._due("isize")
        if due is not None:
            self.witness.event("race_truncate_isize", step.args["index"], due[0])
            Run(self.session, {"cpu1": self.session.path("i_size_write", self.witness.ino, due[0])}).finish()
