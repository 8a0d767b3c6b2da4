"""An ablation from its arms to its report, as tracked runs."""

from __future__ import annotations

from texprior.ablations.finish import Concluded, conclude
from texprior.ablations.plan import check, plan_of
from texprior.ablations.work import retry, work
from texprior.ablations.workers import work_together
from texprior.runtime.session import Session


def run_ablation(session: Session, workers: int = 1, retry_failed: bool = False, command: str = "") -> Concluded:
    """Works on every cell of the session's ablation, alone or with so many processes, and reports.

    Raises ConfigError before anything starts where an arm cannot work. ``command`` is what the report says to type.
    """
    plan = plan_of(session)
    if retry_failed:
        retry(plan)
    check(plan)
    if workers > 1:
        work_together(plan, workers)
    work(plan)
    return conclude(plan, command)
