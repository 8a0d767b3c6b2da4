"""Implements ``texprior prior`` and ``texprior adapt``, the two stages of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from texprior.cli.dry_run import dry_run_option, show_dry_run, training_notes
from texprior.cli.output import emit, name_broken, say
from texprior.cli.request import Request, fresh_option, prior_option, prior_setting, require_runs, takes_experiment

if TYPE_CHECKING:
    from pathlib import Path

    from texprior.runtime.session import Session


@click.command()
@takes_experiment
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
@prior_option
@dry_run_option
@fresh_option
def adapt(request: Request, prior: str | None, dry_run: bool, fresh: bool) -> None:
    """Stage II: train the predictor and the adapter of EXPERIMENT on a prior.

    The prior is that of --prior, else that of the experiment's key 'prior', else the one that 'texprior prior' trained
    for the same experiment.
    """
    session = request.session(*prior_setting(prior), fresh=fresh, parallel=True)
    from texprior.training.given_prior import given_prior

    if dry_run:
        _measure(session, given_prior(session.experiment), request.as_json)
        return
    from texprior.runtime.split_check import require_splits
    from texprior.training.adapter import train_adapter
    from texprior.training.predictor import train_predictor
    from texprior.training.preflight import require_adapters
    from texprior.training.prior import own_prior

    # What cannot work is found before the predictor is trained, not after it.
    require_runs()
    require_splits(session, "train")
    remedy = f"train it with `{request.command('prior')}`, or name one with --prior"
    folder = given_prior(session.experiment) or own_prior(session, remedy)
    if not prior:
        say(f"prior: {folder}")
    require_adapters(session, folder)
    predictor = train_predictor(session)
    model = train_adapter(session, folder, predictor.folder)

    broken = predictor.broken | model.broken
    if not session.team.leads:
        return
    if request.as_json:
        emit({"model": model.folder, "predictor": predictor.folder, "prior": folder, "broken": broken})
    else:
        click.echo(f"predictor: {predictor.folder}\nmodel: {model.folder}")
    name_broken(broken, "used for training")


def _measure(session: Session, given: Path | None, as_json: bool) -> None:
    """Prints what Stage II would train, on the given prior, this experiment's own, or one with initial weights."""
    from texprior.training.dry_run import measure_stage_two
    from texprior.training.planned import planned_prior, planned_stage_two
    from texprior.training.preflight import on_prior

    prior = planned_prior(session, given, trains=False)
    folder = prior.folder if prior.state == "reused" else None
    on = on_prior(session, folder)
    measured, planned = measure_stage_two(on, folder), [prior, *planned_stage_two(on, prior)]
    notes = training_notes([on.experiment], on.registry, measured, planned)
    show_dry_run(on.experiment, on.device, measured, as_json, planned, notes)
