"""Defines the schema of an experiment as pydantic models.

Imports no plugin and nothing heavy. The sections ``evaluation``, ``sweep`` and ``ablation`` are in ``schema_studies``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Set
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from texprior.config.dotted_paths import get_path
from texprior.config.schema_studies import MOST_SEED, Ablation, Evaluation, Section, Sweep
from texprior.digests import digest
from texprior.plugin.added import DIGEST, Before, WasName
from texprior.plugin.references import Kind, Ref, refs_of

MOST_MB = 2**30
"""A petabyte: more than any memory or disk."""
MOST_IMAGES = 2**62
"""Trackers store the number of images as a whole number of 64 bits."""
MOST_S = 1e9
"""Thirty years, s."""


class Data(Section):
    """The data sets, and the memory and disk space for their prepared pictures.

    Settings and sweeps are judged on val. Use test for the final evaluation only.
    """

    train: Annotated[Ref, Kind("dataset")] = Ref(name="bundled")
    """Data set of which the split ``train`` is used. Default: ``bundled``, the photographs that come with texprior."""
    prior: Annotated[Ref | None, Kind("dataset"), Before(None)] = None
    """Data set whose split ``train`` Stage I learns from, if that is not ``train`` too. A prior that was trained before
    has its own photographs. Default: None, those of ``train``."""
    val: Annotated[Ref, Kind("dataset")] = Ref(name="bundled")
    """Data set of which the split ``val`` is used. Default: ``bundled``."""
    test: Annotated[Ref, Kind("dataset")] = Ref(name="bundled")
    """Data set of which the split ``test`` is used. Default: ``bundled``."""
    variants: Annotated[int, Field(ge=1, le=1000)] | None = 2
    """Number of degraded versions of each training photograph, if the degradation is synthesised. None draws a new
    version at each visit; nothing of it is kept then, so that ``patches_per_photograph`` should be above 1.
    Default: 2."""
    degraded_bits: Annotated[Annotated[int, Field(ge=8, le=16)] | None, Before(None)] = 8
    """Bits to which each value of a synthesised degraded picture is rounded, as a file does. None keeps floating-point
    values, which say more than a file can. Degraded pictures from files are used as they are. Default: 8."""
    cache_mb: Annotated[int, Field(ge=16, le=MOST_MB)] = 8192
    """Memory for prepared pictures, MB. Pictures that do not fit are prepared again at each use. Default: 8192."""
    disk_cache_mb: Annotated[int, Field(ge=0, le=MOST_MB)] = 20480
    """Disk space for what trainings derive from photographs, MB, shared by all experiments: structures, codes, degraded
    versions and estimates, 4 bytes per value. What does not fit is derived again at each use. An evaluation keeps the
    structures of slow decompositions only. 0 stores none. Default: 20480."""
    workers: Annotated[int, Field(ge=0, le=256)] | None = None
    """Processes that prepare the next photographs while a training takes a step. Each holds the components and, on a
    GPU, some of its memory. They change no result. 0 prepares photographs between the steps. Default: None, which is 0
    on a CPU, whose cores the training itself uses, and up to 4 on a GPU."""
    patches_per_photograph: Annotated[int, Field(ge=1, le=4096)] = 1
    """Number of patches that training cuts from a photograph at each visit. With more patches, each pays a smaller
    share of the cost of preparing the photograph. Default: 1."""
    augmentations: Annotated[list[Ref], Kind("augmentation"), Before([{"dihedral": {}}])] = Field(
        default=[Ref(name="dihedral")]
    )
    """Changes of the patches that training cuts, in this order. Default: ``dihedral``, which mirrors and turns them;
    ``[]`` leaves them as they are."""


class Diffusion(Section):
    """Noise levels of training, and changes to the condition.

    Noise levels (sigma) are for a layer of unit standard deviation. The condition is the picture that is concatenated
    to x_t. Its noise and blur belong to the prior: every task on it uses the same, in training and in sampling.
    """

    process: Annotated[Ref, Kind("process"), WasName(), Before("texture")] = Ref(name="texture")
    """What is diffused: the layer that is noised, and how the network is given it. Default: ``texture``."""
    noise_levels: Annotated[Ref, Kind("noise_levels"), WasName(), Before("log-normal")] = Ref(name="log-normal")
    """The distribution of the noise levels that training draws. Default: ``log-normal``, so that ln sigma is normal."""
    noise_mean: Annotated[float, Field(ge=-20, le=20)] = -0.5
    """Mean of ln sigma. Default: -0.5."""
    noise_std: Annotated[float, Field(gt=0, le=20)] = 1.2
    """Standard deviation of ln sigma. Default: 1.2."""
    code_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training samples, in Stage I and Stage II, whose semantic code is replaced by zeros.
    Default: 0, which replaces none."""
    condition_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Standard deviation of Gaussian noise on the condition, in units of the picture, whose range is [0, 1].
    Default: 0, no noise."""
    condition_noise_max: Annotated[float, Field(ge=0, le=1), Before(0.0)] = 0.0
    """Upper limit of the level of noise on the condition that each training sample draws uniformly from 0, and that the
    denoiser is told. ``sampling.condition_noise`` then chooses the level. Default: 0, no such noise."""
    condition_blur: Annotated[float, Field(ge=0, le=16)] = 0.0
    """Standard deviation of a Gaussian blur of the condition, px. The blur comes before the noise.
    Default: 0, no blur."""
    alpha_max: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Upper limit of a, which Stage I draws uniformly from [0, ``alpha_max``) for each training sample.
    With structure S and texture T, Stage I then receives S + a T and learns the rest of the texture, (1 - a) T.
    Default: 0, so that a = 0 and Stage I receives S."""


