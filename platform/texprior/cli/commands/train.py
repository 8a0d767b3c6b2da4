"""Implements ``texprior prior`` and ``texprior adapt``, the two stages of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from texprior.cli.dry_run import dry_run_option, show_dry_run, training_notes
from texprior.cli.labels import takes_labels
from texprior.cli.output import emit, name_broken, say
from texprior.cli.request import Request, fresh_option, prior_option, prior_setting, require_runs, takes_experiment

if TYPE_CHECKING:
    from pathlib import Path

    from texprior.runtime.session import Session


@click.command()
@takes_experiment
@takes_labels
@dry_run_option
@fresh_option
def prior(request: Request, dry_run: bool, fresh: bool) -> None:
    """Stage I: train the texture prior of EXPERIMENT."""
    session = request.session(fresh=fresh, parallel=True)
    if dry_run:
        from texprior.training.dry_run import measure_prior
        from texprior.training.planned import planned_prior
        from texprior.training.prior import require_own_prior

        require_own_prior(session)
        planned, measured = [planned_prior(session)], measure_prior(session)
        notes = training_notes([session.experiment], session.registry, measured, planned)
        show_dry_run(session.experiment, session.device, measured, request.as_json, planned, notes)
        return
    from texprior.training.prior import train_prior

    require_runs()
    trained = train_prior(session)
    # Under torchrun every process runs this function, and only the first one may print.
    if not session.team.leads:
        return
    if request.as_json:
        emit({"prior": trained.folder, "broken": trained.broken})
    else:
        click.echo(f"prior: {trained.folder}")
    name_broken(trained.broken, "used for training")


@click.command()
@takes_experiment
@takes_labels
@prior_option
@click.option("--train-prior", is_flag=True, help="Train the experiment's own prior first, if it is not trained.")
@dry_run_option
@fresh_option
def adapt(request: Request, prior: str | None, train_prior: bool, dry_run: bool, fresh: bool) -> None:
    """Stage II: train the predictor and the adapter of EXPERIMENT on a prior.

    The prior is that of --prior, else that of the experiment's key 'prior', else the one that 'texprior prior' trained
    for the same experiment; --train-prior trains that one if it is missing.
    """
    session = request.session(*prior_setting(prior), fresh=fresh, parallel=True)
    from texprior.training.given_prior import given_prior

    if dry_run:
        _measure(session, given_prior(session.experiment), train_prior, request.as_json)
        return
    from texprior.runtime.split_check import require_splits
    from texprior.training.adapter import train_adapter
    from texprior.training.predictor import train_predictor
    from texprior.training.preflight import require_adapters
    from texprior.training.prior import own_prior
    from texprior.training.prior import train_prior as stage_one

    # What cannot work is found before the predictor is trained, not after it.
    require_runs()
    require_splits(session, "train")
    remedy = f"train it with `{request.command('prior')}`, add --train-prior, or name one with --prior"
    folder, broken = given_prior(session.experiment), dict[str, str]()
    if folder is None and train_prior:
        require_adapters(session, None)
        trained = stage_one(session)
        folder, broken = trained.folder, dict(trained.broken)
    folder = folder or own_prior(session, remedy)
    if not prior:
        say(f"prior: {folder}")
    require_adapters(session, folder)
    predictor = train_predictor(session)
    model = train_adapter(session, folder, predictor.folder)

    broken = broken | predictor.broken | model.broken
    if not session.team.leads:
        return
    if request.as_json:
        emit({"model": model.folder, "predictor": predictor.folder, "prior": folder, "broken": broken})
    else:
        click.echo(f"predictor: {predictor.folder}\nmodel: {model.folder}")
    name_broken(broken, "used for training")


def _measure(session: Session, given: Path | None, trains: bool, as_json: bool) -> None:
    """Prints what Stage II would train, on the given prior, this experiment's own, or one with initial weights.

    ``trains`` is whether a missing prior is trained.
    """
    from texprior.training.dry_run import measure_prior, measure_stage_two
    from texprior.training.planned import planned_prior, planned_stage_two
    from texprior.training.preflight import on_prior

    prior = planned_prior(session, given, trains=trains)
    folder = prior.folder if prior.state == "reused" else None
    on = on_prior(session, folder)
    stage_one = measure_prior(session) if prior.state == "trained here" else []
    measured, planned = [*stage_one, *measure_stage_two(on, folder)], [prior, *planned_stage_two(on, prior)]
    notes = training_notes([on.experiment], on.registry, measured, planned)
    show_dry_run(on.experiment, on.device, measured, as_json, planned, notes)
