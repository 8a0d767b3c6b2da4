"""An ablation from its arms to its report, as tracked runs."""

from __future__ import annotations

from texprior.ablations.finish import AblationDone, finish_ablation
from texprior.ablations.plan import adapter_notes, check_arms, plan_of
from texprior.ablations.work import forget_failed, run_cells
from texprior.ablations.workers import start_workers
from texprior.runtime.session import Session
from texprior.runtime.worker_session import require_gpus


def run_ablation(
    session: Session,
    workers: int = 1,
    retry_failed: bool = False,
    command: str = "",
    gpus_per_worker: float | None = None,
) -> AblationDone:
    """Works on every cell of the session's ablation, and reports.

    One process works alone, or ``workers`` processes share the cells. Raises ConfigError before anything starts if
    an arm cannot work, or if there are too few GPUs for one worker. ``command`` is what the report says to type.
    """
    require_gpus(session.experiment.device, gpus_per_worker)
    plan = plan_of(session)
    if retry_failed:
        forget_failed(plan)
    check_arms(plan)
    for note in adapter_notes(plan):
        session.say(f"warning: {note}")
    if workers > 1 or gpus_per_worker is not None:
        start_workers(plan, workers, gpus_per_worker)
    run_cells(plan)
    return finish_ablation(plan, command)