class ProcessChoice(Section):
    """Choices of Stage II's diffusion process that the poster leaves open. See docs/method.md.

    The decomposition determines the process of Stage I. y_d is the degraded picture, y_eps the predictor's estimate
    of the clean one, and S(.) the structure of a picture.
    """

    base: Literal["estimate", "estimate-structure"] = "estimate"
    """The picture that the sampled layer is added to: ``estimate`` is y_eps, as in the poster's figure;
    ``estimate-structure`` is S(y_eps). A ``diffusion.process`` with a base of its own leaves no choice.
    Default: ``estimate``."""
    concat: Literal["initial-structure", "initial", "degraded"] = "initial-structure"
    """The picture that is concatenated to x_t: ``initial-structure`` is S(y_eps), the kind of picture that Stage I
    sees; ``initial`` is y_eps; ``degraded`` is y_d. Default: ``initial-structure``."""
    residual_scale: Literal["prior", "measured"] = "prior"
    """The number that Stage II's residual is divided by: ``prior`` is the texture's standard deviation of Stage I;
    ``measured`` is the residual's own standard deviation. Default: ``prior``."""
    code: Literal["degraded", "estimate", "structure"] = "degraded"
    """The picture that net S encodes: ``degraded`` is y_d, as in the poster; ``estimate`` is y_eps; ``structure`` is
    S(y_eps), which is closest to what net S encodes in Stage I. Default: ``degraded``."""
    unfreeze: Literal["none", "norms", "last-block"] = "none"
    """Parts of the prior that are trained together with the adapter, as copies that are stored with the model:
    ``none``; ``norms``, the weights and biases of all norms; ``last-block``, the block that runs last.
    Default: ``none``."""


class Budget(Section):
    """The length of a training."""

    images: Annotated[int, Field(ge=1, le=MOST_IMAGES)]
    """Number of training images, counted with repetitions. Default: 20000 for the prior and the adapter, 10000 for the
    predictor."""
    seconds: Annotated[float, Field(gt=0, le=MOST_S)] | None = None
    """Time limit, s. It can only stop a training before it has seen all ``images``. Default: no limit."""


