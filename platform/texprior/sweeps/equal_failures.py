"""Notices that trials fail for a common cause, such as a disk that is not mounted."""

from __future__ import annotations

from texprior.config.schema import Experiment, component_paths
from texprior.sweeps.records import TrialRecord

EQUAL_FAILURES = 5
"""Failures in a row with one reason after which a command stops: one bad hour must not use up a study."""


class EqualFailures:
    """The failures in a row, in this process, that have the same reason."""

    def __init__(self, experiment: Experiment) -> None:
        kinds = component_paths()
        # a component without an alternative does not explain a failure
        self._components = [
            path for path, choices in experiment.sweep.space.items() if path in kinds and len(list(choices)) > 1
        ]
        self._row: list[TrialRecord] = []

    def add(self, trial: TrialRecord) -> str:
        """Adds a trial that ended; returns why the command should stop, or nothing."""
        if trial.state not in ("failed", "duplicate"):
            self._row = []
        if trial.state != "failed":
            return ""
        self._row = [*(t for t in self._row if t.reason == trial.reason), trial]
        if len(self._row) < EQUAL_FAILURES or self._one_component():
            return ""
        numbers = ", ".join(str(t.number) for t in self._row)
        return (
            f"trials {numbers} failed alike, one after the other ({trial.reason}), so this command stops. The same "
            f"command goes on, with trial {trial.number} again; with --retry-failed it runs all failed trials again"
        )

    def _one_component(self) -> bool:
        """Whether all of them chose the same component where others are searched too: that one is then at fault."""
        return any(len({str(t.params.get(path)) for t in self._row}) == 1 for path in self._components)
