"""A plugin of one file: a component of every kind that an experiment names by default, and adapters to search."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import Field

from texprior import plugin
from texprior.plugin import Adapter, Options, Tune, hookimpl


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Gate(Options):
    scale: Annotated[float, Field(ge=0, le=1), Tune()] = 1.0
    order: Annotated[int, Field(ge=1, le=3)] = 2


class WideOptions(Options):
    width: Annotated[int, Field(ge=4, le=64), Tune()] = 8
    rate: Annotated[float, Field(gt=0, le=10), Tune(1e-4, 1e-1, log=True)] = 1e-2
    drop: Annotated[float, Field(ge=0, le=1), Tune()] = 0.0
    heads: Annotated[int, Field(ge=1, le=8)] | None = 2
    maybe: Annotated[Annotated[int, Field(ge=1, le=5)] | None, Tune()] = 3
    channels: Annotated[int, Field(ge=8, le=32, multiple_of=8), Tune()] = 16
    grid: Annotated[float, Field(ge=0, le=1), Tune(step=0.25)] = 0.5
    bias: Annotated[bool, Tune()] = True
    form: Annotated[Literal["add", "mul"] | None, Tune()] = "add"
    colour: Annotated[Colour, Tune()] = Colour.RED
    stages: tuple[int, ...] = (1, 2)
    gate: Gate = Gate()
    name_of_net: str = "x"


class ThinOptions(Options):
    rank: Annotated[int, Field(ge=1, le=32), Tune(log=True)] = 4


class OpenOptions(Options):
    width: Annotated[int, Field(ge=1), Tune()] = 1


class LogZeroOptions(Options):
    rate: Annotated[float, Field(ge=0, le=1), Tune(log=True)] = 0.5


class TextOptions(Options):
    text: Annotated[str, Tune()] = "x"


class NeighbourOptions(Options):
    """Bounds that are open in the field, and closed in the search."""

    width: Annotated[int, Field(gt=2, lt=9), Tune()] = 4
    deep: Gate | None = Gate(scale=0.5)
    absent: Gate | None = None


class MixedOptions(Options):
    size: Annotated[Literal["all"] | Annotated[int, Field(ge=1, le=9)], Tune()] = "all"


class OpenRateOptions(Options):
    rate: Annotated[float, Field(gt=0, le=1), Tune()] = 0.5


class OddMultipleOptions(Options):
    width: Annotated[int, Field(ge=8, le=30, multiple_of=8), Tune()] = 8


class DdimOptions(Options):
    eta: Annotated[float, Field(ge=0, le=1), Tune()] = 0.0


@hookimpl
def texprior_adapters() -> list[Adapter]:
    return [
        Adapter("cga", "x:X", WideOptions),
        Adapter("thin", "x:X", ThinOptions),
        Adapter("plain", "x:X"),
        Adapter("open", "x:X", OpenOptions),
        Adapter("log-zero", "x:X", LogZeroOptions),
        Adapter("text", "x:X", TextOptions),
        Adapter("neighbour", "x:X", NeighbourOptions),
        Adapter("mixed", "x:X", MixedOptions),
        Adapter("open-rate", "x:X", OpenRateOptions),
        Adapter("odd-multiple", "x:X", OddMultipleOptions),
    ]


@hookimpl
def texprior_samplers() -> list[plugin.Sampler]:
    return [plugin.Sampler("ddim", "x:X", DdimOptions)]


@hookimpl
def texprior_lr_decays() -> list[plugin.LrDecay]:
    return [plugin.LrDecay("constant", "x:X", open_ended=True), plugin.LrDecay("cosine", "x:X")]


def _named(record: Any, *names: str) -> Any:
    return hookimpl(lambda: [record(name, "x:X") for name in names])


def _hook(name: str, record: Any, *names: str) -> None:
    implementation = _named(record, *names)
    implementation.__name__ = name
    globals()[name] = implementation


_hook("texprior_degradations", plugin.Degradation, "defocus", "rain")
_hook("texprior_decompositions", plugin.Decomposition, "guided")
_hook("texprior_encoders", plugin.Encoder, "mobilenet_v2")
_hook("texprior_denoisers", plugin.Denoiser, "unet")
_hook("texprior_predictors", plugin.Predictor, "unet", "nafnet")
_hook("texprior_processes", plugin.Process, "texture")
_hook("texprior_metrics", plugin.Metric, "psnr", "ssim", "lpips_alex", "niqe", "texture_ratio")
_hook("texprior_datasets", plugin.Dataset, "bundled")
_hook("texprior_attentions", plugin.Attention, "sdpa")
_hook("texprior_noise_levels", plugin.NoiseLevels, "log-normal")
_hook("texprior_optimizers", plugin.Optimizer, "adamw")
_hook("texprior_schedules", plugin.Schedule, "karras")
_hook("texprior_augmentations", plugin.Augmentation, "dihedral")
_hook("texprior_events", plugin.Events, "mlflow")
