"""Draws the pictures of docs/reference/components.md: ``python -m texprior.cli.component_pictures FOLDER``.

A degradation and a decomposition show what they make of a photograph. Samplers, schedules, noise levels and decays of
the learning rate show what they compute, as curves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from texprior.cli.component_help import option_rows
from texprior.cli.pictures import AMPLIFIED
from texprior.plugin import Component, Ref
from texprior.registry import Registry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

    from texprior.flow.process import DiffusionProcess
    from texprior.flow.schedule import NoiseLevels

_PART = (slice(10, 250), slice(90, 330))
"""The part of the photograph that is used, px: a face and cloth."""


def picture_name(component: Component) -> str:
    """Returns the file name of a component's picture; empty if its kind has none, or if it needs options."""
    required = any(option.required for option in option_rows(component.options))
    # the chain of a process, in its own units, is no path from pure noise
    if component.kind not in {*_DRAWN, *_CURVES} or required or getattr(component, "posterior", False):
        return ""
    return f"{component.kind}-{component.name}.{'jpg' if component.kind in _DRAWN else 'png'}"


def draw_pictures(registry: Registry, folder: Path) -> None:
    """Writes the picture of each component that has one, and the photograph itself."""
    import torch
    from skimage.data import astronaut

    photograph = torch.from_numpy(astronaut()[_PART].copy()).permute(2, 0, 1)[None] / 255
    folder.mkdir(parents=True, exist_ok=True)
    _write([photograph], folder / "photograph.jpg")
    for kind, draw in _DRAWN.items():
        for entry in registry.entries(kind):
            if name := picture_name(entry.component):
                _write(draw(registry, entry.qualified, photograph), folder / name)
    for kind, plot in _CURVES.items():
        for entry in registry.entries(kind):
            if name := picture_name(entry.component):
                _plot(partial(plot, registry, entry.qualified), folder / name)


def _degraded(registry: Registry, name: str, photograph: Tensor) -> list[Tensor]:
    from texprior.flow.degrade import degrade
    from texprior.flow.kinds import DEGRADATION

    return [degrade(photograph, registry.build(DEGRADATION, Ref(name=name)), 0, ["photograph"])]


def _layers(registry: Registry, name: str, photograph: Tensor) -> list[Tensor]:
    from texprior.flow.decompose import decompose
    from texprior.flow.kinds import DECOMPOSITION

    layers = decompose(photograph, registry.build(DECOMPOSITION, Ref(name=name)))
    return [layers.structure, 0.5 + AMPLIFIED * layers.texture]


_STEPS, _STARTS, _LEAST, _MOST = 8, 48, 0.02, 20.0
"""Steps and noise levels of the curves; the levels are the default's."""
_VALUES, _WIDTH = (-1.0, 0.2, 1.2), 0.08
"""A layer of one number, for which the exact denoiser is known: one of three values, with a standard deviation."""


def _exact(x_B: Tensor, sigma: Tensor) -> Tensor:
    """Returns the mean of the layer, given x: that of a mixture of three Gaussians with noise."""
    import torch

    values, variance = x_B.new_tensor(_VALUES), _WIDTH**2 + sigma**2
    share = torch.softmax(-((x_B[..., None] - values) ** 2) / (2 * variance), dim=-1)
    return (share * (values + _WIDTH**2 / variance * (x_B[..., None] - values))).sum(-1)


def _paths(registry: Registry, name: str, axes: Axes) -> None:
    """Plots the paths of a sampler from pure noise to the three values of ``_exact``."""
    import torch

    from texprior.diffusion.keys import normal
    from texprior.diffusion.sigmas import karras, steps_of
    from texprior.flow.kinds import SAMPLER

    sampler = registry.build(SAMPLER, Ref(name=name))
    sigmas = steps_of(karras, _STEPS, _LEAST, _MOST)
    drawn = normal((_STEPS + 1, 1, 1, 1, _STARTS), 0, "paths")
    seen: list[tuple[float, Tensor]] = []

    def denoise(x_BCHW: Tensor, sigma: Tensor) -> Tensor:
        seen.append((float(sigma), x_BCHW.flatten()))
        return _exact(x_BCHW, sigma)

    layer = sampler(denoise, drawn[0] * sigmas[0], sigmas, lambda step: drawn[1 + step])
    levels = [level for level, _ in seen] + [_LEAST / 2]
    found = torch.stack([x / (1 + level**2) ** 0.5 for level, x in seen] + [layer.flatten()])
    axes.plot(levels, found.numpy(), color="tab:blue", linewidth=0.6, alpha=0.7, marker=".", markersize=2.5)
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set(xlabel="noise level sigma; the last point is the layer", ylabel="x / sqrt(1 + sigma^2)")


