"""Implements ``texprior sweep``, a search over adapter configurations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import click

from texprior.cli.dry_run import dry_run_option, show_dry_run, sweep_notes, training_notes
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
    from pathlib import Path

    from texprior.runtime.session import Session
    from texprior.sweeps.records import StudyDone


@click.command()
@takes_experiment
@takes_labels
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of trials of the whole study; sweep.trials if not given.",
)
@prior_option
@click.option(
    "--storage",
    metavar="URL",
    help="Optuna's storage; optuna.db in the folder of the runs if not given. PostgreSQL is best for many workers.",
)
@click.option(
    "--workers", type=click.IntRange(1, 1024), default=1, metavar="N", help="Number of trials at the same time."
)
@gpus_option
@launcher_option
@click.option(
    "--ray-address", metavar="ADDRESS", help="Address of a Ray cluster; RAY_ADDRESS or a new local one if not given."
)
@click.option("--retry-failed", is_flag=True, help="Run failed trials again; without it they stay failed.")
@click.option("--status", is_flag=True, help="Train nothing; show the study's trials, and who is running them.")
@click.option(
    "--free",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="NUMBER",
    help="Train nothing; put this running trial, whose worker is lost, back into the queue. May be repeated.",
)
@dry_run_option
def sweep(
    request: Request,
    trials: int | None,
    prior: str | None,
    storage: str | None,
    workers: int,
    gpus_per_worker: float | None,
    launcher: str,
    ray_address: str | None,
    retry_failed: bool,
    status: bool,
    free: tuple[int, ...],
    dry_run: bool,
) -> None:
    """Search for the best adapter configuration.

    The best configuration is the one in EXPERIMENT's sweep space that scores best on the split val. All trials share
    one prior and one predictor. Run the same command again to continue a study after an interruption. To share the
    trials among several processes, run it several times with the same --storage, on one machine or on several that
    share the folder of the runs.
    """
    session = request.session(*prior_setting(prior))
    if status or free:
        _show_status(session, storage, free, trials, request.as_json)
        return
    from texprior.sweeps.run import run_study
    from texprior.training.given_prior import given_prior

    crew = parse_workers(session.registry, workers, launcher, gpus_per_worker, ray_address)
    folder = given_prior(session.experiment)
    if dry_run:
        measure_trials(session, folder, trials or session.experiment.sweep.trials, request.as_json)
        return

    require_runs()
    done = run_study(session, folder, trials, storage, workers=crew, retry_failed=retry_failed)
    if request.as_json:
        emit(_document(done))
    else:
        _show(done)
    name_broken(done.broken, "read")


def _show_status(session: Session, storage: str | None, free: Sequence[int], wanted: int | None, as_json: bool) -> None:
    """Prints the study's trials, after it has freed some of them."""
    from texprior.sweeps.report import short_configuration
    from texprior.sweeps.status import free_trials, study_status

    for line in free_trials(session, free, storage):
        say(line)
    found = study_status(session, storage)
    progress = found.progress(wanted or session.experiment.sweep.trials)
    if as_json:
        shown = {field.name: getattr(found, field.name) for field in fields(found)}
        emit({**shown, "progress": progress, "left_s": progress.left_s})
        return
    rows = [
        [
            str(one.trial.number),
            one.trial.state + ", run again" * one.repeated,
            short_configuration(one.trial.params),
            ", ".join(part for part in (one.holder, one.sign) if part),
            one.trial.reason,
        ]
        for one in found.trials
    ]
    table(["trial", "state", "configuration", "worker", "reason"], rows, wrap=["configuration", "worker", "reason"])
    click.echo(f"{found.counted} of {session.experiment.sweep.trials} trials, {found.queued} waiting in the queue")
    click.echo(progress)
    click.echo(f"study: {found.study} in {found.storage}")


def measure_trials(session: Session, given: Path | None, trials: int, as_json: bool) -> None:
    """Prints what a sweep would train, on the given prior or this experiment's own."""
    from texprior.training.dry_run import measure_sweep
    from texprior.training.planned import planned_prior, planned_stage_two
    from texprior.training.preflight import on_prior

    on = on_prior(session, given)
    measured = measure_sweep(on, given, trials)
    prior = planned_prior(on, given)
    *predictors, adapter = planned_stage_two(on, prior)
    every = replace(adapter, state="trained here", folder=None, times=trials)
    planned = [prior, *predictors, every]
    notes = [*sweep_notes(session), *training_notes([on.experiment], on.registry, measured, planned)]
    show_dry_run(on.experiment, on.device, measured, as_json, planned, notes)


