"""Defines the records with which a plugin declares its components: one class for each kind."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import ClassVar, Literal, Self

from texprior.errors import IncompatibleError, PluginError
from texprior.plugin.options import Options

API = 2
"""The newest plugin API: what records can say, and what it means. docs/hooks.md lists the changes."""
LOWEST_API = 1
"""The oldest plugin API that is still accepted. It grows if support ends: older plugins are then incompatible."""
BY_POSITION = ("name", "impl", "options", "summary")
"""The fields of a record that may be given by position; all others only by name."""


def api_fault(name: str, api: int) -> str:
    """Returns why a record of a plugin API cannot be used, and what to do; empty if it can be."""
    if api > API:
        cure = "install a newer texprior, or an older version of the plugin"
        return f"'{name}' is written for plugin API {api}; this texprior has {LOWEST_API} to {API}: {cure}"
    if api < 1:
        return f"'{name}' is written for plugin API {api}, which never was; write api={API} in its record"
    if api < LOWEST_API:
        cure = f"install a newer version of the plugin, or change its record as docs/hooks.md says and write api={API}"
        return f"'{name}' is written for plugin API {api}; this texprior has {LOWEST_API} to {API}: {cure}"
    return ""


_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Weights:
    """Third-party weights that a component needs.

    They are found by content, and downloaded only if the user asks.

    ``tensors_sha256`` is the hash of the tensors themselves (see ``texprior.weights``), so the file format may change,
    but not the content. If the file ships with the plugin, ``packaged`` is its path inside the plugin's package
    (``package:relative/path``). If the stored tensors differ from those of the official files, ``convert``
    (``package.module:function``) converts the official ones; its argument and its result are dicts name -> tensor.
    """

    name: str
    tensors_sha256: str
    licence: str
    origin: str
    packaged: str = ""
    url: str = ""
    url_sha256: str = ""
    convert: str = ""

    def __post_init__(self) -> None:
        for name in ("tensors_sha256", "url_sha256"):
            value = getattr(self, name)
            if not _SHA256.fullmatch(value) and (value or name == "tensors_sha256"):
                raise ValueError(
                    f"weights '{self.name}': {name} must be 64 hexadecimal digits, not '{value}'; "
                    "texprior.weights.content_hash(tensors) makes that of tensors"
                )


@dataclass(frozen=True)
class Component:
    """A component as its plugin declares it.

    A wrong argument is a PluginError that says what to write; if the record is of a newer plugin API, it is an
    IncompatibleError.
    """

    kind: ClassVar[str]
    name: str
    """Lower-case letters, digits and ``_ + -``. Two plugins may use the same name."""
    impl: str
    """``"package.module:Class"``, imported on first use and called with the options."""
    options: type[Options] = Options
    """The class of the component's options."""
    summary: str = ""
    """One line for lists."""
    _: KW_ONLY
    tags: tuple[str, ...] = ()
    """Free words for people, by which components are searched; nothing depends on them."""
    citation: str = ""
    """BibTeX, which goes into model cards and runs."""
    # a number, not API: a plugin that states none was written for the first API, whatever texprior runs it
    api: int = 1
    """The plugin API that the record was written for."""
    weights: tuple[Weights, ...] = ()
    """Third-party parameters that the component needs."""
    requires: tuple[str, ...] = ()
    """Packages that the component imports and that texprior does not install, such as ``timm``."""

    @property
    def told_process(self) -> bool:
        """Whether it is built with ``process=`` and ``scale=``, the layer's standard deviation, as its record asks."""
        return False

    def __new__(cls, *positional: object, **named: object) -> Self:
        """Makes an empty record, after a check of the arguments that ``__init__`` would refuse with a TypeError."""
        if fault := _argument_fault(cls, positional, named):
            raise fault
        return super().__new__(cls)


def flags_of(record: type[Component]) -> list[str]:
    """Returns the fields by which a component declares a property: those that are True or, by default, False."""
    return [f.name for f in fields(record) if f.default is False]


def _argument_fault(
    record: type[Component], positional: tuple[object, ...], named: Mapping[str, object]
) -> PluginError | None:
    known, api = [f.name for f in fields(record)], named.get("api", 1)
    name = str(named.get("name", *positional[:1]) if positional or "name" in named else "")
    unknown = [field for field in named if field not in known]
    if unknown and isinstance(api, int) and (fault := api_fault(name, api)):
        return IncompatibleError(fault)
    who = f"{record.__name__} '{name}'"
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"its fields are: {', '.join(known)}"
        return PluginError(f"{who} has no field '{unknown[0]}'; {hint}")
    if len(positional) > len(BY_POSITION):
        given = zip(known[len(BY_POSITION) :], positional[len(BY_POSITION) :], strict=False)
        by_name = ", ".join(f"{field}={value!r}" for field, value in given)
        allowed = f"{', '.join(BY_POSITION[:-1])} and {BY_POSITION[-1]}"
        return PluginError(f"{who}: only {allowed} may be given by position; write {by_name}")
    return None


