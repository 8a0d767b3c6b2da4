"""The schema of an experiment: pydantic models, which know no plugin and import nothing heavy."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Annotated, Literal

import yaml
from pydantic import Field, model_validator

from texprior.config.dotted_paths import get_path
from texprior.config.schema_studies import Ablation, Evaluation, Section, Sweep
from texprior.plugin.references import Kind, Ref, refs_of


class Data(Section):
    """Where pictures come from. ``train`` is asked for its split train, ``val`` for val, ``test`` for test.

    Settings and sweeps are judged on val; test is for the final evaluation only.
    """

    train: Annotated[Ref, Kind("dataset")] = Ref(name="bundled")
    val: Annotated[Ref, Kind("dataset")] = Ref(name="bundled")
    test: Annotated[Ref, Kind("dataset")] = Ref(name="bundled")
    variants: Annotated[int, Field(ge=1, le=1000)] = 2
    """Degraded versions of each training photograph where the degradation is synthesised."""
    cache_mb: Annotated[int, Field(ge=16)] = 8192
    """Memory for prepared pictures; what does not fit is prepared again when it is needed."""
    disk_cache_mb: Annotated[int, Field(ge=0)] = 20480
    """Disk for the structures of slow decompositions, shared by all experiments; 0 keeps none."""
    patches_per_photograph: Annotated[int, Field(ge=1, le=4096)] = 1
    """Patches that training cuts from a photograph at each visit: more share the cost of preparing it."""


class Diffusion(Section):
    """Noise levels of training, ln sigma ~ N(mean, std^2), for a layer of unit standard deviation; and what is done to
    the picture that is concatenated.

    The condition's noise and blur belong to the prior: every task on it, in training and in sampling, has the same.
    """

    noise_mean: float = -0.5
    noise_std: Annotated[float, Field(gt=0)] = 1.2
    code_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training samples, of Stage I and Stage II, whose semantic code is zeros."""
    condition_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Standard deviation of Gaussian noise on the condition, in units of the picture."""
    condition_blur: Annotated[float, Field(ge=0, le=16)] = 0.0
    """Standard deviation of a Gaussian blur of the condition, px; the noise comes after it."""
    alpha_max: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Stage I is given S + a T and learns the rest of the texture, (1 - a) T, with a uniform below this; 0 is a = 0."""


class ProcessChoice(Section):
    """Stage II's process (Stage I's follows from the decomposition). See docs/method.md for what is open."""

    base: Literal["estimate", "estimate-structure"] = "estimate"
    """What the sampled layer is added to: y_eps (the poster's figure), or S(y_eps)."""
    concat: Literal["initial-structure", "initial", "degraded"] = "initial-structure"
    """The picture beside x_t: S(y_eps) (what Stage I saw), y_eps, or y_d."""
    residual_scale: Literal["prior", "measured"] = "prior"
    """What Stage II's residual is divided by: the texture's standard deviation of Stage I, or its own."""
    code: Literal["degraded", "estimate", "structure"] = "degraded"
    """What net S looks at: y_d (the poster), y_eps, or S(y_eps), which is nearest to what it saw in Stage I."""
    unfreeze: Literal["none", "norms", "last-block"] = "none"
    """Parts of the prior that are trained beside the adapter, as copies stored with the model."""


class Budget(Section):
    """How long to train, in images; ``seconds`` only stops early."""

    images: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0)] | None = None


class Training(Section):
    """One training of the one loop. Everything that has a duration counts images."""

    budget: Budget
    batch: Annotated[int, Field(ge=1)] = 16
    microbatch: Annotated[int, Field(ge=1)] | None = None
    """Gradients are accumulated over microbatches; None is the whole batch at once."""
    patch: Annotated[int, Field(ge=16, multiple_of=2)] = 64
    lr: Annotated[float, Field(gt=0)] = 1e-3
    warmup_images: Annotated[int, Field(ge=0)] = 1600
    decay: Literal["constant", "cosine"] = "constant"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    grad_clip: Annotated[float, Field(gt=0)] = 1.0
    ema_half_life_images: Annotated[float, Field(gt=0)] = 10000
    ema_rampup: Annotated[float, Field(ge=0)] = 0.05
    checkpoint_every_s: Annotated[float, Field(gt=0)] = 60
    log_every_images: Annotated[int, Field(ge=1)] = 1600
    amp: bool = True
    """Mixed precision (bfloat16) where the device is a GPU that has it; the CPU trains in float32."""

    @model_validator(mode="after")
    def _microbatch_fits(self) -> Training:
        if self.microbatch is not None and self.batch % self.microbatch:
            raise ValueError(f"microbatch {self.microbatch} does not divide batch {self.batch}")
        return self


class Trainings(Section):
    """Stage I, then Stage II's predictor, then its adapter."""

    prior: Training = Training(budget=Budget(images=20000))
    predictor: Training = Training(budget=Budget(images=10000))
    adapter: Training = Training(budget=Budget(images=20000))


