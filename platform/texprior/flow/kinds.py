"""The kinds of components, each with the contract of its implementations. ``events`` is in ``texprior.track``."""

from __future__ import annotations

from texprior.flow.adapt import DenoiserAdapter
from texprior.flow.decompose import Decomposer
from texprior.flow.degrade import Degrader
from texprior.flow.image import PictureSet
from texprior.flow.measure import ImageMetric, SetMetric
from texprior.flow.predict import InitialPredictor
from texprior.flow.prior import AttentionBackend, DenoiserNet, SemanticEncoder
from texprior.flow.sample import LayerSampler
from texprior.plugin.typed_kind import ComponentKind

DEGRADATION: ComponentKind[Degrader] = ComponentKind("degradation")
DECOMPOSITION: ComponentKind[Decomposer] = ComponentKind("decomposition")
ENCODER: ComponentKind[SemanticEncoder] = ComponentKind("encoder")
DENOISER: ComponentKind[DenoiserNet] = ComponentKind("denoiser")
PREDICTOR: ComponentKind[InitialPredictor] = ComponentKind("predictor")
ADAPTER: ComponentKind[DenoiserAdapter] = ComponentKind("adapter")
SAMPLER: ComponentKind[LayerSampler] = ComponentKind("sampler")
METRIC: ComponentKind[ImageMetric | SetMetric] = ComponentKind("metric")
DATASET: ComponentKind[PictureSet] = ComponentKind("dataset")
ATTENTION: ComponentKind[AttentionBackend] = ComponentKind("attention")
