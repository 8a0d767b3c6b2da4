"""Runs an ablation's cells until every one has ended, here or in another process.

What is done is in the cells' folders. So any number of processes, started together or one after the other, work on the
same ablation: each one locks a cell that no other process is running.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from texprior.ablations.cells import Cell, forget_outcome, outcome_of
from texprior.ablations.plan import Plan, is_finished
from texprior.ablations.run_cell import run_cell
from texprior.errors import TexpriorError
from texprior.locks import hold_lock, is_locked, try_lock
from texprior.track import Run, RunInfo
from texprior.training.folders import Place

_POLL_S = 1.0
"""Seconds between looks at the cells of other processes; a cell takes minutes."""


def forget_failed(plan: Plan) -> None:
    """Removes the outcomes of failed cells, so that they are run again."""
    for cell in plan.cells:
        if (outcome := outcome_of(cell)) is not None and not is_finished(outcome):
            forget_outcome(cell)


def run_cells(plan: Plan) -> None:
    """Runs cells until every one has ended, here or in another process.

    Raises an interruption again, after saving.
    """
    waiting = False
    with ExitStack() as stack:
        arms: dict[str, Run] = {}

        def run_of(name: str) -> RunInfo:
            if name not in arms:
                # without the lock, two processes could both find no run and both create one
                with hold_lock(plan.folder / ".runs.lock"):
                    info = plan.arm_run(next(arm for arm in plan.arms if arm.name == name))
                    arms[name] = stack.enter_context(plan.session.tracker.run(info))
            return arms[name].info

        while pending := [cell for cell in plan.cells if outcome_of(cell) is None]:
            if any(_try(plan, cell, run_of) for cell in _preferred(pending)):
                waiting = False
                continue
            if not waiting:
                plan.session.say(f"waiting for {_count(len(pending), 'cell')} that other processes are running")
            waiting = True
            time.sleep(_POLL_S)
        for run in arms.values():
            run.leave()


def _preferred(pending: Sequence[Cell]) -> list[Cell]:
    """The cells in order; last those that would wait for a training that another process is doing."""
    busy: set[Place] = set()
    for cell in pending:
        if is_locked(cell.lock):
            busy |= cell.unfinished()
    return sorted(pending, key=lambda cell: bool(cell.unfinished() & busy))


def _try(plan: Plan, cell: Cell, run_of: Callable[[str], RunInfo]) -> bool:
    """Runs a cell, unless another process is running it or has just ended it; returns whether it did."""
    session = plan.session
    with try_lock(cell.lock) as held:
        if not held or outcome_of(cell) is not None:
            return False
        done = sum(outcome_of(other) is not None for other in plan.cells)
        session.say(f"cell {done + 1} of {len(plan.cells)}: {cell.name}")
        outcome = run_cell(session, cell, run_of(cell.arm), {**plan.tags(cell.arm), "texprior.seed": str(cell.seed)})
        session.say(f"{cell.name}: {outcome.status}" + (f" ({outcome.reason})" if outcome.reason else ""))
        # otherwise it would count as pending, and be run for ever
        if outcome_of(cell) is None:
            raise TexpriorError(f"{cell.name}: its outcome in {cell.folder} cannot be read back; please report this")
    return True


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