LARGEST_SIGMA = {"ddpm-linear": 157.4, "cosine": 20291.0}
"""Where the schedules end that were published as a list."""


class Sampling(Section):
    """How a layer is sampled."""

    sampler: Annotated[Ref, Kind("sampler")] = Ref(name="ddim")
    steps: Annotated[int, Field(ge=1, le=1000)] = 4
    schedule: Literal["karras", "exponential", "ddpm-linear", "cosine", "training-quantiles"] = "karras"
    """How the steps lie between sigma_max, where the first starts, and sigma_min; the last ends at 0."""
    spacing: Literal["linspace", "trailing"] | None = None
    """The last step starts at sigma_min (linspace) or one step above it (trailing: no call where little noise is left).
    None is the schedule's own: linspace for karras and exponential, else trailing."""
    sigma_min: Annotated[float, Field(gt=0)] = 0.02
    sigma_max: Annotated[float, Field(gt=0)] = 20.0
    rho: Annotated[float, Field(gt=0)] = 7.0
    """Of karras: 1 spaces sigma evenly, a large one its logarithm."""
    start: Literal["noise", "estimate"] = "noise"
    """``estimate`` is a warm start: the layer of y_eps plus noise of sigma_max."""
    texture_strength: Annotated[float, Field(ge=0, le=2)] = 1.0
    samples: Annotated[int, Field(ge=1, le=256)] = 1
    tile: Annotated[int, Field(ge=64, multiple_of=16)] = 512
    """Pictures larger than this are denoised in tiles of this side, px."""
    halo: Annotated[int, Field(ge=0, multiple_of=16)] = 64
    """What a tile sees beyond its border, px."""
    features_mb: Annotated[int, Field(ge=0)] = 2048
    """Memory for what the adapter computes once per picture; tiles beyond it compute it again at every call."""

    @model_validator(mode="after")
    def _sigmas_in_order(self) -> Sampling:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min {self.sigma_min} must be smaller than sigma_max {self.sigma_max}")
        largest = LARGEST_SIGMA.get(self.schedule)
        if largest is not None and self.sigma_max > largest:
            raise ValueError(
                f"sigma_max {self.sigma_max} is beyond the {self.schedule} schedule, which ends at {largest}"
            )
        return self


class Experiment(Section):
    """The whole of an experiment."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: int = 0
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    threads: Annotated[int, Field(ge=1)] | None = None
    requires_plugins: list[str] = Field(default=[])
    data: Data = Data()
    decomposition: Annotated[Ref, Kind("decomposition")] = Ref(name="guided")
    match_texture_std: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The texture's standard deviation at which Stage I sets the decomposition's strength; None takes it as written."""
    encoder: Annotated[Ref, Kind("encoder")] = Ref(name="mobilenet_v2")
    denoiser: Annotated[Ref, Kind("denoiser")] = Ref(name="unet")
    attention: Annotated[Ref, Kind("attention")] = Ref(name="sdpa")
    diffusion: Diffusion = Diffusion()
    degradation: Annotated[Ref | None, Kind("degradation")] = Ref(name="defocus")
    """None where the data set brings its own degraded pictures."""
    predictor: Annotated[Ref, Kind("predictor")] = Ref(name="unet")
    adapter: Annotated[Ref, Kind("adapter")] = Ref(name="cga")
    process: ProcessChoice = ProcessChoice()
    training: Trainings = Trainings()
    sampling: Sampling = Sampling()
    metrics: Annotated[list[Ref], Kind("metric")] = Field(
        default=[Ref(name=n) for n in ("psnr", "ssim", "lpips_alex", "niqe", "texture_ratio")]
    )
    events: Annotated[list[Ref], Kind("events")] = Field(default=[Ref(name="mlflow")])
    evaluation: Evaluation = Evaluation()
    sweep: Sweep = Sweep()
    ablation: Ablation = Ablation()

    @model_validator(mode="after")
    def _rungs_need_a_constant_rate(self) -> Experiment:
        if self.sweep.rungs and self.training.adapter.decay != "constant":
            raise ValueError("sweep.rungs needs training.adapter.decay: constant, as a trial goes on after each rung")
        return self

    def hash(self, *paths: str) -> str:
        """Ten hex digits over the named parts (all, where none is named): equal experiments share their work."""
        dumped = self.model_dump(mode="json")
        parts = {path: get_path(dumped, path) for path in paths} if paths else dumped
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:10]

    def to_yaml(self) -> str:
        """The resolved file: enough to run it again."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


NAMED = frozenset({"sweep.sampler", "sweep.pruner"})
"""Paths that hold one name with its arguments, as a component does, but of another library."""


@functools.cache
def component_paths() -> dict[str, str]:
    """Dotted path -> kind of the experiment's single components."""
    return {path: kind for path, kind, _ in refs_of(Experiment(name="x")) if not path[-1].isdigit()}
