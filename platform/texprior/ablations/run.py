"""An ablation from its arms to its report, as tracked runs."""

from __future__ import annotations

from texprior.ablations.budgets import missing_rival
from texprior.ablations.finish import AblationDone, finish_ablation
from texprior.ablations.plan import adapter_notes, check_arms, plan_of
from texprior.ablations.work import forget_failed, run_cells
from texprior.ablations.workers import start_workers
from texprior.runtime.machine_faults import name_machine_faults
from texprior.runtime.session import Session
from texprior.runtime.workers import Workers
from texprior.training.compute import store_flops


def run_ablation(
    session: Session,
    workers: Workers | None = None,
    retry_failed: bool = False,
    command: str = "",
) -> AblationDone:
    """Works on every cell of the session's ablation, and reports.

    This process works alone, or ``workers`` share the cells. Raises ConfigError before anything starts if
    an arm cannot work, or if no worker can be started. ``command`` is what the report says to type.
    """
    workers = workers or Workers()
    workers.require(session)
    plan = plan_of(session)
    if retry_failed:
        forget_failed(plan)
    check_arms(plan)
    # before any worker starts, so that all reckon with the same numbers
    with name_machine_faults():
        store_flops(session)
    for note in [*adapter_notes(plan), *filter(None, [missing_rival(session, plan.arms)])]:
        session.say(f"warning: {note}")
    start_workers(plan, workers)
    run_cells(plan)
    return finish_ablation(plan, command)
