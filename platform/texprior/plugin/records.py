"""Defines the records with which a plugin declares its components: one class for each kind."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Literal

from texprior.plugin.options import Options

API = 1
"""The version of the plugin contract. A plugin with a component that needs a larger one is reported as incompatible."""
LOWEST_API = 1
"""The oldest contract that is still fulfilled. It grows if support for old plugins ends: they are then incompatible."""


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


@dataclass(frozen=True)
class Component:
    """A component as its plugin declares it. ``impl`` is ``"package.module:Class"``.

    ``requires`` names the packages that the component imports but texprior does not install, such as ``timm``. ``api``
    is the contract that the plugin was written for.
    """

    kind: ClassVar[str]
    name: str
    impl: str
    options: type[Options] = Options
    summary: str = ""
    _: KW_ONLY
    tags: tuple[str, ...] = ()
    citation: str = ""
    # a number, not API: a plugin that states none was written for the first contract, whatever texprior runs it
    api: int = 1
    weights: tuple[Weights, ...] = ()
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Degradation(Component):
    """Makes a degraded picture of a clean one. Contract: ``texprior.flow.degrade.Degrader``."""

    kind: ClassVar[str] = "degradation"


@dataclass(frozen=True, kw_only=True)
class Decomposition(Component):
    """Splits a picture into structure and texture. Contract: ``texprior.flow.decompose.Decomposer``.

    ``strength`` is the name of an option. Larger values of it must move energy from the structure to the texture.
    """

    kind: ClassVar[str] = "decomposition"
    strength: str = ""


@dataclass(frozen=True, kw_only=True)
class Encoder(Component):
    """Computes the semantic code of a picture (the frozen net S). Contract: ``texprior.flow.prior.SemanticEncoder``."""

    kind: ClassVar[str] = "encoder"


@dataclass(frozen=True, kw_only=True)
class Denoiser(Component):
    """Estimates the clean layer (the prior's network). Contract: ``texprior.flow.prior.DenoiserNet``."""

    kind: ClassVar[str] = "denoiser"


@dataclass(frozen=True, kw_only=True)
class Predictor(Component):
    """Makes the initial estimate of the clean picture. Contract: ``texprior.flow.predict.InitialPredictor``."""

    kind: ClassVar[str] = "predictor"


@dataclass(frozen=True, kw_only=True)
class Adapter(Component):
    """Steers a frozen denoiser. Contract: ``texprior.flow.adapt.DenoiserAdapter``.

    ``identity`` declares how the adapted output compares with the prior's at initialisation: ``bitwise`` the same,
    ``close`` to it (1e-6), or ``no`` promise.
    """

    kind: ClassVar[str] = "adapter"
    identity: Literal["bitwise", "close", "no"] = "bitwise"


@dataclass(frozen=True, kw_only=True)
class Sampler(Component):
    """Turns noise into a layer. Contract: ``texprior.flow.sample.LayerSampler``.

    ``order`` is the global order of convergence, in the step size, of the sampler's deterministic form.
    """

    kind: ClassVar[str] = "sampler"
    order: int = 1


@dataclass(frozen=True, kw_only=True)
class Metric(Component):
    """Scores pictures. Contract: ``texprior.flow.measure.ImageMetric``, or ``SetMetric`` there for scope ``set``.

    ``better`` is the direction: ``higher``, ``lower``, or ``one`` (closest to 1). ``reference`` is whether the metric
    needs the clean picture. ``scope`` is ``image`` (one score per image) or ``set`` (one score for a set of images).
    """

    kind: ClassVar[str] = "metric"
    better: Literal["higher", "lower", "one"] = "higher"
    reference: bool = True
    scope: Literal["image", "set"] = "image"


@dataclass(frozen=True, kw_only=True)
class Dataset(Component):
    """Lists and loads named pictures in splits. Contract: ``texprior.flow.image.PictureSet``."""

    kind: ClassVar[str] = "dataset"
    licence: str = ""


@dataclass(frozen=True, kw_only=True)
class Attention(Component):
    """Computes attention. Contract: ``texprior.flow.prior.AttentionBackend``."""

    kind: ClassVar[str] = "attention"


@dataclass(frozen=True, kw_only=True)
class Events(Component):
    """Observes runs. Contract: ``texprior.track.Observer``."""

    kind: ClassVar[str] = "events"
