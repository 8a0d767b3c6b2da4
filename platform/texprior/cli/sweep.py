"""``texprior sweep``: a search over adapter configurations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from texprior.cli.common import Request, require_runs, takes_experiment
from texprior.cli.dryrun import dry_run_option, show_dry_run
from texprior.cli.output import emit, name_broken, table

if TYPE_CHECKING:
    from texprior.sweeping import StudyDone


@click.command()
@takes_experiment
@click.option(
    "--trials", type=click.IntRange(min=1), metavar="N", help="Of the study in all; sweep.trials if not given."
)
@click.option("--prior", metavar="PRIOR", help="The folder of a trained prior; trained or found if not given.")
@click.option("--storage", metavar="URL", help="Optuna's storage; optuna.db beside the runs if not given.")
@dry_run_option
def sweep(request: Request, trials: int | None, prior: str | None, storage: str | None, dry_run: bool) -> None:
    """Search for the best adapter configuration.

    It is the one of EXPERIMENT's sweep space that scores best on the split val. All trials share one prior and one
    predictor. The same command goes on with a study that was interrupted.
    """
    session = request.session()
    from texprior import models
    from texprior.store import require_folder
    from texprior.sweeping import run_study

    folder = require_folder(Path(prior), "prior", models.CONFIG, models.PRIOR) if prior else None
    if dry_run:
        from texprior.dryrun import measure_sweep

        measured = measure_sweep(session, folder, trials or session.experiment.sweep.trials)
        show_dry_run(session.experiment, session.device, measured, request.as_json)
        return
    require_runs()
    done = run_study(session, folder, trials, storage)
    if request.as_json:
        emit(_document(done))
    else:
        _show(done)
    name_broken(done.broken, "read")


def _document(done: StudyDone) -> dict[str, object]:
    shown = ("study", "storage", "metric", "better", "parent_run", "best", "trials", "model", "prior", "predictor")
    return {**{name: getattr(done, name) for name in shown}, "metrics": done.scores.means(), "broken": done.broken}


def _show(done: StudyDone) -> None:
    from texprior.summary import ARROWS

    paths = list(dict.fromkeys(path for trial in done.trials for path in trial.params))
    metrics = list(dict.fromkeys([done.metric, *(m for trial in done.trials for m in trial.values)]))
    columns = [f"{m} {ARROWS[done.scores.better[m]]}" if m in done.scores.better else m for m in metrics]
    rows = [
        [
            f"{trial.number}{' *' if trial.number == done.best.number else ''}",
            trial.state,
            *(str(trial.params.get(path, "")) if path in trial.params else "" for path in paths),
            *(f"{trial.values[m]:.4g}" if m in trial.values else "" for m in metrics),
            f"{trial.seconds:.0f}",
            trial.reason,
        ]
        for trial in done.trials
    ]
    table(["trial", "state", *paths, *columns, "s", "reason"], rows, wrap=["reason"])
    click.echo(f"best by {done.metric} on val: trial {done.best.number}\nmodel: {done.model}")
    click.echo(f"study: {done.study} in {done.storage}")