class Training(Section):
    """Settings of one training.

    Durations are in images, not in steps, unless a name ends in ``_s`` (seconds).
    """

    budget: Budget
    """The length of the training."""
    batch: Annotated[int, Field(ge=1, le=2**20)] = 16
    """Images per optimiser step. Default: 16."""
    microbatch: Annotated[int, Field(ge=1, le=2**20)] | None = None
    """Images per forward and backward pass. Gradients are accumulated until a batch is complete. Must divide
    ``batch``. Default: None, the whole batch at once."""
    patch: Annotated[int, Field(ge=16, le=8192, multiple_of=2)] = 64
    """Side of the square training patches, px. Default: 64."""
    lr: Annotated[float, Field(gt=0, le=1000)] = 1e-3
    """Learning rate of the optimizer after the warm-up. Default: 1e-3."""
    warmup_images: Annotated[int, Field(ge=0, le=MOST_IMAGES)] = 1600
    """Images over which the learning rate rises linearly from 0. 0 turns the warm-up off. Default: 1600."""
    decay: Annotated[Ref, Kind("lr_decay"), WasName()] = Ref(name="constant")
    """Course of the learning rate after the warm-up. Default: ``constant``."""
    objective: Annotated[Ref | None, Kind("objective"), Before(None)] = None
    """What the training minimises. Default: None, which is the squared error of the denoiser's output F for the layer
    (the loss of Karras et al. 2022), and the predictor's own loss for the predictor."""
    optimizer: Annotated[Ref, Kind("optimizer"), WasName(), Before("adamw")] = Ref(name="adamw")
    """The optimizer. Default: ``adamw``."""
    weight_decay: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Weight decay of the optimizer. Default: 0."""
    decay_norms: Annotated[bool, Before(True)] = False
    """Whether weight decay also acts on parameters of at most one dimension: those of norms, and biases. It says
    nothing without weight decay. Default: false."""
    grad_clip: Annotated[float, Field(gt=0, le=1e12)] = 1.0
    """Largest norm of the gradient over all parameters; a larger gradient is scaled down to it. Default: 1."""
    ema_half_life_images: Annotated[float, Field(gt=0, le=MOST_IMAGES)] = 10000
    """Half-life of the exponential moving average of the weights, images. Default: 10000."""
    ema_rampup: Annotated[float, Field(ge=0, le=1e12)] = 0.05
    """Upper limit of that half-life, as a share of the images seen so far. It keeps the initial weights out of the
    average of a short training. Default: 0.05."""
    checkpoint_every_s: Annotated[float, Field(gt=0, le=MOST_S)] = 60
    """Time between two checkpoints, s. Default: 60."""
    log_every_images: Annotated[int, Field(ge=1, le=MOST_IMAGES)] = 1600
    """Images between two logged steps. Default: 1600."""
    amp: bool = True
    """Mixed precision (bfloat16), if a trial on the device says that it is faster; else training is in float32.
    Default: true."""
    compile: Annotated[bool, Before(False)] = False
    """Whether ``torch.compile`` compiles the network for the step. That takes up to some minutes at the start, and on a
    CPU it needs a C++ compiler; ``--dry-run`` measures both ways. Default: false."""
    start_from: Annotated[str | None, Before(None)] = None
    """The folder of another training of the same networks, or ``shipped:TASK`` for the shipped model of a task, from
    whose weights and averages this training starts, with an optimiser of its own. Its images do not count for the
    budget and the learning rate; the half-life of the average, and the crops and noise that are drawn, go on from
    them. Default: None, initial weights."""

    @model_validator(mode="after")
    def _microbatch_fits(self) -> Training:
        if self.microbatch is not None and self.batch % self.microbatch:
            raise ValueError(f"microbatch {self.microbatch} does not divide batch {self.batch}")
        return self


class Trainings(Section):
    """The three trainings of an experiment, in the order in which they run."""

    prior: Training = Training(budget=Budget(images=20000))
    """Stage I. Default budget: 20000 images."""
    predictor: Training = Training(budget=Budget(images=10000))
    """The predictor of Stage II. Default budget: 10000 images."""
    adapter: Training = Training(budget=Budget(images=20000))
    """The adapter of Stage II. Default budget: 20000 images."""
    folds: Annotated[int, Field(ge=1, le=20), Before(1)] = 1
    """Number of parts of the photographs for cross-fitting. From 2 on, the adapter learns from estimates of predictors
    that have not seen the photograph: one more predictor for each part, trained on the others. Pictures are restored
    with the predictor of all photographs. Default: 1, that predictor's own estimates.
    Wolpert 1992, Stacked generalization."""

    def without_starts(self) -> Trainings:
        """Returns these trainings without the folders that they started from, which a trained model needs no more."""
        stages = {stage: getattr(self, stage) for stage in ("prior", "predictor", "adapter")}
        return self.model_copy(
            update={stage: settings.model_copy(update={"start_from": None}) for stage, settings in stages.items()}
        )


class Sampling(Section):
    """How a layer is sampled.

    Noise levels (sigma) are for a layer of unit standard deviation.
    """

    sampler: Annotated[Ref, Kind("sampler")] = Ref(name="ddim")
    """The sampler. Default: ``ddim``."""
    steps: Annotated[int, Field(ge=1, le=1000)] = 4
    """Number of sampling steps. A sampler may call the network more than once per step. Default: 4."""
    schedule: Annotated[Ref, Kind("schedule"), WasName()] = Ref(name="karras")
    """How the noise levels decrease from ``sigma_max``, at which the first step starts, towards ``sigma_min``. The last
    step always ends at 0. Default: ``karras``."""
    spacing: Literal["linspace", "trailing"] | None = None
    """Where the last step starts: at ``sigma_min`` (``linspace``), or one step above it (``trailing``), which saves the
    call at a level with little noise left.
    Default: None, the schedule's own: ``linspace`` for ``karras`` and ``exponential``, else ``trailing``."""
    sigma_min: Annotated[float, Field(gt=0, le=1e6)] = 0.02
    """Smallest noise level of the schedule. Must be smaller than ``sigma_max``. Default: 0.02."""
    # the tags name the branch of the union in pydantic's errors; ``validation`` removes them from the reported path
    sigma_max: Annotated[
        Annotated[float, Field(gt=0, le=1e6), Tag("level[number]")]
        | Annotated[Literal["largest"], Tag("level[largest]")],
        Discriminator(lambda value: "level[largest]" if value == "largest" else "level[number]"),
    ] = 20.0
    """Noise level of the first step; ``largest`` is that at which the process ends, for a process with an end. A
    schedule may have a largest level. Default: 20."""
    rho: Annotated[float, Field(gt=0, le=1000)] = 7.0
    """Exponent of the schedule ``karras``, which the others ignore. 1 spaces sigma evenly; a large value spaces
    ln sigma evenly. Default: 7."""
    start: Literal["noise", "estimate"] = "noise"
    """Where sampling starts: ``noise`` is pure noise; ``estimate`` is a warm start, the layer of y_eps plus noise of
    standard deviation ``sigma_max``. It needs ``process.base: estimate-structure``: the layer is what y_eps adds to the
    base, which is nothing if y_eps is the base. Default: ``noise``."""
    condition_noise: Annotated[float, Field(ge=0, le=1), Before(0.0)] = 0.0
    """Standard deviation of the noise on the condition that the denoiser is told, in units of the picture. At most the
    ``diffusion.condition_noise_max`` of the prior. Default: 0, no noise."""
    guidance: Annotated[float, Field(ge=0, le=100), Before(1.0)] = 1.0
    """Weight w of guidance: the denoiser becomes D_weak + w (D - D_weak), which takes a second call of the network.
    Above 1, what D_weak lacks counts for more than it was trained to. Default: 1, no guidance and no second call."""
    guidance_from: Annotated[Literal["code", "condition", "adapter"], Before("adapter")] = "adapter"
    """What D_weak of the guidance lacks: the semantic ``code`` (needs ``diffusion.code_dropout``), most of the
    ``condition``, which gets noise of ``diffusion.condition_noise_max``, or the ``adapter``. Default: ``adapter``."""
    coarse_from: Annotated[Literal["sample", "mean", "estimate"], Before("sample")] = "sample"
    """Where the coarse part of the layer comes from: from the ``sample`` itself; from D at the first noise level, which
    is close to the ``mean`` of all samples; or from y_eps (``estimate``), whose coarse part the restored picture then
    keeps. Default: ``sample``."""
    coarse_px: Annotated[float, Field(gt=0, le=16), Before(4.0)] = 4.0
    """Standard deviation of the Gaussian blur that separates the coarse part, px. It counts only if ``coarse_from`` is
    not ``sample``. Default: 4."""
    texture_strength: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Factor of the sampled layer in the restored picture: 0 returns the base alone, 1 adds the full layer.
    Default: 1."""
    samples: Annotated[int, Field(ge=1, le=256)] = 1
    """Number of layers that are sampled and averaged for each picture. Default: 1."""
    self_ensemble: Annotated[Literal[1, 2, 4, 8], Before(1)] = 1
    """Number of orientations in which a picture is restored; the results are turned back and averaged. 2 adds the
    mirror image, 4 both of them upside down, 8 all four transposed. It takes so many times as long. A task with a
    direction, such as rain, has learned 4 or 8 only if its patches were turned. Default: 1, as the picture is.
    Timofte et al. 2016, Seven ways to improve example-based single image super resolution, section 3.2."""
    tile: Annotated[int, Field(ge=64, le=16384, multiple_of=16)] = 512
    """Side of a tile, px. A picture with a larger side is denoised in tiles. Default: 512."""
    halo: Annotated[int, Field(ge=0, le=4096, multiple_of=16)] = 64
    """Width of the margin around a tile that the network also sees, px. If the receptive field exceeds it, results
    depend on the tiling. Default: 64."""
    features_mb: Annotated[int, Field(ge=0, le=MOST_MB)] = 2048
    """Memory for the features that the adapter computes once per picture, MB. Tiles whose features do not fit compute
    them again at every call of the network. Default: 2048."""
    amp: Annotated[bool, Before(False)] = True
    """Calls of the denoiser and its adapter in bfloat16, if a trial on the device says that it is faster; else in
    float32. The sampler's own arithmetic, predictor, net S and metrics are in float32 always. Default: true."""

    @model_validator(mode="after")
    def _sigmas_in_order(self) -> Sampling:
        # where a process ends is known with the layer's deviation
        if self.sigma_max != "largest" and self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min {self.sigma_min} must be smaller than sigma_max {self.sigma_max}")
        return self