@dataclass(frozen=True, kw_only=True)
class Degradation(Component):
    """Makes a degraded picture of a clean one. Contract: ``texprior.flow.degrade.Degrader``."""

    kind: ClassVar[str] = "degradation"
    deterministic: bool = False
    """Draws nothing at random: every key gives the same picture."""
    directional: bool = False
    """Has a direction that depends on gravity, such as that of falling rain: a turned patch shows it wrongly."""


@dataclass(frozen=True, kw_only=True)
class Decomposition(Component):
    """Splits a picture into structure and texture. Contract: ``texprior.flow.decompose.Decomposer``."""

    kind: ClassVar[str] = "decomposition"
    strength: str = ""
    """The option whose larger values move energy from the structure to the texture; empty if there is none."""
    local: bool = False
    """A change of a pixel has no effect far away."""
    slow: bool = False
    """Takes so long that evaluations keep structures on disk, too, as trainings do for every decomposition."""


@dataclass(frozen=True, kw_only=True)
class Encoder(Component):
    """Computes the semantic code of a picture (the frozen net S). Contract: ``texprior.flow.prior.SemanticEncoder``."""

    kind: ClassVar[str] = "encoder"


@dataclass(frozen=True, kw_only=True)
class Denoiser(Component):
    """Estimates the clean layer (the prior's network). Contract: ``texprior.flow.prior.DenoiserNet``."""

    kind: ClassVar[str] = "denoiser"
    local: bool = False
    """A change of a pixel has no effect far away, so tiles agree with the whole picture."""
    condition_level: bool = False
    """Can be built with ``condition_level=True``, and is then told the level of the noise on the condition."""


@dataclass(frozen=True, kw_only=True)
class Predictor(Component):
    """Makes the initial estimate of the clean picture. Contract: ``texprior.flow.predict.InitialPredictor``."""

    kind: ClassVar[str] = "predictor"
    local: bool = False
    """A change of a pixel has no effect far away, so tiles agree with the whole picture."""


@dataclass(frozen=True, kw_only=True)
class Adapter(Component):
    """Steers a frozen denoiser. Contract: ``texprior.flow.adapt.DenoiserAdapter``."""

    kind: ClassVar[str] = "adapter"
    identity: Literal["bitwise", "close", "no"] = "bitwise"
    """How a new adapter's output compares with the prior's: the same, within 1e-6, or no promise."""
    cacheable: bool = False
    """Computes everything that depends only on y_eps in ``features``, once for each picture."""
    local: bool = False
    """Features and steered network depend only on nearby pixels.

    A large picture is restored in tiles: a local adapter gets its features tile by tile; any other gets those of the
    whole picture, cut to each tile."""


@dataclass(frozen=True, kw_only=True)
class Sampler(Component):
    """Turns noise into a layer. Contract: ``texprior.flow.sample.LayerSampler``."""

    kind: ClassVar[str] = "sampler"
    order: int = 1
    """The global order of convergence, in the step size, of the deterministic form."""
    deterministic: bool = False
    """Has a form without fresh noise: with its defaults, or with one option at an end of its range."""
    stochastic: bool = False
    """Has a form with fresh noise: with its defaults, or with one option at an end of its range."""
    posterior: bool = False
    """Follows the reverse chain of the process, and is built as ``Impl(options, process=..., scale=...)``."""

    @property
    def told_process(self) -> bool:
        return self.posterior


@dataclass(frozen=True, kw_only=True)
class Objective(Component):
    """Measures what a training minimises. Contract: ``texprior.flow.objective.Objective``."""

    kind: ClassVar[str] = "objective"
    layer: bool = False
    """Works in the trainings of the layer, Stage I and the adapter, whose estimates have noise levels."""
    picture: bool = False
    """Works in the training of the predictor, whose estimates are pictures without noise levels."""
    trained: bool = False
    """Has parameters of its own that are trained with the network, such as a discriminator."""


@dataclass(frozen=True, kw_only=True)
class Process(Component):
    """Says what is diffused. Contract: ``texprior.flow.process.DiffusionProcess``."""

    kind: ClassVar[str] = "process"
    own_base: bool = False
    """Chooses the base of Stage II itself, so that ``process.base`` says nothing."""
    posterior: bool = False
    """States the posterior of its own reverse chain, which the sampler ``posterior`` follows."""


