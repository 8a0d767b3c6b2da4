"""``texprior prior`` and ``texprior adapt``: the two stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from texprior.cli.common import Request, fresh_option, require_runs, takes_experiment
from texprior.cli.output import emit, name_broken, say, table

if TYPE_CHECKING:
    from texprior.dryrun import Measured
    from texprior.session import Session

dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print the resolved experiment, parameters, memory and speed; train nothing."
)


@click.command()
@takes_experiment
@dry_run_option
@fresh_option
def prior(request: Request, dry_run: bool, fresh: bool) -> None:
    """Stage I: train the texture prior of EXPERIMENT."""
    session = request.session(fresh=fresh)
    if dry_run:
        from texprior.dryrun import measure_prior

        _show_dry_run(session, measure_prior(session), request.as_json)
        return
    from texprior.trainings import train_prior

    require_runs()
    trained = train_prior(session)
    if request.as_json:
        emit({"prior": trained.folder, "broken": trained.broken})
    else:
        click.echo(f"prior: {trained.folder}")
    name_broken(trained.broken, "used for training")


@click.command()
@takes_experiment
@click.option("--prior", metavar="PRIOR", help="The folder of a trained prior; this experiment's own if not given.")
@dry_run_option
@fresh_option
def adapt(request: Request, prior: str | None, dry_run: bool, fresh: bool) -> None:
    """Stage II: train predictor and adapter on a prior.

    Without --prior the prior that 'texprior prior' made of the same experiment is taken.
    """
    session = request.session(fresh=fresh)
    if dry_run:
        from texprior.dryrun import measure_stage_two

        measured = measure_stage_two(session, Path(prior) if prior else None)
        _show_dry_run(session, measured, request.as_json)
        return
    from texprior import models
    from texprior.store import require_folder
    from texprior.trainings import train_adapter, train_predictor

    require_runs()
    folder = Path(prior) if prior else own_prior(session, request.path)
    require_folder(folder, "prior", models.CONFIG, models.PRIOR)
    predictor = train_predictor(session)
    model = train_adapter(session, folder, predictor.folder)
    broken = predictor.broken | model.broken
    if request.as_json:
        emit({"model": model.folder, "predictor": predictor.folder, "prior": folder, "broken": broken})
    else:
        click.echo(f"predictor: {predictor.folder}\nmodel: {model.folder}")
    name_broken(broken, "used for training")


def own_prior(session: Session, path: str) -> Path:
    """The prior that Stage I made of the same experiment. Raises ConfigError where it is not trained yet."""
    from texprior import models, trainings
    from texprior.errors import ConfigError

    folder = trainings.prior_folder(session)
    if not (folder / models.PRIOR).is_file():
        raise ConfigError(
            f"{path}: this experiment's own prior is not trained yet (it would be {folder}); "
            f"train it with 'texprior prior {path}', or name one with --prior"
        )
    say(f"prior: {folder}")
    return folder


def _show_dry_run(session: Session, measured: list[Measured], as_json: bool) -> None:
    from texprior.cli.progress import clock_time

    experiment = session.experiment
    if as_json:
        stages = [vars(m) for m in measured]
        emit({"experiment": experiment.model_dump(mode="json"), "device": str(session.device), "stages": stages})
        return
    click.echo(experiment.to_yaml())
    columns = ["stage", "parameters", "trainable", "peak memory", "images/s", "budget, images", "expected time"]
    rows = [
        [
            m.stage,
            f"{m.parameters:,}",
            f"{m.trainable:,}",
            "not measured" if m.memory_mb is None else f"{m.memory_mb:,.0f} MB",
            f"{m.images_per_s:.1f}",
            f"{m.budget_images:,}",
            clock_time(m.expected_s),
        ]
        for m in measured
    ]
    table(columns, rows)
    say(
        f"measured on {session.device} with random pictures; prepared photographs come on top, up to "
        f"{experiment.data.cache_mb:,} MB (data.cache_mb); nothing was trained"
    )
