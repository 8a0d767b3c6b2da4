"""Implements ``texprior ablate``, which compares arms with a baseline over several trainings each."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import click

from texprior.cli.dry_run import ablation_notes, dry_run_option, show_dry_run, training_notes
from texprior.cli.labels import takes_labels
from texprior.cli.output import emit, name_broken, say, table
from texprior.cli.request import (
    Request,
    gpus_option,
    launcher_option,
    parse_workers,
    prior_option,
    prior_setting,
    require_runs,
    takes_experiment,
)
from texprior.cli.ui_address import ui_address

if TYPE_CHECKING:
    from texprior.ablations.finish import AblationDone
    from texprior.ablations.plan import Plan


@click.command()
@takes_experiment
@takes_labels
@click.option(
    "--split", type=click.Choice(["val", "test"]), help="The split to judge the arms on; ablation.split if not given."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    default=1,
    metavar="N",
    show_default=True,
    help="Number of cells at the same time.",
)
@prior_option
@gpus_option
@launcher_option
@click.option("--retry-failed", is_flag=True, help="Run failed cells again; without it they stay failed.")
@click.option(
    "--report", "report_only", is_flag=True, help="Train nothing; report on the cells that have ended so far."
)
@click.option("--status", is_flag=True, help="Train nothing; show the cells, and the time left over all workers.")
@dry_run_option
def ablate(
    request: Request,
    split: str | None,
    workers: int,
    prior: str | None,
    gpus_per_worker: float | None,
    launcher: str,
    retry_failed: bool,
    report_only: bool,
    status: bool,
    dry_run: bool,
) -> None:
    """Compare the arms of EXPERIMENT's ablation.

    Each arm is trained once per seed, from the prior to its scores. Trainings that arms have in common run once.
    If ablation.model names a trained model, nothing is trained: the arms sample that model in different ways.
    Run the same command again to continue after an interruption. To share the cells among several processes, run it
    several times, on one machine or on several that share the folder of the runs. The report says which arms are
    separated from the baseline.
    """
    session = request.session(*prior_setting(prior), *([f"ablation.split={split}"] if split else []))
    from texprior.ablations.finish import finish_ablation
    from texprior.ablations.plan import check_arms, plan_of
    from texprior.ablations.run import run_ablation

    if status:
        _show_status(plan_of(session), request.as_json)
        return
    crew = parse_workers(session.registry, workers, launcher, gpus_per_worker)
    # The report shows the command that made it.
    command = shlex.join(["texprior", *sys.argv[1:]])
    if dry_run:
        plan = plan_of(session)
        check_arms(plan, match=False)
        _show_plan(plan, request.as_json)
        return

    # Checked before the work: after hours of training it would be too late to find that nothing can be written.
    require_runs()
    if report_only:
        done = finish_ablation(plan_of(session), command, interim=True)
    else:
        done = run_ablation(session, crew, retry_failed, command)

    if request.as_json:
        emit(_document(done))
    else:
        _show(done)
    # ``name_broken`` ends the command, so it is safe only after all output on stdout.
    name_broken(done.broken, "read")
    if done.failed:
        for outcome in done.failed:
            say(f"{outcome.arm}, seed {outcome.seed} failed: {outcome.reason}")
        say("the other cells are done; --retry-failed runs these again")
        click.get_current_context().exit(1)


def _show_status(plan: Plan, as_json: bool) -> None:
    """Prints the state of each cell, and a line for all of them."""
    from texprior.ablations.status import ablation_status
    from texprior.runtime.progress import clock_time

    progress, cells = ablation_status(plan)
    if as_json:
        emit({"ablation": plan.digest, "progress": progress, "left_s": progress.left_s, "cells": cells})
        return
    rows = [
        [cell.arm, str(cell.seed), cell.state, clock_time(cell.seconds) if cell.seconds else "", cell.reason]
        for cell in cells
    ]
    table(["arm", "seed", "state", "took", "reason"], rows, wrap=["arm", "reason"])
    click.echo(progress)


def _show_plan(plan: Plan, as_json: bool) -> None:
    """Prints the arms, their cells, and the memory and time that the work would need."""
    from texprior.ablations.budgets import missing_rival
    from texprior.ablations.cells import outcome_of
    from texprior.ablations.dry_run import measure_ablation, planned_trainings
    from texprior.runtime.progress import clock_time

    measured, planned = measure_ablation(plan), planned_trainings(plan)
    experiments = (cell.experiment for cell in plan.cells)
    missing = missing_rival(plan.session, plan.arms)
    notes = [
        *filter(None, [missing]),
        *ablation_notes(plan.session),
        *training_notes(experiments, plan.session.registry, measured, planned),
    ]
    cells = [
        {"arm": cell.arm, "seed": cell.seed, "status": outcome.status if outcome else "pending", "folder": cell.folder}
        for cell in plan.cells
        for outcome in [outcome_of(cell)]
    ]

    if as_json:
        document = {
            "ablation": plan.digest,
            "arms": {arm.name: arm.values for arm in plan.arms},
            "budgets": {arm.name: arm.budgets for arm in plan.arms},
            "baseline": plan.baseline.name,
            "cells": cells,
            "stages": [vars(row) for row in measured],
            "trainings": [vars(one) for one in planned],
            "notes": notes,
            "experiment": plan.session.experiment.model_dump(mode="json"),
            "device": str(plan.session.device),
        }
        emit(document)
        return

    show_dry_run(plan.session.experiment, plan.session.device, measured, False, planned, notes)
    seeds = plan.session.experiment.ablation.seeds
    rows = [
        [
            arm.name + " (baseline)" * (arm == plan.baseline),
            arm.sets,
            *(_state(cells, arm.name, s) for s in seeds),
        ]
        for arm in plan.arms
    ]
    table(["arm", "sets", *(f"seed {seed}" for seed in seeds)], rows)
    total = clock_time(sum(row.expected_s for row in measured))
    click.echo(f"{len(plan.cells)} cells; about {total} for the pending ones, in one process")


def _state(cells: list[dict[str, Any]], arm: str, seed: int) -> str:
    return next(str(cell["status"]) for cell in cells if (cell["arm"], cell["seed"]) == (arm, seed))


def _show(done: AblationDone) -> None:
    from texprior.ablations.report import text

    results = done.results
    table(text.ranking_heads(results), text.ranking_rows(results))
    click.echo(text.answer_sentence(results))
    ablation = done.plan.session.experiment.ablation
    click.echo(text.evidence_sentence(results, ablation.split, ablation.model is not None))
    for caveat in _caveats(done):
        click.echo(f"note: {caveat}")
    click.echo(f"report: {done.page}")
    if link := comparison(done):
        server = "" if done.run["tracking_uri"].startswith("http") else " (start 'texprior ui')"
        click.echo(f"the report in MLflow{server}: {report_address(done)}")
        click.echo(f"compare the arms in MLflow{server}: {link}")


def _caveats(done: AblationDone) -> list[str]:
    """Returns what a reader must know before using the answer, as the report lists it."""
    from texprior.ablations.report.compute import caveats_of

    return caveats_of(done.plan, done.results)


def _document(done: AblationDone) -> dict[str, Any]:
    from texprior.ablations.cells import outcome_of
    from texprior.ablations.report import text
    from texprior.ablations.report.compute import flops_by_arm

    plan, results = done.plan, done.results
    cells = [
        {**vars(outcome), "arm": cell.arm, "seed": cell.seed, "folder": cell.folder}
        for cell in plan.cells
        if (outcome := outcome_of(cell)) is not None
    ]
    return {
        "ablation": plan.digest,
        "folder": plan.folder,
        "report": done.page,
        "answer": text.answer_sentence(results),
        "caveats": _caveats(done),
        "metric": results.metric,
        "baseline": results.baseline,
        "better": results.better,
        "arms": {arm.name: arm.values for arm in plan.arms},
        "budgets": {arm.name: arm.budgets for arm in plan.arms},
        "compute": flops_by_arm(plan),
        "ranking": results.ranking(),
        "table": results.table,
        "pictures": results.pictures,
        "cells": cells,
        "run": done.run,
        "compare": comparison(done),
        "report_address": report_address(done),
        "broken": done.broken,
    }


def report_address(done: AblationDone) -> str:
    """Returns the address of the report inside MLflow, which opens without a click; empty if MLflow has no record."""
    if "experiment_id" not in done.run:
        return ""
    run = f"experiments/{done.run['experiment_id']}/runs/{done.run['run_id']}"
    return f"{ui_address(done.run['tracking_uri'])}/#/{run}/artifacts/{done.page.name}"


def comparison(done: AblationDone) -> str:
    """Returns the address of MLflow's page that compares the arms, best first.

    It is empty if MLflow has no record. The server is that of ``ui_address``.
    """
    if "experiment_id" not in done.run:
        return ""
    results = done.results
    # A metric that is best at 1 ranks by its distance from 1. Ordering by a metric also makes MLflow list runs flat,
    # without which its chart page is empty until the parents are unfolded (docs/adr/0010-an-arm-is-a-flat-run.md).
    ranks = "distance" if results.better[results.metric] == "one" else "mean"
    page = {
        "workflowType": "machine_learning",
        "compareRunsMode": "CHART",
        "searchFilter": f"tags.`texprior.ablation` = '{done.plan.digest}' and tags.`texprior.stage` = 'arm'",
        "orderByKey": f"metrics.`{ranks}/{results.metric}`",
        "orderByAsc": str(results.better[results.metric] != "higher").lower(),
    }
    query = urlencode(page, quote_via=quote)
    return f"{ui_address(done.run['tracking_uri'])}/#/experiments/{done.run['experiment_id']}/runs?{query}"