@dataclass(frozen=True, kw_only=True)
class NoiseLevels(Component):
    """Distributes the noise levels of training. Contract: ``texprior.flow.schedule.NoiseLevels``."""

    kind: ClassVar[str] = "noise_levels"
    of_process: bool = False
    """Depends on the process, and is built as ``Impl(options, mean=..., std=..., process=..., scale=...)``."""

    @property
    def told_process(self) -> bool:
        return self.of_process


@dataclass(frozen=True, kw_only=True)
class Schedule(Component):
    """Chooses the noise levels that sampling visits. Contract: ``texprior.flow.schedule.LevelSchedule``."""

    kind: ClassVar[str] = "schedule"
    spacing: Literal["linspace", "trailing"] = "trailing"
    """The spacing that is used if an experiment states none."""
    largest: float = math.inf
    """The largest noise level of the schedule, which ``sampling.sigma_max`` may not exceed."""
    fixed: bool = False
    """Its levels are written in its options: it need not start at ``sampling.sigma_max``."""
    of_process: bool = False
    """Depends on the process, and is built as ``Impl(options, process=..., scale=...)``."""

    @property
    def told_process(self) -> bool:
        return self.of_process


@dataclass(frozen=True, kw_only=True)
class Optimizer(Component):
    """Changes weights by their gradients. Contract: ``texprior.flow.optimize.OptimizerFactory``."""

    kind: ClassVar[str] = "optimizer"
    averages: bool = False
    """Keeps an average of the weights itself, which is stored instead of the exponential moving average."""
    single: bool = False
    """Trains one network only, so that an objective cannot have trained parts."""


@dataclass(frozen=True, kw_only=True)
class LrDecay(Component):
    """Lowers the learning rate after the warm-up. Contract: ``texprior.flow.optimize.LearningRateDecay``."""

    kind: ClassVar[str] = "lr_decay"
    open_ended: bool = False
    """The rate does not depend on the length of the budget, so that a longer training continues a shorter one."""


@dataclass(frozen=True, kw_only=True)
class Metric(Component):
    """Scores pictures. Contract: ``texprior.flow.measure.ImageMetric``, or ``SetMetric`` there for scope ``set``."""

    kind: ClassVar[str] = "metric"
    # no direction is a safe default, because searches rank by it; API 1 counted what was not said as "higher"
    better: Literal["higher", "lower", "one", ""] = ""
    """The direction of better scores: ``one`` is closest to 1. It must be said."""
    reference: bool = True
    """Whether the metric compares with the clean picture."""
    scope: Literal["image", "set"] = "image"
    """Whether each image has a score, or a set of images has one."""


@dataclass(frozen=True, kw_only=True)
class Dataset(Component):
    """Lists and loads named pictures in splits. Contract: ``texprior.flow.image.PictureSet``."""

    kind: ClassVar[str] = "dataset"
    licence: str = ""
    """The licence of the pictures."""
    own_pictures: bool = False
    """The pictures are the user's, so there is nothing to cite."""


@dataclass(frozen=True, kw_only=True)
class Augmentation(Component):
    """Changes training patches. Contract: ``texprior.flow.augment.PatchAugmentation``."""

    kind: ClassVar[str] = "augmentation"
    directions: Literal["keeps", "mirrors", "turns"] = "turns"
    """What it may do to directions in a patch: ``keeps`` all, ``mirrors`` left and right, or ``turns``: up may become
    any side."""


@dataclass(frozen=True, kw_only=True)
class Attention(Component):
    """Computes attention. Contract: ``texprior.flow.prior.AttentionBackend``."""

    kind: ClassVar[str] = "attention"


@dataclass(frozen=True, kw_only=True)
class Events(Component):
    """Observes runs. Contract: ``texprior.track.Observer``."""

    kind: ClassVar[str] = "events"
    tracker: bool = False
    """Loses nothing if it fails: what it could not record is stored, and sent later."""


@dataclass(frozen=True, kw_only=True)
class Launcher(Component):
    """Starts the workers of a sweep or an ablation. Contract: ``texprior.flow.launch.Launcher``."""

    kind: ClassVar[str] = "launcher"
    local: bool = False
    """Its workers run on this machine, and share its threads and GPUs."""


@dataclass(frozen=True, kw_only=True)
class Command(Component):
    """A command of ``texprior``. Its ``impl`` names a ``click.Command``, which has its own options."""

    kind: ClassVar[str] = "command"
