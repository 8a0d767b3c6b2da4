"""Defines the sections ``evaluation``, ``sweep`` and ``ablation`` of an experiment's schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from texprior.plugin.added import Before, WithAddedFields
from texprior.plugin.references import Ref

MOST_SEED = 2**63 - 1
"""The largest whole number of 64 bits: databases and JSON readers take no larger one."""


class Section(WithAddedFields, BaseModel):
    """Base class of the parts of an experiment: unknown keys are errors, values are frozen."""

    # NaN and infinity have no JSON form, and experiments are hashed and stored as JSON.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Evaluation(Section):
    """What ``texprior evaluate`` scores. Every combination of ``steps`` and ``texture_strengths`` is one row."""

    split: Literal["val", "test"] = "test"
    """The split whose pictures are scored. Default: ``test``."""
    seed: Annotated[int, Field(ge=-MOST_SEED, le=MOST_SEED)] = 0
    """Seed of the synthesised degradation and of the sampled noise. It is independent of the experiment's ``seed``, so
    that trainings with different seeds are judged on equal pictures. Default: 0."""
    limit: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """Number of pictures to score, from the first of the split on. Default: None, all pictures."""
    steps: list[Annotated[int, Field(ge=1, le=1000)]] = []
    """Numbers of sampling steps to compare. Default: empty, which uses ``sampling.steps``."""
    texture_strengths: list[Annotated[float, Field(ge=0, le=2)]] = []
    """Texture strengths to compare on the same sampled layers. Default: empty, which uses
    ``sampling.texture_strength``."""
    choose_by: str | None = None
    """The metric by which texture strengths are chosen, if there are several: each half of the pictures chooses the
    strength at which the other half is scored. Default: None, which uses ``sweep.metric``."""
    controls: bool = False
    """Whether to add three rows of scores as controls: without the adapter, with another picture's semantic code, and
    with another picture's estimate in the adapter. Default: false."""
    pictures: Annotated[int, Field(ge=0, le=1000)] = 4
    """Number of pictures on the contact sheet. Default: 4."""


class Range(Section):
    """A numeric dimension of a sweep, both ends included."""

    low: Annotated[int | float, Field(allow_inf_nan=False)]
    """Smallest value. Required. Must be smaller than ``high``, and above 0 if ``log`` is true."""
    high: Annotated[int | float, Field(allow_inf_nan=False)]
    """Largest value. Required."""
    log: bool = False
    """Whether to search the logarithm of the value. Excludes ``step``. Default: false."""
    step: Annotated[int | float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Distance between neighbouring values; ``high`` must be a whole number of steps above ``low``.
    Default: None, which means 1 for whole numbers and no grid for others."""
    integer: bool = False
    """Whether all values are whole numbers. Resolving sets it to true if the option at the path takes only whole
    numbers. Default: false."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must be smaller than high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs low > 0, not {self.low}")
        if self.log and self.step is not None:
            raise ValueError("log and step cannot be used together")
        return self


class Confirm(Section):
    """How the best trials of a sweep are trained again with fresh seeds.

    Only then is one of them called best.
    """

    top: Annotated[int, Field(ge=0, le=1000)] = 3
    """Number of trials to train again. 0 confirms none. Default: 3."""
    seeds: Annotated[int, Field(ge=1, le=100)] = 2
    """Number of fresh seeds for each of these trials. Default: 2."""


