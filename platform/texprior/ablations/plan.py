"""Plans an ablation: its arms and its cells (arms times seeds).

Checks every arm before anything is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from texprior.ablations.arms import Arm, arms_of, baseline_of
from texprior.ablations.budgets import compute_unit, with_equal_compute
from texprior.ablations.cells import Cell, Outcome, cell_of, outcome_of, scores_of
from texprior.ablations.comparison import Results, results_of, training_scores
from texprior.ablations.foreign import foreign_scores
from texprior.config.dotted_paths import get_path, leaf_paths, nest_value
from texprior.config.schema import Experiment
from texprior.digests import digest
from texprior.errors import ConfigError, TexpriorError, error_text, suggest_name
from texprior.evaluation.metrics import build_metrics, with_metric_keys
from texprior.evaluation.scores import Scores
from texprior.models.build import Model, require_grid
from texprior.models.folders import load_model
from texprior.runtime.run_record import flatten_paths
from texprior.runtime.session import Session
from texprior.runtime.split_check import require_splits
from texprior.track import RunInfo
from texprior.training.given_prior import on_given_prior
from texprior.training.loop import warmup_notes
from texprior.training.preflight import on_prior, rehearse_sampling, rehearse_training
from texprior.training.prior import at_strength


@dataclass(frozen=True)
class Plan:
    """An ablation before anything is trained.

    It has its arms, and its cells in the order in which they are run.
    """

    session: Session
    arms: list[Arm]
    baseline: Arm
    cells: list[Cell]
    metric: str
    better: dict[str, str]
    digest: str

    @property
    def folder(self) -> Path:
        """The folder of the report."""
        return self.session.folder / f"ablation-{self.digest}"

    @property
    def rival(self) -> str:
        """The name of the arm of the predictor alone; empty if there is none."""
        return next((arm.name for arm in self.arms if arm.alone), "")

    def foreign(self, keep: bool = True) -> dict[str, Scores]:
        """Scores what other programs restored, as the baseline is judged; name -> scores.

        ``keep`` stores the scores, which a dry run does not. Raises ConfigError if a folder cannot be used.
        """
        cell, ablation = self.of(self.baseline.name)[0], self.session.experiment.ablation
        judged = cell.experiment.model_copy(update={"ablation": ablation})
        return foreign_scores(self.session.with_(experiment=judged), self.folder if keep else None)

    def of(self, arm: str) -> list[Cell]:
        """Returns an arm's cells."""
        return [cell for cell in self.cells if cell.arm == arm]

    def arm_run(self, arm: Arm) -> RunInfo:
        """Returns the run of an arm; its cells' runs are its children.

        The run's parameters are what arms differ in.
        """
        inner = self.session.with_(experiment=self.of(arm.name)[0].experiment, parent_run="")
        info = inner.run_info(
            f"arm-{self.digest}-{digest(arm.name.encode())}", arm.name, "arm", True, **self.tags(arm.name)
        )
        data = arm.experiment.model_dump(mode="json")
        paths = dict.fromkeys(path for other in self.arms for path in other.all_values)
        return replace(info, params=flatten_paths({path: get_path(data, path) for path in paths}), reopen=True)

    def tags(self, arm: str = "") -> dict[str, str]:
        """Returns the tags by which the runs of this ablation are found again."""
        tags = {"texprior.ablation": self.digest, "texprior.baseline": self.baseline.name}
        rival = {"texprior.predictor_alone": "true"} if arm == self.rival else {}
        return {**tags, **({"texprior.arm": arm, **rival} if arm else {})}


def plan_of(session: Session) -> Plan:
    """Plans the ablation of the session's experiment.

    Raises ConfigError that names every arm that cannot work.
    """
    session = with_metric_keys(session)
    experiment = session.experiment
    written = _on_given_priors(session, arms_of(experiment, session.registry))
    baseline = baseline_of(experiment, written)
    arms = with_equal_compute(session, written, baseline)
    _refuse_twins(experiment, arms)
    better = build_metrics(session).better
    metric = experiment.ablation.metric or experiment.sweep.metric
    for path, name in (("metric", metric), ("against", experiment.ablation.against or metric)):
        if name not in better:
            raise ConfigError(
                f"ablation.{path}: the experiment does not measure '{name}'; {suggest_name(name, better)}"
            )
    # every cell, or why it cannot be one
    cells, complaints = [], []
    for seed in experiment.ablation.seeds:  # an arm's first training comes before any arm's second
        for arm in arms:
            try:
                cells.append(cell_of(session, arm, seed))
            except ConfigError as error:
                complaints.append(f"arm '{arm.name}': {error}")

    # two arms in one folder would be one training under two names
    owners: dict[Path, str] = {}
    complaints += [
        f"arm '{cell.arm}' differs from arm '{other}' in nothing that could change its scores"
        for cell in cells
        if (other := owners.setdefault(cell.folder, cell.arm)) != cell.arm
    ]
    _refuse(complaints)

    content: list[object] = [baseline.name, metric, [[cell.arm, cell.folder.name] for cell in cells]]
    content += [dict(experiment.ablation.foreign)] if experiment.ablation.foreign else []
    return Plan(session, arms, baseline, cells, metric, better, digest(content))