def _document(done: StudyDone) -> dict[str, object]:
    from texprior.sweeps.report import method_rows, predictor_warning

    named = {field.name: getattr(done, field.name) for field in fields(done) if field.name != "scores"}
    alike = _components(done)
    links = {"compare": _compare(done), "compare_alike": _compare(done, alike) if alike else ""}
    compared = {"methods": method_rows(done), "warning": predictor_warning(done)}
    return {**named, **links, **compared, "selected": done.scores.means()}


def _components(done: StudyDone) -> dict[str, Any]:
    """Returns the best trial's components, without those that were the same in all trials."""
    from texprior.config.schema import component_paths

    paths = [path for path in done.best.params if path in component_paths()]
    return {p: done.best.params[p] for p in paths if len({t.params.get(p) for t in done.trials}) > 1}


def _compare(done: StudyDone, alike: Mapping[str, Any] | None = None) -> str:
    """Returns the address of MLflow's page that compares finished trials.

    It is empty if MLflow has no record. ``alike`` restricts the page to the trials with these parameters. The server
    is that of ``ui_address``.
    """
    wanted = (alike or {}).items()
    runs = [t.run for t in done.trials if t.run and t.state == "finished" and wanted <= t.params.items()]
    if not runs or "experiment_id" not in done.parent_run:
        return ""
    page = {"runs": json.dumps(runs), "experiments": json.dumps([done.parent_run["experiment_id"]])}
    return f"{ui_address(done.parent_run['tracking_uri'])}/#/compare-runs?{urlencode(page, quote_via=quote)}"


def _show(done: StudyDone) -> None:
    from texprior.evaluation.tables import ARROWS
    from texprior.sweeps.report import method_rows, predictor_warning, short_configuration

    # The trials, with all objectives and metrics that any of them has.
    metric = next(iter(done.objectives))
    names = list(dict.fromkeys([*done.objectives, *(m for trial in done.trials for m in trial.values)]))
    directions = {**done.scores.better, **done.objectives}
    marks = {done.best.number: " *"}
    if len(done.objectives) > 1:
        marks |= {t.number: f"{marks.get(t.number, '')} front" for t in done.front}
    rows = [
        [
            f"{trial.number}{marks.get(trial.number, '')}",
            trial.state,
            short_configuration(trial.params),
            *(f"{trial.values[m]:.4g}" if m in trial.values else "" for m in names),
            f"{trial.seconds:.0f}",
            trial.reason,
        ]
        for trial in done.trials
    ]
    headings = [f"{m} {ARROWS[directions[m]]}" if m in directions else m for m in names]
    table(["trial", "state", "configuration", *headings, "s", "reason"], rows, wrap=["configuration", "reason"])

    if done.confirmed:
        columns = ["trial", "seeds", f"{metric} {ARROWS[directions[metric]]}", "deviation over seeds"]
        table(columns, [[str(c.trial), str(c.seeds), f"{c.mean:.4g}", f"{c.deviation:.2g}"] for c in done.confirmed])
    for group, shares in done.importance.items():
        shown = ", ".join(f"{path} {share:.0%}" for path, share in shares.items())
        click.echo(f"importance (fANOVA) for {metric} ({group}): {shown}")

    # The best of many noisy scores looks better than it is, so the output states whether it was confirmed.
    how = "trained again with fresh seeds" if done.confirmed else "one training each, not confirmed with fresh seeds"
    click.echo(f"best by {metric} on val ({how}): trial {done.best.number}")
    if done.confirmed:
        mean, selected = done.values[metric], done.best.values[metric]
        click.echo(f"its {metric}: {mean:.4g} with fresh seeds; {selected:.4g} in the training that was selected")
    methods = method_rows(done)
    table(
        ["on val", *(f"{m} {ARROWS[directions[m]]}" for m in methods["predictor"])],
        [[method, *(f"{value:.4g}" for value in row.values())] for method, row in methods.items()],
    )
    if warning := predictor_warning(done):
        click.echo(f"warning: {warning}")
    click.echo(f"model: {done.model}")
    click.echo(f"study: {done.study} in {done.storage}")
    if compare := _compare(done):
        click.echo(f"compare the trials in the UI ('texprior ui'): {compare}")
        if alike := _components(done):
            click.echo(f"those with {', '.join(map(str, alike.values()))}: {_compare(done, alike)}")
