"""judge: an evaluation with its files, its run, and its place in the model's card."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from texprior.config.schema import Experiment
from texprior.evaluation.evaluate import Evaluated, evaluate, write_evaluation
from texprior.evaluation.tables import scores_markdown
from texprior.flow.image import load_image
from texprior.models.build import Model
from texprior.models.folders import CARD, put_section
from texprior.runtime.session import Session


@dataclass(frozen=True)
class EvaluationRun:
    """What an evaluation found, the folder with scores.csv and sheet.png, and where its run is shown."""

    evaluated: Evaluated
    folder: Path
    run: dict[str, str]


def run_evaluation(session: Session, model: Model, folder: Path | None = None) -> EvaluationRun:
    """Evaluates a model under a run of its own; by default the files go to ``MODEL/evaluation-SPLIT``."""
    session = session.with_(experiment=judged_experiment(session.experiment, model.experiment))
    split = session.experiment.evaluation.split
    folder = folder or model.folder / f"evaluation-{split}"
    name = f"evaluation-{split} of {model.folder.name}"
    info = session.run_info(
        f"evaluation-{uuid.uuid4().hex[:12]}", name, "evaluation", False, **{"texprior.split": split}
    )
    with session.tracker.run(info) as run:
        evaluated = evaluate(session, model)
        write_evaluation(evaluated, folder)
        run.summary |= evaluated.scores.flat()
        table = scores_markdown(evaluated.scores)
        run.notes.append(table)
        if evaluated.sheet:
            run.image("sheet", load_image(folder / "sheet.png"))
        run.artifact(folder)
        if evaluated.scores.scores:
            put_section(model.folder / CARD, f"Scores on {split}", table)
        where = run.where()
    return EvaluationRun(evaluated, folder, where)


def judged_experiment(experiment: Experiment, of_model: Experiment) -> Experiment:
    """What an evaluation's run records: the model as it was trained, judged as the experiment says."""
    judging = (
        "name",
        "data",
        "degradation",
        "sampling",
        "metrics",
        "events",
        "evaluation",
        "sweep",
        "ablation",
        "device",
        "threads",
    )
    return of_model.model_copy(update={part: getattr(experiment, part) for part in judging})
