"""Runs an evaluation.

Writes its files, records its tracked run, and adds its scores to the model's card.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from texprior.config import parse_override
from texprior.config.schema import Experiment
from texprior.errors import ConfigError
from texprior.evaluation.about import ABOUT, About, about_evaluation
from texprior.evaluation.evaluate import Evaluated, evaluate, write_evaluation
from texprior.evaluation.sharing import share_of
from texprior.evaluation.tables import scores_markdown
from texprior.flow.image import load_image
from texprior.models.build import Model
from texprior.models.checksums import read_checksums
from texprior.models.folders import CARD, put_section
from texprior.runtime.session import Session
from texprior.runtime.split_check import require_splits
from texprior.store import write_atomically

JUDGING = (
    *("name", "data", "degradation", "sampling", "metrics", "events"),
    *("evaluation", "sweep", "ablation", "device", "threads"),
)
"""The sections of an experiment that say how a model is judged; everything else is the model's own."""


@dataclass(frozen=True)
class EvaluationRun:
    """The result of an evaluation and its folder.

    The folder holds scores.csv, about.json (what they were made on) and sheet.png. It also says where the run is shown.
    """

    evaluated: Evaluated
    folder: Path
    run: dict[str, str]
    about: About


def run_evaluation(session: Session, model: Model, folder: Path | None = None, workers: int = 1) -> EvaluationRun:
    """Evaluates a model in a new run, in this process, in ``workers`` others, or in all of a team.

    Of a team, only the leader gets scores and writes files.

    By default the files go to ``MODEL/evaluation-SPLIT``. If data, degradation, sampling, seed or limit are not the
    model's own, a digest of what differs ends the folder's name, and the card gets a section of its own. Nothing is
    written to an exported model: the files go below the folder of the experiment's runs.
    """
    # the experiment's file may have changed since the training: what the model is made of comes from the model
    session = session.with_(experiment=judged_experiment(session.experiment, model.experiment))
    split = session.experiment.evaluation.split
    require_splits(session, split)
    about = about_evaluation(session.experiment, model.experiment, session.device)
    # an exported model stays as it is: its folder may be that of an installed package, and its card has a digest
    exported = bool(read_checksums(model.folder))
    home = session.folder / model.folder.name if exported else model.folder
    folder = folder or home / about.folder

    share = share_of(session, model, workers)

    # a random id: each evaluation is a new run, and none is resumed
    name = f"evaluation-{split} of {model.folder.name}"
    info = session.run_info(
        f"evaluation-{uuid.uuid4().hex[:12]}", name, "evaluation", False, **{"texprior.split": split}
    )
    with session.tracker.run(info) as run:
        # the run gets its picture and its artifacts from these files, so they are written first
        evaluated = evaluate(session, model, share=share)
        if not session.team.leads:
            return EvaluationRun(evaluated, folder, {}, about)
        write_evaluation(evaluated, folder)
        write_atomically(folder / ABOUT, (json.dumps(about.record(), indent=2) + "\n").encode())

        run.summary |= evaluated.scores.flat()
        table = f"{about.markdown(evaluated.scores)}\n\n{scores_markdown(evaluated.scores)}"
        run.notes.append(table)
        if evaluated.sheet:
            run.image("sheet", load_image(folder / "sheet.png"))
        run.artifact(folder)

        # an evaluation without any score does not replace an earlier table in the card by an empty one
        if evaluated.scores.scores and not exported:
            put_section(model.folder / CARD, about.title, table)
        where = run.where()
    return EvaluationRun(evaluated, folder, where, about)


def judged_experiment(experiment: Experiment, of_model: Experiment) -> Experiment:
    """Returns the model's experiment, judged as ``experiment`` says.

    It takes from ``experiment`` those settings that decide how the model is judged.
    """
    return of_model.model_copy(update={part: getattr(experiment, part) for part in JUDGING})


def refuse_ignored(overrides: Sequence[str], experiment: Experiment, of_model: Experiment) -> None:
    """Raises ConfigError if an override changes what comes from the model.

    An override that sets the model's own value is allowed.
    """
    for override in overrides:
        section = parse_override(override)[0].partition(".")[0]
        if section not in JUDGING and getattr(experiment, section) != getattr(of_model, section):
            raise ConfigError(
                f"--set {override}: an evaluation takes '{section}' from the model, which has another value; only "
                f"{', '.join(JUDGING)} can be set"
            )
