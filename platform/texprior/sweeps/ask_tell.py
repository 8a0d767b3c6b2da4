"""A sweep: Optuna asks for configurations and is told their outcomes."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

import optuna
from optuna.trial import FrozenTrial, TrialState

from texprior.config import search_space, with_overrides
from texprior.config.schema import Experiment
from texprior.errors import Interrupted, TexpriorError
from texprior.registry import Registry
from texprior.registry.error_source import describe_error
from texprior.sweeps.dead_workers import release_dead_trials, requeue_trial, send_heartbeats, this_worker
from texprior.sweeps.records import AskedTrial, Better, Objective, Pruned, SweepResult, TrialRecord
from texprior.sweeps.search_strategy import pruner_for, sampler_for, should_prune
from texprior.sweeps.study import count_trials, enqueue_own_configuration, open_study, record_of, result_of

log = logging.getLogger(__name__)


def run_trials(
    experiment: Experiment,
    registry: Registry,
    objective: Objective,
    storage: str,
    objectives: Mapping[str, Better],
    on_trial: Callable[[TrialRecord], None],
    trials: int | None = None,
    shared: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _message: None,
    programs: Sequence[str] = (),
    died: Callable[[TrialRecord], None] = lambda _trial: None,
) -> SweepResult:
    """Goes on until the study holds ``trials`` ended trials, whoever ran them; the experiment's own values come first.

    ``objectives`` are what is searched by and their directions, the restoration metric first. A trial that raises has
    failed, with its reason, and the sweep goes on; Ctrl-C puts its configuration back in the queue and is raised again.
    A known configuration is not run twice: it keeps its values, and does not count. Raises ConfigError where the
    storage cannot be used, or holds trials of another experiment, or trials that stand on another prior or predictor
    than ``shared`` says. ``programs`` are those of ``study.programs_of``; ``died`` is told each trial whose worker is
    found dead.
    """
    sweep, repeats = experiment.sweep, 0
    wanted, possible = trials or sweep.trials, search_space.count_configurations(sweep)
    study = open_study(experiment, storage, objectives, shared, say, programs)
    study.pruner = pruner_for(sweep)
    _bury(study, sweep.retries, died)
    enqueue_own_configuration(study, experiment)
    while count_trials(study) < min(wanted, possible or wanted):
        study.sampler = sampler_for(sweep, wanted, possible, repeats)
        trial = _asked(study)
        trial.set_user_attr("worker", this_worker())
        values = search_space.suggest_values(trial, sweep)
        known = _known(study, trial)
        repeats = repeats + 1 if known else 0
        if known:
            _reuse(study, trial, known)
        else:
            _run(study, trial, values, experiment, registry, objective, objectives)
        on_trial(record_of(_frozen(study, trial.number)))
        _bury(study, sweep.retries, died)
    return result_of(study, storage, objectives)


def _bury(study: optuna.Study, retries: int, died: Callable[[TrialRecord], None]) -> None:
    for number in release_dead_trials(study, retries):
        died(record_of(_frozen(study, number)))


def _asked(study: optuna.Study) -> optuna.Trial:
    """The next trial. Optuna warns that heartbeats need its own loop; here ``stale`` keeps them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage", UserWarning)
        return study.ask()


def _run(
    study: optuna.Study,
    trial: optuna.Trial,
    values: Mapping[str, Any],
    experiment: Experiment,
    registry: Registry,
    objective: Objective,
    objectives: Mapping[str, Better],
) -> None:
    """One trial, from its values to its end in the storage."""

    def report(images_seen: int, scores: Mapping[str, float]) -> None:
        _judge(study, trial, images_seen, _targets(scores, objectives), experiment.sweep.patience)

    try:
        with send_heartbeats(study, trial):
            resolved = with_overrides(experiment, values, registry)
            scores = objective(AskedTrial(trial.number, resolved, report, partial(trial.set_user_attr, "run")))
        trial.set_user_attr("values", {name: float(score) for name, score in scores.items()})
        study.tell(trial, _targets(scores, objectives))
    except Exception as error:
        if isinstance(error, Interrupted):
            requeue_trial(study, _frozen(study, trial.number))
            raise
        if _frozen(study, trial.number).state.is_finished():  # a heartbeat was late; whoever saw it has queued it again
            log.warning("trial %d was taken for dead meanwhile, and is run again", trial.number)
            return
        pruned = isinstance(error, optuna.TrialPruned) or getattr(error, "run_status", "") == "pruned"
        trial.set_user_attr("reason", describe_error(error)[:2000])
        study.tell(trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)
        log.log(logging.INFO if pruned else logging.WARNING, "trial %d ended: %s", trial.number, describe_error(error))
    except BaseException:  # Ctrl-C, or the process is asked to end
        requeue_trial(study, _frozen(study, trial.number))
        raise


def _judge(study: optuna.Study, trial: optuna.Trial, images_seen: int, targets: Sequence[float], patience: int) -> None:
    """Raises Pruned at a rung: by Optuna's pruner, or with several objectives by the rule of ``hopeless``."""
    if len(targets) == 1:
        trial.report(targets[0], images_seen)
        if trial.should_prune():
            _prune(images_seen, f"{type(study.pruner).__name__} sees no hope")
        return
    signs = [1 if d == optuna.study.StudyDirection.MINIMIZE else -1 for d in study.directions]
    losses, key = [sign * t for sign, t in zip(signs, targets, strict=True)], f"rung {images_seen}"
    trial.set_user_attr(key, losses)
    others = [t.user_attrs[key] for t in study.get_trials(deepcopy=False) if key in t.user_attrs]
    if should_prune(losses, others, patience):
        _prune(images_seen, f"{patience} trials or more are better there and cost no more")


def _prune(images_seen: int, why: str) -> NoReturn:
    raise Pruned(f"after {images_seen} images: {why}")


def _targets(scores: Mapping[str, float], objectives: Mapping[str, Better]) -> list[float]:
    """What Optuna is told; for a metric that is best at 1, the distance from it."""
    targets = []
    for metric, better in objectives.items():
        if metric not in scores:
            raise TexpriorError(f"no score '{metric}' to search by; there are: {', '.join(scores) or 'none'}")
        if not math.isfinite(scores[metric]):
            raise TexpriorError(f"score '{metric}' is {scores[metric]}")
        targets.append(abs(scores[metric] - 1) if better == "one" else float(scores[metric]))
    return targets


def _known(study: optuna.Study, trial: optuna.Trial) -> FrozenTrial | None:
    """A finished trial of the same configuration."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((t for t in finished if t.params == trial.params and "duplicate_of" not in t.user_attrs), None)


def _reuse(study: optuna.Study, trial: optuna.Trial, known: FrozenTrial) -> None:
    trial.set_user_attr("values", known.user_attrs.get("values", {}))
    trial.set_user_attr("duplicate_of", known.number)
    study.tell(trial, known.values)


def _frozen(study: optuna.Study, number: int) -> FrozenTrial:
    return next(t for t in study.get_trials(deepcopy=False) if t.number == number)
