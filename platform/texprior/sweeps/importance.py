"""Computes how much of a metric's spread each parameter explains: functional ANOVA (Hutter et al. 2014)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from texprior.config.schema import Experiment, component_paths
from texprior.sweeps.study import connect

_FEWEST = 4
"""Fewest finished trials for an importance: a forest over three points would rank noise."""


def parameter_importances(experiment: Experiment, storage: str, study_name: str) -> dict[str, dict[str, float]]:
    """Returns ``all`` and each searched component -> parameter -> share of the first objective's explained variance.

    The row ``all`` has the parameters that every trial has; a component's row has those of the trials that chose it.
    Rows of fewer than four finished trials are left out. ``sweep.seed`` seeds the forest.
    """
    study = optuna.load_study(study_name=study_name, storage=connect(storage))
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    owners = [path for path in component_paths() if path in experiment.sweep.space]
    groups = {"all": finished}
    for owner in owners:
        for name in dict.fromkeys(t.params[owner] for t in finished):
            groups[f"{owner}.{name}"] = [t for t in finished if t.params[owner] == name]
    found = {}
    for group, trials in groups.items():
        common = set.intersection(*(set(t.params) for t in trials)) if trials else set()
        varied = sorted(p for p in common if len({t.params[p] for t in trials}) > 1)
        if len(trials) >= _FEWEST and varied and len({t.values[0] for t in trials}) > 1:
            found[group] = _fanova(study, trials, varied, experiment.sweep.seed)
    return {group: row for group, row in found.items() if group == "all" or set(row) - set(found.get("all", {}))}


def _fanova(
    study: optuna.Study, trials: list[optuna.trial.FrozenTrial], params: list[str], seed: int
) -> dict[str, float]:
    among = optuna.create_study(directions=[d.name.lower() for d in study.directions])
    among.add_trials(trials)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        shares: Mapping[str, float] = get_param_importances(
            among, evaluator=FanovaImportanceEvaluator(seed=seed), params=params, target=lambda t: t.values[0]
        )
    return {param: float(share) for param, share in shares.items()}
