"""The records by which a plugin declares its components: one class for each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from texprior.plugin.options import Options

API = 1
"""The contract's number. A component that asks for a larger one is reported as incompatible."""


@dataclass(frozen=True)
class Weights:
    """Third-party parameters that a component needs, found by content and never fetched unasked.

    ``tensors_sha256`` is the hash of the tensors themselves (see ``texprior.weights``), so that a
    file may change its container but not its content. ``packaged`` is a path inside the plugin's
    package (``package:relative/path``) where the file ships with it. ``convert``
    (``package.module:function``, name -> tensor to the same) makes what is kept of the official
    files' tensors, where they differ.
    """

    name: str
    tensors_sha256: str
    licence: str
    origin: str
    packaged: str = ""
    url: str = ""
    url_sha256: str = ""
    convert: str = ""


@dataclass(frozen=True)
class Component:
    """A component as its plugin declares it. ``impl`` is ``"package.module:Class"``.

    ``requires`` names the packages that it imports and texprior does not bring, such as ``timm``.
    """

    kind: ClassVar[str]
    name: str
    impl: str
    options: type[Options] = Options
    summary: str = ""
    tags: tuple[str, ...] = ()
    citation: str = ""
    api: int = API
    weights: tuple[Weights, ...] = ()
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Degradation(Component):
    """Makes a degraded picture of a clean one. Contract: ``texprior.flow.degrade.Degrader``."""

    kind: ClassVar[str] = "degradation"


@dataclass(frozen=True)
class Decomposition(Component):
    """Splits a picture into structure and texture. Contract: ``texprior.flow.decompose.Decomposer``.

    ``strength`` names the option whose growth moves energy from the structure to the texture.
    """

    kind: ClassVar[str] = "decomposition"
    strength: str = ""


@dataclass(frozen=True)
class Encoder(Component):
    """The frozen net S. Contract: ``texprior.flow.prior.SemanticEncoder``."""

    kind: ClassVar[str] = "encoder"


@dataclass(frozen=True)
class Denoiser(Component):
    """The prior's network. Contract: ``texprior.flow.prior.DenoiserNet``."""

    kind: ClassVar[str] = "denoiser"


@dataclass(frozen=True)
class Predictor(Component):
    """The initial predictor. Contract: ``texprior.flow.predict.InitialPredictor``."""

    kind: ClassVar[str] = "predictor"


@dataclass(frozen=True)
class Adapter(Component):
    """Steers a frozen denoiser. Contract: ``texprior.flow.adapt.DenoiserAdapter``.

    ``identity`` declares what the adapted output is at initialisation: ``bitwise`` the prior's,
    ``close`` to it (1e-6), or ``no`` promise.
    """

    kind: ClassVar[str] = "adapter"
    identity: Literal["bitwise", "close", "no"] = "bitwise"


@dataclass(frozen=True)
class Sampler(Component):
    """Solves from noise to a layer. Contract: ``texprior.flow.sample.LayerSampler``.

    ``order`` is the global order of its deterministic form in the step size.
    """

    kind: ClassVar[str] = "sampler"
    order: int = 1


@dataclass(frozen=True)
class Metric(Component):
    """Scores pictures. Contract: ``texprior.flow.measure.ImageMetric``, or ``SetMetric`` there for scope ``set``.

    ``better`` is the direction: ``higher``, ``lower``, or ``one`` (closest to 1). ``scope`` is
    ``image`` (a score per image) or ``set`` (one for a set of images).
    """

    kind: ClassVar[str] = "metric"
    better: Literal["higher", "lower", "one"] = "higher"
    reference: bool = True
    scope: Literal["image", "set"] = "image"


@dataclass(frozen=True)
class Dataset(Component):
    """Named pictures in splits. Contract: ``texprior.flow.image.PictureSet``."""

    kind: ClassVar[str] = "dataset"
    licence: str = ""


@dataclass(frozen=True)
class Attention(Component):
    """A backend of attention. Contract: ``texprior.flow.prior.AttentionBackend``."""

    kind: ClassVar[str] = "attention"


@dataclass(frozen=True)
class Events(Component):
    """Observes runs. Contract: ``texprior.track.Observer``."""

    kind: ClassVar[str] = "events"