def _visited(registry: Registry, name: str, axes: Axes) -> None:
    """Plots the noise levels that a schedule visits."""
    import torch

    from texprior.flow.kinds import SCHEDULE
    from texprior.flow.schedule import Range

    levels = _training_levels(registry, "log-normal")
    u = torch.linspace(0, 1, _STEPS, dtype=torch.float64)
    schedule = registry.build(SCHEDULE, Ref(name=name), process=_texture(registry), scale=1.0)
    axes.plot(range(_STEPS), schedule(u, Range(_LEAST, _MOST, 7.0, levels)).numpy(), marker="o", markersize=3)
    axes.set_yscale("log")
    axes.set(xlabel="step", ylabel="noise level sigma", ylim=(_LEAST / 1.5, _MOST * 1.5))


def _density(registry: Registry, name: str, axes: Axes) -> None:
    """Plots how often a training draws each noise level."""
    import torch

    normal = torch.special.ndtri((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000)
    levels = _training_levels(registry, name)(normal)
    bins = torch.logspace(-3, 3, 73, dtype=torch.float64)
    axes.hist(levels.numpy(), bins=bins.numpy().tolist(), weights=torch.full_like(levels, 100 / len(levels)).numpy())
    axes.set_xscale("log")
    axes.set(xlabel="noise level sigma", ylabel="share of the samples, %")


def _decay(registry: Registry, name: str, axes: Axes) -> None:
    """Plots the factor of the learning rate over the budget."""
    from texprior.flow.kinds import LR_DECAY

    decay = registry.build(LR_DECAY, Ref(name=name))
    shares = [n / 200 for n in range(201)]
    axes.plot([100 * share for share in shares], [decay(share) for share in shares])
    axes.set(xlabel="images seen, % of the budget", ylabel="factor", ylim=(-0.05, 1.05))


def _texture(registry: Registry) -> DiffusionProcess:
    from texprior.flow.kinds import PROCESS

    return registry.build(PROCESS, Ref(name="texture"))


def _training_levels(registry: Registry, name: str) -> NoiseLevels:
    from texprior.config.schema import Diffusion
    from texprior.models.sampling import noise_levels_of

    return noise_levels_of(registry, Diffusion(noise_levels=Ref(name=name)), _texture(registry), 1.0)


def _plot(plot: Callable[[Axes], None], path: Path) -> None:
    """Writes a plot as a PNG."""
    from matplotlib.figure import Figure

    from texprior.ablations.report.figures import figure_png

    figure = Figure(figsize=(4.6, 2.4), layout="constrained")
    axes = figure.subplots()
    plot(axes)
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=8)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(8)
    path.write_bytes(figure_png(figure, dpi=110))


_CURVES: dict[str, Callable[[Registry, str, Axes], None]] = {
    "sampler": _paths,
    "schedule": _visited,
    "noise_levels": _density,
    "lr_decay": _decay,
}
_DRAWN: dict[str, Callable[[Registry, str, Tensor], list[Tensor]]] = {
    "degradation": _degraded,
    "decomposition": _layers,
}


def _write(pictures_BCHW: list[Tensor], path: Path) -> None:
    """Writes pictures side by side."""
    import torch
    from PIL import Image

    from texprior.flow.image import to_uint8

    shown = torch.cat([picture[0] for picture in pictures_BCHW], dim=-1)
    Image.fromarray(to_uint8(shown)).save(path, quality=88)


if __name__ == "__main__":
    draw_pictures(Registry.discover(), Path(sys.argv[1]))
