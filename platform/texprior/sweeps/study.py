"""Opens, counts and reads a sweep's study in Optuna's storage, the only record of trials."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import IntegrityError

from texprior.addresses import checked_address, redact, sqlite_address
from texprior.config import search_space, with_overrides
from texprior.config.schema import Experiment, component_paths
from texprior.digests import digest
from texprior.errors import ConfigError
from texprior.evaluation.scores import pareto_front
from texprior.plugin.added import DIGEST
from texprior.runtime.identity import foreign_components
from texprior.runtime.run_record import flatten_paths
from texprior.runtime.session import Session
from texprior.store import runs_root
from texprior.sweeps.dead_workers import GRACE_S, HEARTBEAT_S, lock_study
from texprior.sweeps.records import Better, State, SweepResult, SweepSetup, TrialRecord
from texprior.sweeps.search_strategy import check_names

_FREE = frozenset({"name", "sweep", "ablation", "device", "threads", "requires_plugins", "metrics", "events"})
"""Sections that may differ between two starts of one study."""
_PAUSES_S = (0.5, 1, 2, 4, None)
"""Seconds between tries while another worker creates the tables, which takes a few seconds at most; None ends them."""
_SQLITE_WAIT_S = 60
"""Seconds that SQLite waits for another process's lock: several workers write to one file, and 5 s is its default."""
# a metric that is best at 1 is minimised as its distance from 1
_DIRECTIONS: dict[Better, str] = {"higher": "maximize", "lower": "minimize", "one": "minimize"}


def default_storage() -> str:
    """Returns the address of Optuna's storage if none is named.

    It is ``optuna.db`` in the folder of the runs.
    """
    runs_root().mkdir(parents=True, exist_ok=True)
    return sqlite_address(runs_root() / "optuna.db")


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
        seconds=trial.duration.total_seconds() if trial.duration else 0.0,
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
                raise ConfigError(_unusable(storage, error)) from None
            time.sleep(pause_s)

    # a new study: the user should know if an earlier one was expected to continue
    if name not in names:
        earlier = [n for n in names if n.startswith(f"{experiment.name}-")]
        _report_changes(experiment, list(setup.programs), earlier, connected, say)
        study.set_user_attr("space", experiment.sweep.model_dump(mode="json")["space"])
        study.set_user_attr("programs", list(setup.programs))

    _refuse_another(study, experiment, setup.shared)
    return study


def connect(storage: str) -> BaseStorage:
    """Connects to Optuna's storage: ``journal:PATH``, SQLite, or a database with heartbeats.

    Raises the error of the storage's driver if it cannot, and ConfigError for an address of SQLite that names another
    file than it seems to.
    """
    kind, _, path = storage.partition(":")
    if kind == "journal":
        return JournalStorage(JournalFileBackend(path.removeprefix("//")))
    if kind.partition("+")[0] == "sqlite":
        return RDBStorage(checked_address(storage), engine_kwargs={"connect_args": {"timeout": _SQLITE_WAIT_S}})
    # heartbeats are experimental in Optuna, but the only sign of life of a worker on another host
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return RDBStorage(
            storage, engine_kwargs={"pool_pre_ping": True}, heartbeat_interval=HEARTBEAT_S, grace_period=GRACE_S
        )


def _report_changes(
    experiment: Experiment, programs: list[str], names: list[str], storage: BaseStorage, say: Callable[[str], None]
) -> None:
    """Reports how the search space, or else the programs, differ from those of the experiment's latest other study."""
    now = experiment.sweep.model_dump(mode="json")["space"]
    for name in reversed(names):
        attributes = optuna.load_study(study_name=name, storage=storage).user_attrs
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


def _shown(dimension: dict[str, object] | Sequence[object] | None) -> str:
    """Returns a stored dimension of the search space in words."""
    if isinstance(dimension, dict):
        scale = " by its logarithm" if dimension.get("log") else ""
        return f"{dimension['low']} to {dimension['high']}{scale}"
    return "not searched" if dimension is None else ", ".join(map(str, dimension))


def _is_race(error: Exception) -> bool:
    """Whether the error is that another worker creates the tables at this moment; Optuna does not prevent that."""
    return isinstance(error, IntegrityError) or "already exists" in str(error)


def _unusable(storage: str, error: Exception) -> str:
    """Returns the message for a storage that cannot be used, without its password."""
    problem = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"Optuna's storage {redact(storage)} cannot be used: {redact(problem)}; give --storage an address such as "
        "sqlite:///sweep.db, journal:sweep.log or postgresql+psycopg://user@host/database"
    )


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


def count_trials(study: optuna.Study) -> int:
    """Counts the trials that ended by themselves and those that are running."""
    # an interrupted trial was queued again, so it would count twice; a duplicate was not trained
    states = [record_of(t).state for t in study.get_trials(deepcopy=False) if t.state != TrialState.WAITING]
    return sum(state not in ("duplicate", "interrupted") for state in states)