def _refuse_twins(experiment: Experiment, arms: Sequence[Arm]) -> None:
    """Raises ConfigError if a foreign folder has the name of an arm."""
    twins = [arm.name for arm in arms if arm.name in experiment.ablation.foreign]
    _refuse([f"there are two arms '{name}'; rename the one in ablation.foreign" for name in twins])


def _on_given_priors(session: Session, arms: Sequence[Arm]) -> list[Arm]:
    """Returns the arms with Stage I of the priors that they name.

    Raises ConfigError that names each arm that states other settings than its prior's.
    """
    if session.experiment.ablation.model is not None:
        return list(arms)
    found, complaints = [], []
    for arm in arms:
        stated = [leaf for path, value in arm.values.items() for leaf in leaf_paths(nest_value(path, value))]
        inner = session.with_(experiment=arm.experiment, said=session.said.with_(stated))
        try:
            found.append(replace(arm, experiment=on_given_prior(inner).experiment))
        except ConfigError as error:
            complaints.append(f"arm '{arm.name}': {error}")
    _refuse(complaints)
    return found


def check_arms(plan: Plan, match: bool = True) -> None:
    """Builds and tries every arm that is still to be done.

    Raises ConfigError that names each arm that does not work. ``match`` finds the strength of arms that are matched in
    strength, and stores it and other programs' scores; a dry run does not.
    """
    plan.foreign(keep=match)
    # arms that sample a model have its prior; what the experiment states of Stage I must be that of the prior
    given = plan.cells[0].prior
    if plan.cells[0].model is not None and given is not None:
        on_prior(plan.session, given.folder)

    complaints = []
    model: Model | None = None
    for arm in plan.arms:
        cells = [cell for cell in plan.of(arm.name) if outcome_of(cell) is None]
        if not cells:
            continue
        try:
            session, cell = plan.session.with_(experiment=cells[0].experiment), cells[0]
            judged = session.experiment.evaluation.split
            require_splits(session, *(["train"] if cell.model is None else []), judged)
            if cell.model is not None and cell.prior is not None:
                model = model or load_model(cell.model, session.builder, cell.prior.folder)
                require_grid(session.experiment.sampling, model.prior.network, model.predictor)
                rehearse_sampling(session, model)
            elif cell.prior is not None:  # the predictor alone was tried when its step was counted
                rehearse_training(at_strength(session) if match else session)
        except Exception as error:  # a plugin may raise anything; it is the reason why this arm cannot work
            said = str(error) if isinstance(error, TexpriorError) else error_text(error)
            complaints.append(f"arm '{arm.name}': {said}")
    _refuse(complaints)


def adapter_notes(plan: Plan) -> list[str]:
    """Says which adapters that are still to be trained have a warm-up as long as their budget, each note once."""
    pending = [cell.experiment for cell in plan.cells if cell.trains_adapter and outcome_of(cell) is None]
    return list(dict.fromkeys(note for experiment in pending for note in warmup_notes(experiment, ["adapter"])))


def finished_results(plan: Plan) -> Results:
    """Compares what has finished so far."""
    scores = {
        arm.name: [training_scores(scores_of(cell)) for cell in plan.of(arm.name) if is_finished(outcome_of(cell))]
        for arm in plan.arms
    }
    scores |= {name: [training_scores(found)] for name, found in plan.foreign().items()}
    sampled = plan.session.experiment.ablation.model is not None
    names = list(scores)
    found = results_of(scores, names, plan.baseline.name, plan.metric, plan.better, sampled)
    return replace(found, rival=plan.rival, unit=compute_unit(plan.session.experiment))


def is_finished(outcome: Outcome | None) -> bool:
    """Whether a cell has scores."""
    return outcome is not None and outcome.status == "finished"


def _refuse(complaints: Sequence[str]) -> None:
    if complaints:
        unique = dict.fromkeys(complaints)
        raise ConfigError("\n".join(f"ablation: {complaint}" for complaint in unique) + "\nnothing was started")