_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names of devices on Windows, which no folder can have there, with any suffix."""


def _folder_name(name: str) -> str:
    if name.endswith(".") or _RESERVED.fullmatch(name):
        raise ValueError("no folder may have this name on Windows, so that the runs could not be moved there")
    return name


_ABSENT = object()
"""Stands for a setting that a digest leaves out."""


class Experiment(Section):
    """A whole experiment: everything that an experiment file may state. Only ``name`` has no default."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
            max_length=200,
            description="letters, digits, '.', '_' and '-', beginning with a letter or a digit",
        ),
        AfterValidator(_folder_name),
    ]
    """Name of the experiment and of its folder below the runs: at most 200 letters, digits, ``.``, ``_`` and ``-``.
    Required."""
    seed: Annotated[int, Field(ge=-MOST_SEED, le=MOST_SEED)] = 0
    """Root of all random numbers of the trainings and of ``texprior restore``. Default: 0."""
    device: Annotated[
        str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, mps, cuda or cuda:N")
    ] = "auto"
    """Device to compute on: ``cpu``, ``mps``, ``cuda``, ``cuda:N``, or ``auto``, a GPU if there is one, else the CPU.
    Default: ``auto``."""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Number of CPU threads of torch. Default: None. A training of more than a minute then takes the fewest with which
    a trial of its step is nearly as fast as with any, unless OMP_NUM_THREADS is set; all else takes torch's own."""
    requires_plugins: list[str] = Field(default=[])
    """Requirements such as ``acme-rain>=0.1``. A missing plugin or a wrong version is an error before anything starts.
    Default: none."""
    data: Data = Data()
    """Data sets of the splits train, val and test."""
    prior: Annotated[Annotated[str, Field(min_length=1)] | None, Before(None)] = None
    """Folder of a trained prior, or of a model whose prior is used, or ``shipped:TASK`` for that of a shipped model;
    Stage I is not trained then. It counts by its content: with the same prior at another place, stored work is found.
    Default: None, the experiment's own prior."""
    decomposition: Annotated[Ref, Kind("decomposition")] = Ref(name="guided")
    """The filter that splits a picture into structure and texture. Default: ``guided``."""
    match_texture_std: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Target for the texture's standard deviation, in units of the picture. Before Stage I is trained, the strength of
    the decomposition is set so that training photographs reach it. Default: None, the strength as it is written."""
    encoder: Annotated[Ref, Kind("encoder")] = Ref(name="mobilenet_v2")
    """Net S, which computes the semantic code of a picture. Default: ``mobilenet_v2``."""
    denoiser: Annotated[Ref, Kind("denoiser")] = Ref(name="unet")
    """The network of the prior. Default: ``unet``."""
    attention: Annotated[Ref, Kind("attention")] = Ref(name="sdpa")
    """The implementation of attention. Default: ``sdpa``, torch's own."""
    diffusion: Diffusion = Diffusion()
    """Noise levels of training, and changes to the condition."""
    degradation: Annotated[Ref | None, Kind("degradation")] = Ref(name="defocus")
    """The degradation that is synthesised on clean pictures. None if the data set has its own degraded pictures.
    Default: ``defocus``."""
    predictor: Annotated[Ref, Kind("predictor")] = Ref(name="nafnet")
    """The network that estimates the clean picture, y_eps, from the degraded one, y_d. Default: ``nafnet``."""
    adapter: Annotated[Ref, Kind("adapter")] = Ref(name="cga")
    """The part that steers the frozen prior for the task. Default: ``cga``."""
    process: ProcessChoice = ProcessChoice()
    """Choices of Stage II's diffusion process."""
    training: Trainings = Trainings()
    """Settings of the trainings of prior, predictor and adapter."""
    sampling: Sampling = Sampling()
    """How layers are sampled."""
    metrics: Annotated[list[Ref], Kind("metric")] = Field(
        default=[Ref(name=n) for n in ("psnr", "ssim", "lpips_alex", "niqe", "texture_ratio")]
    )
    """Metrics of restored pictures. Default: ``psnr``, ``ssim``, ``lpips_alex``, ``niqe`` and ``texture_ratio``."""
    events: Annotated[list[Ref], Kind("events")] = Field(default=[Ref(name="mlflow")])
    """Observers of runs, such as trackers. Default: ``mlflow``; ``[]`` turns tracking off."""
    evaluation: Evaluation = Evaluation()
    """What ``texprior evaluate`` scores."""
    sweep: Sweep = Sweep()
    """What ``texprior sweep`` searches."""
    ablation: Ablation = Ablation()
    """What ``texprior ablate`` compares."""

    def __repr__(self) -> str:
        return f"Experiment({self.name}, {self.hash()})"

    __str__ = __repr__

    def hash(self, *paths: str) -> str:
        """Hashes the parts at the given paths to ten hex digits.

        Hashes the whole experiment if no paths are given. Folders are named by such hashes, so that equal experiments
        share their work.
        """
        dumped = self.decisive_settings()
        parts = {path: get_path(dumped, path, _ABSENT) for path in paths} if paths else dumped
        return digest({path: part for path, part in parts.items() if part is not _ABSENT}, sort_keys=True)

    def decisive_settings(self, exclude: Set[str] = frozenset()) -> dict[str, Any]:
        """Returns the settings that digests are made of, in JSON's types.

        The sections in ``exclude`` are left out.
        """
        dumped: dict[str, Any] = self.model_dump(mode="json", exclude=set(exclude), context=dict(DIGEST))
        # Pictures from files are not rounded, so that this setting does nothing for them.
        if self.degradation is None:
            dumped["data"].pop("degraded_bits", None)
        return dumped

    def to_yaml(self) -> str:
        """Returns the resolved experiment as YAML, which is enough to run it again."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


NAMED = frozenset({"sweep.sampler", "sweep.pruner"})
"""Paths that hold one name with its arguments, like a component, but the name is of an Optuna class."""


@functools.cache
def component_paths() -> dict[str, str]:
    """Returns dotted path -> kind for the components of an experiment, without those in lists."""
    return {path: kind for path, kind, _ in refs_of(Experiment(name="x")) if not path[-1].isdigit()}
