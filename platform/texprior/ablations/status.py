"""Shows which cells of an ablation have ended, and which are running in any process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from texprior.ablations.cells import Outcome, outcome_of
from texprior.ablations.plan import Plan
from texprior.locks import is_locked
from texprior.runtime.study_progress import StudyProgress


@dataclass(frozen=True)
class CellStatus:
    """A cell at this moment."""

    arm: str
    seed: int
    state: str
    """``finished``, ``failed``, ``running`` or ``waiting``."""
    reason: str = ""
    seconds: float = 0.0


def ablation_status(plan: Plan) -> tuple[StudyProgress, list[CellStatus]]:
    """Returns how far an ablation is over all of its workers, and each cell; runs nothing."""
    cells = [cell_status(cell.arm, cell.seed, outcome_of(cell), is_locked(cell.lock)) for cell in plan.cells]
    return progress_of(cells), cells


def cell_status(arm: str, seed: int, outcome: Outcome | None, locked: bool) -> CellStatus:
    """Returns the state of a cell that ended like this; ``locked`` is whether a process holds its lock."""
    # a process that runs a cell again holds its lock, whatever its last outcome was
    if locked or outcome is None:
        return CellStatus(arm, seed, "running" if locked else "waiting")
    return CellStatus(arm, seed, outcome.status, outcome.reason, outcome.seconds)


def progress_of(cells: Sequence[CellStatus]) -> StudyProgress:
    """Counts the states of cells, over all workers."""
    count = Counter(cell.state for cell in cells)
    return StudyProgress(
        what="cells",
        finished=count["finished"],
        failed=count["failed"],
        running=count["running"],
        waiting=count["waiting"],
        seconds=[cell.seconds for cell in cells if cell.state == "finished"],
    )
