"""The kinds of components, each with the contract of its implementations.

``events`` is in ``texprior.track``. A command is not built: it is a ``click.Command``.
"""

from __future__ import annotations

from texprior.flow.adapt import DenoiserAdapter
from texprior.flow.augment import PatchAugmentation
from texprior.flow.decompose import Decomposer
from texprior.flow.degrade import Degrader
from texprior.flow.image import PictureSet
from texprior.flow.launch import Launcher
from texprior.flow.measure import ImageMetric, SetMetric
from texprior.flow.objective import Objective
from texprior.flow.optimize import LearningRateDecay, OptimizerFactory
from texprior.flow.predict import InitialPredictor
from texprior.flow.prior import AttentionBackend, DenoiserNet, SemanticEncoder
from texprior.flow.process import DiffusionProcess
from texprior.flow.sample import LayerSampler
from texprior.flow.schedule import LevelSchedule, NoiseLevels
from texprior.plugin.typed_kind import ComponentKind

DEGRADATION: ComponentKind[Degrader] = ComponentKind("degradation")
DECOMPOSITION: ComponentKind[Decomposer] = ComponentKind("decomposition")
ENCODER: ComponentKind[SemanticEncoder] = ComponentKind("encoder")
DENOISER: ComponentKind[DenoiserNet] = ComponentKind("denoiser")
PREDICTOR: ComponentKind[InitialPredictor] = ComponentKind("predictor")
ADAPTER: ComponentKind[DenoiserAdapter] = ComponentKind("adapter")
OBJECTIVE: ComponentKind[Objective] = ComponentKind("objective")
PROCESS: ComponentKind[DiffusionProcess] = ComponentKind("process")
NOISE_LEVELS: ComponentKind[NoiseLevels] = ComponentKind("noise_levels")
OPTIMIZER: ComponentKind[OptimizerFactory] = ComponentKind("optimizer")
LR_DECAY: ComponentKind[LearningRateDecay] = ComponentKind("lr_decay")
SCHEDULE: ComponentKind[LevelSchedule] = ComponentKind("schedule")
SAMPLER: ComponentKind[LayerSampler] = ComponentKind("sampler")
METRIC: ComponentKind[ImageMetric | SetMetric] = ComponentKind("metric")
DATASET: ComponentKind[PictureSet] = ComponentKind("dataset")
AUGMENTATION: ComponentKind[PatchAugmentation] = ComponentKind("augmentation")
ATTENTION: ComponentKind[AttentionBackend] = ComponentKind("attention")
LAUNCHER: ComponentKind[Launcher] = ComponentKind("launcher")
