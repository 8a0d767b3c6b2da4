"""Trains the best trials of a sweep again with fresh seeds.

This is done before one of them is called best. Workers share the trainings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev

from texprior.errors import Interrupted
from texprior.evaluation.scores import loss_of
from texprior.locks import hold_lock, try_lock
from texprior.registry.error_source import describe_error
from texprior.sweeps.records import Confirmed, SweepResult, TrialRecord
from texprior.sweeps.trial import FailedBefore, Trials


def confirm_best(trials: Trials, result: SweepResult) -> list[Confirmed]:
    """Returns the best trials with their values over fresh seeds, the best mean first.

    Trainings that no worker has done run here. A configuration that fails with a fresh seed is reported, and cannot be
    the best.
    """
    metric = trials.session.experiment.sweep.metric
    pairs = confirmation_pairs(trials, result)
    rows: dict[int, dict[int, Mapping[str, float] | None]] = {trial.number: {} for trial, _ in pairs}
    # The lock protects the training of one seed. This process first does what no other is doing, then waits for them.
    for wait in (False, True):
        for trial, seed in pairs:
            if seed in rows[trial.number]:
                continue
            path = _lock(trials, trial, seed)
            with hold_lock(path) if wait else try_lock(path) as held:
                if wait or held:
                    rows[trial.number][seed] = _values(trials, trial, seed)

    # a mean over fewer seeds cannot be compared with the others, so one failed seed leaves the trial out
    found = []
    for number, row in rows.items():
        # the seeds in order: with several processes they may have come in another
        row = dict(sorted(row.items()))
        measured = [values for values in row.values() if values is not None]
        if len(measured) == len(row):
            values = [of_seed[metric] for of_seed in measured]
            deviation = stdev(values) if len(values) > 1 else math.nan
            means = {name: fmean(of_seed[name] for of_seed in measured) for name in measured[0]}
            found.append(Confirmed(number, list(row), values, fmean(values), deviation, means))
    return sorted(found, key=lambda c: loss_of(result.objectives[metric], c.mean))


def confirm_unclaimed(trials: Trials, result: SweepResult, worker: int) -> None:
    """Runs every training that no other process is running; each worker begins with another seed."""
    work = confirmation_pairs(trials, result)
    choice = trials.session.experiment.sweep.confirm
    # workers that begin with different seeds rarely meet, and do not prepare the same pictures at the same time
    begin = worker % choice.seeds * len(work) // choice.seeds
    for trial, seed in (*work[begin:], *work[:begin]):
        # the lock protects the training of one seed; a worker that does not get it continues with the next one
        with try_lock(_lock(trials, trial, seed)) as held:
            if held:
                _values(trials, trial, seed)


def confirmation_pairs(trials: Trials, result: SweepResult) -> list[tuple[TrialRecord, int]]:
    """Lists the best trials with each fresh seed.

    Seeds are the outer loop, because trials of one seed share the prepared pictures.
    """
    experiment = trials.session.experiment
    choice, metric = experiment.sweep.confirm, experiment.sweep.metric
    finished = [t for t in result.trials if t.state == "finished"]
    best = sorted(finished, key=lambda t: loss_of(result.objectives[metric], t.values[metric]))[: choice.top]
    # the trials were trained with the experiment's own seed: fresh ones begin after it
    return [(trial, experiment.seed + 1 + n) for n in range(choice.seeds) for trial in best]


def _values(trials: Trials, trial: TrialRecord, seed: int) -> Mapping[str, float] | None:
    """Returns the values of a trial's configuration with a fresh seed; reports a failure and returns None."""
    metric = trials.session.experiment.sweep.metric
    try:
        values = trials.train_again(trial, seed)
        reason = "" if math.isfinite(values[metric]) else f"{metric} is {values[metric]}"
    except Interrupted:
        raise
    except FailedBefore as error:
        reason = str(error)
    except Exception as error:
        # lack of memory, a diverged training: one of the other configurations may still be the best
        reason = describe_error(error)
    if reason:
        trials.session.say(f"trial {trial.number} again, with seed {seed}, failed: {reason}")
        return None
    return values


def _lock(trials: Trials, trial: TrialRecord, seed: int) -> Path:
    return trials.session.root / ".locks" / f"{trials.key}-{trial.number}-seed-{seed}.lock"
