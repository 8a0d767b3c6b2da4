"""Opens, counts and reads a sweep's study in Optuna's storage, the only record of trials."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import IntegrityError

from texprior.addresses import redact
from texprior.config import search_space, with_overrides
from texprior.config.schema import Experiment, component_paths
from texprior.digests import digest
from texprior.errors import ConfigError
from texprior.evaluation.scores import pareto_front
from texprior.plugin.added import DIGEST
from texprior.runtime.identity import foreign_components
from texprior.runtime.machine_faults import find_machine_fault
from texprior.runtime.run_record import flatten_paths
from texprior.runtime.session import Session
from texprior.sweeps.records import Better, State, SweepResult, SweepSetup, TrialRecord
from texprior.sweeps.retries import lock_study, retried_trials
from texprior.sweeps.search_strategy import check_names
from texprior.sweeps.storage import connect, name_storage_errors, unusable_storage

_FREE = frozenset({"name", "sweep", "ablation", "device", "threads", "requires_plugins", "metrics", "events"})
"""Sections that may differ between two starts of one study."""
_PAUSES_S = (0.5, 1, 2, 4, None)
"""Seconds between tries while another worker creates the tables, which takes a few seconds at most; None ends them."""
MARK = "mark"
"""The study's attribute that keeps its files apart from those of a study with the same name in another storage."""
# a metric that is best at 1 is minimised as its distance from 1
_DIRECTIONS: dict[Better, str] = {"higher": "maximize", "lower": "minimize", "one": "minimize"}


def study_name(experiment: Experiment, programs: Sequence[str] = ()) -> str:
    """Names a study by what makes its trials comparable.

    These are its experiment, search space, objectives and the components that are not texprior's own. If one of them
    changes, the sweep gets another study, so trials of one study are comparable.
    """
    sweep = experiment.sweep
    code = [digest(list(programs), 8)] if programs else []
    return "-".join([experiment.name, search_space.space_hash(sweep), *code, sweep.metric, *sweep.also])


def programs_of(session: Session) -> list[str]:
    """Lists the components of all trials that are not texprior's own.

    A component is listed if any trial uses it, with the digest of its program.
    """
    experiment, kinds = session.experiment, component_paths()
    searched = [
        (path, choice) for path, choices in experiment.sweep.space.items() if path in kinds for choice in choices
    ]
    each = [with_overrides(experiment, {path: choice}, session.registry) for path, choice in searched]
    return sorted({tag for e in (experiment, *each) for tag in foreign_components(session.with_(experiment=e))})


def result_of(study: optuna.Study, storage: str, objectives: Mapping[str, Better]) -> SweepResult:
    """Returns what a study holds so far."""
    # a duplicate has the values of an earlier trial, so it is shown but not ranked
    ended = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished()]
    finished = [t for t in ended if t.state == TrialState.COMPLETE and "duplicate_of" not in t.user_attrs]

    # all objectives as losses, which is what the front needs; among equal trials the earlier one is better
    signs = [1 if d == optuna.study.StudyDirection.MINIMIZE else -1 for d in study.directions]
    losses = {t.number: [sign * value for sign, value in zip(signs, t.values, strict=True)] for t in finished}
    ranked = sorted(finished, key=lambda t: (losses[t.number], t.number))
    front = set(pareto_front(losses))
    best = record_of(ranked[0]) if ranked else None
    shown, records = [record_of(t) for t in ranked if t.number in front], [record_of(t) for t in ended]
    return SweepResult(study.study_name, redact(storage), objectives, records, best, shown)


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Returns Optuna's trial as a record. A failed trial without a reason was interrupted."""
    attributes, reason = trial.user_attrs, trial.user_attrs.get("reason", "")
    state: State = "running"
    if trial.state == TrialState.COMPLETE:
        state = "duplicate" if "duplicate_of" in attributes else "finished"
    elif trial.state == TrialState.PRUNED:
        state = "pruned"
    elif trial.state == TrialState.FAIL:
        state = "failed" if reason else "interrupted"
    return TrialRecord(
        number=trial.number,
        params=trial.params,
        values=attributes.get("values", {}),
        state=state,
        reason=reason,
        # another host may have ended it, whose clock is earlier
        seconds=max(0.0, trial.duration.total_seconds()) if trial.duration else 0.0,
        run=attributes.get("run", ""),
    )


def open_study(setup: SweepSetup, say: Callable[[str], None] = lambda _message: None) -> optuna.Study:
    """Opens the experiment's study; creates it if the storage does not hold it.

    Reports to ``say`` if the storage holds a study of this experiment with another search space or other programs, and
    what differs. Raises ConfigError if the storage cannot be used, or if the study's trials are not comparable.
    """
    experiment, storage = setup.experiment, setup.storage
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    check_names(experiment.sweep)
    name = study_name(experiment, setup.programs)
    directions = [_DIRECTIONS[better] for better in setup.objectives.values()]

    # several workers may find an empty database at the same moment: all but one must try again
    for pause_s in _PAUSES_S:
        try:
            connected = connect(storage)
            names = optuna.get_all_study_names(connected)
            study = optuna.create_study(storage=connected, study_name=name, directions=directions, load_if_exists=True)
            break
        except ConfigError:
            raise
        except Exception as error:  # SQLAlchemy's, its drivers' and Optuna's errors have no common base
            if pause_s is None or not _is_race(error):
                raise find_machine_fault(error) or ConfigError(unusable_storage(storage, error)) from None
            time.sleep(pause_s)

    # The lock protects the new study: of two workers that start at once, one describes it.
    with name_storage_errors(storage), lock_study(study):
        if "experiment" not in study.user_attrs:
            # the user should know if an earlier study was expected to continue
            _report_changes(experiment, list(setup.programs), [n for n in names if n != name], connected, say)
            _describe(study, setup)
        _refuse_another(study, experiment, setup.shared)
    return study


