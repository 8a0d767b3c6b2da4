"""Implements ``texprior evaluate``, which scores a model on a split."""

from __future__ import annotations

from pathlib import Path

import click

from texprior.cli.labels import takes_labels
from texprior.cli.output import emit, name_broken
from texprior.cli.request import Request, output_folder, takes_experiment
from texprior.errors import ConfigError


@click.command()
@takes_experiment
@takes_labels
@click.option("--model", "model_path", metavar="MODEL", required=True, help="The folder of a trained model.")
@click.option("--prior", metavar="PRIOR", help="The folder of the model's prior, if it was moved.")
@click.option("--split", type=click.Choice(["val", "test"]), help="The split to score; evaluation.split if not given.")
@click.option("--steps", metavar="N,N,...", help="Sampling steps to compare, such as 1,2,4,10.")
@click.option("--texture-strengths", metavar="W,W,...", help="Texture strengths to compare, such as 0,0.5,1.")
@click.option(
    "--controls",
    is_flag=True,
    help="Also score three controls: no adapter, another picture's code, another's estimate.",
)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    help="Folder for scores.csv, about.json and sheet.png; MODEL/evaluation-SPLIT if not given (below the runs if "
    "MODEL is an export), with a digest if data, degradation or sampling are not the model's own.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    default=1,
    metavar="N",
    show_default=True,
    help="Number of processes on this machine that share the pictures.",
)
def evaluate(
    request: Request,
    model_path: str,
    prior: str | None,
    split: str | None,
    steps: str | None,
    texture_strengths: str | None,
    controls: bool,
    output: str | None,
    workers: int,
) -> None:
    """Score a model on the pictures of EXPERIMENT.

    The scores are also recorded as a run and in the model's README.md. They do not depend on the number of processes.
    torchrun can start the command on several machines.
    """
    # Options override the experiment, so that its resolved form records what was really scored.
    given = {
        "split": split,
        "steps": steps and f"[{steps}]",
        "texture_strengths": texture_strengths and f"[{texture_strengths}]",
        "controls": "true" if controls else None,
    }
    overrides = [f"evaluation.{name}={value}" for name, value in given.items() if value is not None]
    session = request.session(*overrides, parallel=True)
    if session.team.size > 1 and workers > 1:
        raise ConfigError("--workers: torchrun started the processes already; leave one of the two out")
    from texprior.evaluation.run import refuse_ignored, run_evaluation
    from texprior.evaluation.tables import paired_json, scores_json
    from texprior.models.folders import load_model
    from texprior.runtime.split_check import require_splits
    from texprior.store import named_folder

    model = load_model(named_folder(model_path), session.builder, Path(prior) if prior else None)
    refuse_ignored(request.overrides, session.experiment, model.experiment)
    # The data set is checked before a folder is made and before the pictures are restored, which takes long.
    require_splits(session, session.experiment.evaluation.split)
    judged = run_evaluation(session, model, output_folder(output) if output else None, workers)
    # Under torchrun every process runs this function, and only the first one may print.
    if not session.team.leads:
        return

    found = judged.evaluated
    sheet = judged.folder / "sheet.png"
    if request.as_json:
        emit(
            {
                "model": model.folder,
                "split": session.experiment.evaluation.split,
                "about": judged.about,
                "scores": judged.folder / "scores.csv",
                "sheet": sheet if found.sheet else None,
                "run": judged.run,
                "better": found.scores.better,
                "metrics": scores_json(found.scores),
                "against_predictor": paired_json(found.scores),
                "broken": found.broken,
            }
        )
    elif found.scores.scores:
        from texprior.cli.score_table import show_scores

        show_scores(found.scores)
        click.echo(f"scores: {judged.folder / 'scores.csv'}\ncontact sheet: {sheet}")
    name_broken(found.broken, "read")
