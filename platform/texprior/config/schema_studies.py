"""The part of an experiment's schema that asks: what is judged, what a sweep searches, what an ablation compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from texprior.plugin.references import Ref


class Section(BaseModel):
    """A part of the experiment: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Evaluation(Section):
    """What ``texprior evaluate`` scores; every combination of ``steps`` and ``texture_strengths`` is a row."""

    split: Literal["val", "test"] = "test"
    seed: int = 0
    """Of the synthesised degradation and the sampled noise: trainings with other seeds are judged on equal pictures."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """The first pictures of the split only."""
    steps: list[Annotated[int, Field(ge=1, le=1000)]] = []
    """Sampling steps to compare; empty is sampling.steps."""
    texture_strengths: list[Annotated[float, Field(ge=0, le=2)]] = []
    """Texture strengths to compare on the same sampled layers; empty is sampling.texture_strength."""
    choose_by: str | None = None
    """The metric by which each half of the pictures chooses the texture strength that the other half is scored at;
    None is sweep.metric."""
    controls: bool = False
    """Also without the adapter, with another picture's semantic code, and with another picture's estimate."""
    pictures: Annotated[int, Field(ge=0)] = 4
    """How many pictures the contact sheet shows."""


class Range(Section):
    """A numeric dimension of a sweep, both ends included. ``integer`` follows from the option at its path."""

    low: Annotated[int | float, Field(allow_inf_nan=False)]
    high: Annotated[int | float, Field(allow_inf_nan=False)]
    log: bool = False
    step: Annotated[int | float, Field(gt=0, allow_inf_nan=False)] | None = None
    integer: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must be smaller than high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs low > 0, not {self.low}")
        if self.log and self.step is not None:
            raise ValueError("log and step exclude each other")
        return self


class Confirm(Section):
    """The best trials are trained again with fresh seeds before one of them is called best."""

    top: Annotated[int, Field(ge=0)] = 3
    """How many trials; 0 confirms none."""
    seeds: Annotated[int, Field(ge=1, le=100)] = 2
    """How many fresh seeds each."""


class Sweep(Section):
    """What ``texprior sweep`` searches: path -> choices, or path -> range.

    A choice of a component brings that component's ``Tune`` options, written out when the experiment is resolved. Where
    nothing is given, it is the experiment's own adapter with its options, and the adapter's learning rate.
    """

    space: dict[
        str,
        Annotated[
            Annotated[list[Any], Tag("list[any]")] | Annotated[Range, Tag("Range")],
            Discriminator(lambda value: "Range" if isinstance(value, Mapping | Range) else "list[any]"),
        ],
    ] = {}
    metric: str = "lpips_alex"
    """The restoration metric on val that is searched by."""
    also: list[str] = []
    """Further objectives: metrics, or ``trainable_parameters``, ``calls``, ``latency_s``. The result is a front."""
    trials: Annotated[int, Field(ge=1)] = 8
    seed: Annotated[int, Field(ge=0)] = 0
    sampler: Ref = Ref(name="auto")
    """One of Optuna's samplers by name, with its arguments: ``{CmaEsSampler: {n_startup_trials: 8}}``."""
    pruner: Ref = Ref(name="auto")
    """One of Optuna's pruners by name, with its arguments; it is asked at each rung. Needs ``rungs``."""
    rungs: list[Annotated[float, Field(gt=0, lt=1)]] = []
    """Shares of the adapter's budget at which a trial is judged and may be pruned; none: every trial runs whole."""
    patience: Annotated[int, Field(ge=1)] = 3
    """With several objectives, a trial is pruned at a rung where so many are better there and cost no more."""
    confirm: Confirm = Confirm()
    retries: Annotated[int, Field(ge=0)] = 1
    """How often the trial of a worker that died is run again before it counts as failed."""

    @model_validator(mode="after")
    def _rungs_rise(self) -> Sweep:
        if self.rungs != sorted(set(self.rungs)):
            raise ValueError(f"rungs {self.rungs} must rise")
        if self.metric in self.also or len(set(self.also)) < len(self.also):
            raise ValueError("an objective is named twice in metric and also")
        return self


class Ablation(Section):
    """What ``texprior ablate`` compares with ``baseline``: arms, each trained once per seed, or one model, sampled in
    several ways."""

    question: str = ""
    """What is to be answered, in words; the report begins with it."""
    model: Annotated[str, Field(min_length=1)] | None = None
    """The folder of a trained model that every arm samples, where nothing is to be trained: arms differ in ``sampling``
    alone, and a seed is that of the synthesised degradation and of the sampled noise."""
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    """Path -> values; every combination is an arm, named by what differs. A path below a component that another path
    chooses applies where that component is chosen."""
    arms: dict[Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=80)], dict[str, Any]] = {}
    """Name -> path -> value, for arms that are no grid; an empty mapping is the experiment as it is."""
    baseline: str | None = None
    """The arm that the others are compared with, by name; None is the first."""
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0, 1, 2]
    """A whole training each, of every arm."""
    metric: str | None = None
    """What the arms are ranked by, and the crops chosen by; None is sweep.metric."""
    against: str | None = None
    """A second metric: the report shows the arms in the plane of both, and which of them no other beats in both."""
    split: Literal["val", "test"] = "val"
    pictures: Annotated[int, Field(ge=0)] = 24
    """How many restored pictures of each training are kept, from which the report takes its crops."""

    @model_validator(mode="after")
    def _seeds_differ(self) -> Ablation:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is given twice; the same training would count twice")
        return self