class Sweep(Section):
    """What ``texprior sweep`` searches, by which metric, and with how many trials."""

    # The tags name the branch of the union in pydantic's errors; ``validation`` removes them from the reported path.
    space: dict[
        str,
        Annotated[
            Annotated[list[Any], Tag("list[any]")] | Annotated[Range, Tag("Range")],
            Discriminator(lambda value: "Range" if isinstance(value, Mapping | Range) else "list[any]"),
        ],
    ] = {}
    """Path -> a list of choices, or path -> a range. For each component among the choices, resolving adds the options
    that the component marks with ``Tune``.
    Default: empty, which searches the ``Tune`` options of the experiment's own adapter, and its learning rate."""
    metric: str = "lpips_alex"
    """The restoration metric, measured on val, that the sweep optimises. Default: ``lpips_alex``."""
    also: list[str] = []
    """Further objectives: metrics, ``trainable_parameters``, ``calls`` (of the network per picture) or ``latency_s``
    (per picture, s). With any of them the result is a Pareto front. Default: none."""
    trials: Annotated[int, Field(ge=1, le=10**6)] = 8
    """Number of trials of the whole study, over all of its workers. Default: 8."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the search. Default: 0."""
    sampler: Ref = Ref(name="auto")
    """Name of one of Optuna's samplers, with its arguments: ``{CmaEsSampler: {n_startup_trials: 8}}``.
    Default: ``auto``, which is TPE, or every configuration in turn if ``trials`` are enough for all of them."""
    pruner: Ref = Ref(name="auto")
    """Name of one of Optuna's pruners, with its arguments. It decides at each of the ``rungs``, but only if there is
    one objective (``also`` is empty). Default: ``auto``, the median rule once four trials have ended."""
    rungs: list[Annotated[float, Field(gt=0, lt=1)]] = []
    """Shares of the adapter's budget, in increasing order, at which a trial is judged and may be pruned.
    Default: empty, so that every trial runs to its end."""
    patience: Annotated[int, Field(ge=1, le=10**6)] = 3
    """With several objectives: a trial is pruned at a rung if at least this many other trials are better there in
    ``metric`` and no worse in the other objectives. Default: 3."""
    confirm: Confirm = Confirm()
    """How the best trials are trained again with fresh seeds."""
    retries: Annotated[int, Field(ge=0, le=1000)] = 1
    """How often a trial whose worker died is run again before it counts as failed. Default: 1."""

    @model_validator(mode="after")
    def _rungs_rise(self) -> Sweep:
        if self.rungs != sorted(set(self.rungs)):
            raise ValueError(f"rungs {self.rungs} must be in increasing order, each only once")
        if self.metric in self.also or len(set(self.also)) < len(self.also):
            raise ValueError("metric and also name an objective twice; name each once")
        return self


_ArmName = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=80)]


class Ablation(Section):
    """What ``texprior ablate`` compares.

    An ablation compares arms that are trained once per seed, or one model that is sampled in several ways.
    """

    question: str = ""
    """The question that the ablation answers, in words. The report begins with it. Default: empty."""
    model: Annotated[str, Field(min_length=1)] | None = None
    """Folder of a trained model, or ``shipped:TASK``, that every arm samples; nothing is trained then. The arms may
    differ only in ``sampling``, and a seed is that of the synthesised degradation and of the sampled noise.
    Default: None, so that every arm is trained."""
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    """Path -> values. Every combination of values is an arm, which is named by the values that differ. If a path is
    below a component that another path chooses, it applies only to the arms with that component. Default: empty."""
    arms: dict[_ArmName, dict[str, Any]] = {}
    """Name -> path -> value, for arms that do not form a grid. An empty mapping is the experiment as it is.
    Default: empty."""
    foreign: Annotated[dict[_ArmName, Annotated[str, Field(min_length=1)]], Before({})] = {}
    """Name -> folder of pictures that another program restored, for a comparison with the arms. They are named as the
    pictures of the split are, up to the suffix, and all of them must be there. Default: empty."""
    baseline: str | None = None
    """Name of the arm with which the others are compared. Default: None, the first arm."""
    equal: Annotated[Literal["images", "flops"] | None, Before(None)] = None
    """What the trainings of every arm together cost as much of as those of the baseline: ``images`` that they see, or
    ``flops`` of their steps. The adapter's budget is set for that; an arm other than the baseline cannot state it.
    Default: None, the budgets as they are written."""
    predictor_alone: Annotated[bool, Before(False)] = True
    """Whether to add the arm ``predictor alone``: the baseline's predictor, trained for as much as the baseline's
    prior, predictor and adapter together (images if ``equal`` is ``images``, else FLOPs). Its estimate is its restored
    picture. It is left out with ``model``, or if the predictor has nothing to train. Default: true."""
    seeds: Annotated[list[Annotated[int, Field(ge=0, le=MOST_SEED)]], Field(min_length=1)] = [0, 1, 2]
    """Seeds, all different. Every arm is trained once per seed, from the prior to its scores. Default: 0, 1 and 2."""
    metric: str | None = None
    """The metric that ranks the arms and selects the crops of the report. Default: None, which uses
    ``sweep.metric``."""
    against: str | None = None
    """A second metric. The report then plots the arms in the plane of both metrics and marks those that no other arm
    beats in both. Default: None."""
    split: Literal["val", "test"] = "val"
    """The split on which the arms are judged. Default: ``val``."""
    pictures: Annotated[int, Field(ge=0, le=10**6)] = 24
    """Number of restored pictures of each training that are kept. The report takes its crops from them. Default: 24."""

    @model_validator(mode="after")
    def _seeds_differ(self) -> Ablation:
        # A repeated seed is no second sample: it would make the spread between trainings look too small.
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is given twice; give each once, or the same training counts twice")
        return self

    @model_validator(mode="after")
    def _trains_what_is_equal(self) -> Ablation:
        if self.model is not None and self.equal is not None:
            raise ValueError("equal makes trainings cost the same, but model is sampled and nothing is trained")
        return self
