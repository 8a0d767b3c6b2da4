"""Chooses Optuna's sampler and pruner for a sweep.

Also defines the pruning rule for several objectives.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, BruteForceSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from texprior.config.schema_studies import Sweep
from texprior.errors import ConfigError
from texprior.plugin import Ref

AUTO = "auto"
"""The name by which texprior chooses the sampler or pruner itself."""
_REPEATS = 5
"""Known configurations in a row after which an untried one is picked: TPE repeats itself in small discrete spaces."""


def sampler_for(sweep: Sweep, wanted: int, possible: int | None, repeats: int) -> BaseSampler:
    """Returns the sampler of the next trial.

    Its random numbers are a function of (sweep.seed, trial number). ``auto`` is TPE. If ``wanted`` trials suffice for
    all ``possible`` configurations, untried ones are picked instead. Any sampler also picks untried ones after
    ``repeats`` known configurations in a row, if the space is discrete. Raises ConfigError for a name or arguments that
    Optuna does not have.
    """
    # in a continuous space untried configurations cannot be listed, and random ones are never known
    if repeats >= _REPEATS:
        return KeyedSampler(sweep.seed, "random" if possible is None else "untried")
    if sweep.sampler.name != AUTO:
        return KeyedSampler(sweep.seed, sweep.sampler)
    return KeyedSampler(sweep.seed, "untried" if possible is not None and possible <= wanted else "model")


def pruner_for(sweep: Sweep) -> BasePruner:
    """Returns the pruner of a sweep by one objective.

    ``auto`` is the median rule once four trials have ended.
    """
    # Optuna cannot prune by several objectives: see ``should_prune``
    if not sweep.rungs or sweep.also:
        return NopPruner()
    if sweep.pruner.name == AUTO:
        # a median of fewer than four trials would stop trials by chance; the first of the few rungs counts already
        return MedianPruner(n_startup_trials=4, n_warmup_steps=0)
    made: BasePruner = _made(optuna.pruners, BasePruner, sweep.pruner, "sweep.pruner", {})
    return made


def check_names(sweep: Sweep) -> None:
    """Refuses a sampler or pruner that Optuna cannot build.

    Raises ConfigError if Optuna has none of this name, or none with these arguments.
    """
    pruner_for(sweep)
    if sweep.sampler.name != AUTO:
        _sampler(sweep.sampler, 0)


def should_prune(values: Sequence[float], others: Sequence[Sequence[float]], patience: int) -> bool:
    """Returns whether enough other trials are better.

    At least ``patience`` others must be better in the first value and no worse in every further one. Values are to be
    minimised: the first is the restoration metric at a share of the budget, the others are costs.
    """
    first, costs = values[0], values[1:]
    better = (o for o in others if o[0] < first and all(a <= b for a, b in zip(o[1:], costs, strict=True)))
    return sum(1 for _ in better) >= patience


def _sampler(ref: Ref, seed: int) -> BaseSampler:
    made: BaseSampler = _made(optuna.samplers, BaseSampler, ref, "sweep.sampler", {"seed": seed})
    return made


def _made(module: ModuleType, base: type, ref: Ref, path: str, more: Mapping[str, Any]) -> Any:
    """Builds a class of one of Optuna's modules by name. Raises ConfigError if it is unknown or refuses its arguments.

    ``more`` are further arguments, which only those classes get that have a parameter of that name.
    """
    known = sorted(n for n, c in vars(module).items() if inspect.isclass(c) and issubclass(c, base) and c is not base)
    if ref.name not in known:
        raise ConfigError(f"{path}: Optuna has no '{ref.name}'; it has {AUTO}, {', '.join(known)}")

    made = getattr(module, ref.name)
    takes = inspect.signature(made).parameters
    try:
        with warnings.catch_warnings():
            # the user named this class, and a warning in each trial would say nothing new
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return made(**{name: value for name, value in more.items() if name in takes}, **ref.options)
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigError(f"{path}.{ref.name}: {error}") from None


_ORDERED = ("GridSampler", "QMCSampler")
"""Samplers that go through one sequence whose order depends on their seed: all trials of a sweep need the same seed."""


class KeyedSampler(BaseSampler):  # type: ignore[misc]
    """A sampler whose random numbers are a function of (seed, trial number).

    So a resumed sweep equals an unbroken one. ``how`` is ``model`` (TPE; options of different components are modelled
    in groups), ``untried`` (any configuration that is not in the study; the space must be discrete), ``random``, or one
    of Optuna's samplers with its arguments.
    """

    def __init__(self, seed: int, how: Literal["model", "untried", "random"] | Ref) -> None:
        self.seed, self.how = seed, how
        self._sampler: BaseSampler = RandomSampler(seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Makes the sampler of this trial."""
        # a seed from both numbers: trial n gets the same random numbers, whichever worker asks and however often
        seed = int(np.random.SeedSequence([self.seed, trial.number]).generate_state(1)[0])
        if isinstance(self.how, Ref) and self.how.name in _ORDERED:
            seed = self.seed
        with warnings.catch_warnings():
            # TPE's multivariate and grouped modes are marked as experimental, and are wanted here
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if isinstance(self.how, Ref):
                self._sampler = _sampler(self.how, seed)
            elif self.how == "model":
                self._sampler = TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
            else:
                self._sampler = (BruteForceSampler if self.how == "untried" else RandomSampler)(seed=seed)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Returns the search space that the trial's sampler samples jointly."""
        found: dict[str, BaseDistribution] = self._sampler.infer_relative_search_space(study, trial)
        return found

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Samples the joint search space with the trial's sampler."""
        found: dict[str, Any] = self._sampler.sample_relative(study, trial, search_space)
        return found

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Samples one parameter with the trial's sampler."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: optuna.trial.TrialState, values: Sequence[float] | None
    ) -> None:
        """Reports the end to the trial's sampler if the user named it.

        Such a sampler may keep a state.
        """
        if isinstance(self.how, Ref):
            try:
                self._sampler.after_trial(study, trial, state, values)
            except RuntimeError as error:
                # after the last point of a grid the sampler stops Optuna's own loop, which a sweep does not use
                if "Study.stop" not in str(error):
                    raise