def _describe(study: optuna.Study, setup: SweepSetup) -> None:
    """Writes into a new study what it is of."""
    study.set_user_attr("name", setup.experiment.name)
    study.set_user_attr("space", setup.experiment.sweep.model_dump(mode="json")["space"])
    study.set_user_attr("programs", list(setup.programs))
    study.set_user_attr(MARK, secrets.token_hex(4))


def find_study(name: str, storage: str) -> optuna.Study:
    """Opens a study that is there. Raises ConfigError if the storage cannot be used, or does not hold it."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.load_study(study_name=name, storage=connect(storage))
    except ConfigError:
        raise
    except KeyError:
        raise ConfigError(
            f"Optuna's storage {redact(storage)} holds no study {name}; 'texprior sweep' without --status and "
            "--free starts it"
        ) from None
    except Exception as error:  # as in ``open_study``
        raise find_machine_fault(error) or ConfigError(unusable_storage(storage, error)) from None


def _report_changes(
    experiment: Experiment, programs: list[str], names: list[str], storage: BaseStorage, say: Callable[[str], None]
) -> None:
    """Reports how the search space, or else the programs, differ from those of the experiment's latest other study."""
    now = experiment.sweep.model_dump(mode="json")["space"]
    for name in reversed([n for n in names if n.startswith(f"{experiment.name}-")]):
        attributes = optuna.load_study(study_name=name, storage=storage).user_attrs
        if not _is_of(experiment.name, name, attributes):
            continue
        then, used = attributes.get("space"), attributes.get("programs", [])
        if then == now and used != programs:
            changed = sorted({program.rpartition(" ")[0] for program in {*used} ^ {*programs}})
            say(f"{', '.join(changed)}: not the program that study {name} used: this is a new study")
            return
        if then is not None and then != now:
            changed = [p for p in {**then, **now} if then.get(p) != now.get(p)]
            shown = "; ".join(f"{p}: {_shown(then.get(p))} -> {_shown(now.get(p))}" for p in changed)
            say(f"the search space is not that of study {name} ({shown}): this is a new study")
            return


def _is_of(experiment: str, study: str, attributes: Mapping[str, object]) -> bool:
    """Whether a study is of the experiment with this name, and not of one whose name begins like it."""
    # studies of earlier versions do not have the name, but their space, whose hash follows the name
    space = attributes.get("space")
    hashed = f"{experiment}-{digest(space, sort_keys=True)}-" if space is not None else f"{experiment}-"
    return attributes["name"] == experiment if "name" in attributes else study.startswith(hashed)


def _shown(dimension: dict[str, object] | Sequence[object] | None) -> str:
    """Returns a stored dimension of the search space in words."""
    if isinstance(dimension, dict):
        scale = " by its logarithm" if dimension.get("log") else ""
        return f"{dimension['low']} to {dimension['high']}{scale}"
    return "not searched" if dimension is None else ", ".join(map(str, dimension))


def _is_race(error: Exception) -> bool:
    """Whether the error is that another worker creates the tables at this moment; Optuna does not prevent that."""
    return isinstance(error, IntegrityError) or "already exists" in str(error)


def _refuse_another(study: optuna.Study, experiment: Experiment, shared: Mapping[str, str]) -> None:
    """Raises ConfigError if the experiment differs from that of the study's first start in something not searched.

    Trials of a study are comparable only if everything that is not searched is the same.
    """
    searched, data = (
        experiment.sweep.space,
        experiment.model_dump(mode="json", exclude=set(_FREE), context=dict(DIGEST)),
    )
    now = {p: v for p, v in flatten_paths(data, lists=False).items() if p not in searched} | dict(shared)
    then = study.user_attrs.get("experiment")
    if then is None:
        study.set_user_attr("experiment", now)
        return
    changed = sorted(p for p in {*now, *then} if now.get(p) != then.get(p))
    if changed:
        was = ", ".join(f"{p} was {then.get(p)} and is {now.get(p)}" for p in changed[:5])
        raise ConfigError(
            f"study {study.study_name} holds trials of another experiment: {was}; give this one another name"
        )


def enqueue_own_configuration(study: optuna.Study, experiment: Experiment) -> None:
    """Queues the experiment's own configuration as the first trial, if the space holds it."""
    own = search_space.default_values(experiment)
    # The lock protects the empty study: of two workers that start at once, one queues the configuration.
    with lock_study(study):
        if own and not study.get_trials(deepcopy=False):
            study.enqueue_trial(search_space.params_of(own), skip_if_exists=True)


def count_trials(trials: list[FrozenTrial]) -> int:
    """Counts the trials that ended by themselves and those that are running."""
    # an interrupted trial was queued again, as a failed one may be: it would count twice; a duplicate was not trained
    again = retried_trials(trials)
    taken = [t for t in trials if t.state != TrialState.WAITING and t.number not in again]
    return sum(record_of(t).state not in ("duplicate", "interrupted") for t in taken)
