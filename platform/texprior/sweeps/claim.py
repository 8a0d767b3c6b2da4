"""Takes the next trial of a study, or waits for the trials that other workers are running."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from texprior.config.search_space import count_configurations, suggest_values
from texprior.sweeps.heartbeats import Watch, last_sign, name_worker, worker_name
from texprior.sweeps.records import SweepSetup, TrialRecord
from texprior.sweeps.retries import lock_study, release_dead_trials
from texprior.sweeps.search_strategy import sampler_for
from texprior.sweeps.study import count_trials, record_of

_POLL_S = 1.0
"""Seconds between two looks at the trials of other workers; a trial takes minutes."""


@dataclass
class Claims:
    """One worker's way to its trials."""

    study: optuna.Study
    setup: SweepSetup
    say: Callable[[str], None]
    on_dead: Callable[[TrialRecord], None]
    """Gets every trial whose worker is found dead."""
    watch: Watch = field(default_factory=Watch)

    def take(self, repeats: int) -> tuple[optuna.Trial, Mapping[str, Any]] | None:
        """Returns a new trial and its values, by dotted path; None if the study is complete.

        It is complete if it has all its trials and none of them is running, here or elsewhere. Until then this call
        waits, because a running trial may fall back into the queue. ``repeats`` are this worker's known configurations
        in a row.
        """
        said: list[int] = []
        while True:
            # The lock protects "count, then ask": without it, each of several workers would ask for the last trial.
            with lock_study(self.study):
                dead = release_dead_trials(self.study, self.setup.experiment.sweep.retries, self.watch)
                trials = self.study.get_trials(deepcopy=False)
                missing = count_trials(trials) < self._wanted()
                taken = self._ask(repeats) if missing else None
            for number in dead:
                self.on_dead(record_of(trials[number]))
            running = [t for t in trials if t.state == TrialState.RUNNING]
            if taken or not running:
                return taken
            if (numbers := [t.number for t in running]) != said:
                self.say(_waiting(running))
                said = numbers
            time.sleep(_POLL_S)

    def _wanted(self) -> int:
        sweep = self.setup.experiment.sweep
        wanted, possible = self.setup.trials or sweep.trials, count_configurations(sweep)
        return min(wanted, possible or wanted)

    def _ask(self, repeats: int) -> tuple[optuna.Trial, Mapping[str, Any]]:
        sweep = self.setup.experiment.sweep
        wanted, possible = self.setup.trials or sweep.trials, count_configurations(sweep)
        self.study.sampler = sampler_for(sweep, wanted, possible, repeats)
        trial = self.study.ask()
        name_worker(trial)
        return trial, suggest_values(trial, sweep)


def _waiting(running: Sequence[FrozenTrial]) -> str:
    who = "; ".join(f"trial {t.number} in {worker_name(t)} ({last_sign(t)})" for t in running)
    return f"waiting for trials that other workers are running: {who}"
