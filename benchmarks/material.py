"""Builds what the benchmarks measure: sessions, untrained models, and photographs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rounds import Size
from texprior import config
from texprior.diffusion.process import Process
from texprior.models.build import Model, build_adapter, build_predictor, build_prior
from texprior.registry import Registry
from texprior.runtime.session import Session

TINY = ("denoiser.unet.width=8", "denoiser.unet.blocks=1", "predictor.unet.width=8", "predictor.unet.blocks=1")
"""Networks so small that what surrounds them shows."""
SMALL = (
    *TINY,
    *(f"training.{stage}.{s}" for stage in ("prior", "predictor", "adapter") for s in ("patch=32", "batch=4")),
)
"""The trainings of ``--quick``."""
_NEVER = 1e9
_TRAINING = {"budget": {"images": 2**60}, "checkpoint_every_s": _NEVER}
"""A training that neither ends nor saves while it is measured."""


def session(*overrides: str, side: int = 512) -> Session:
    """Starts a session of the defaults with overrides, on the CPU and without observers.

    Its folder is new and of no run. Bundled photographs have sides of at most ``side`` px.
    """
    pictures = {name: {"bundled": {"max_side": side}} for name in ("train", "val", "test")}
    data: dict[str, Any] = {
        "name": "benchmark",
        "device": "cpu",
        "threads": torch.get_num_threads(),
        "data": {**pictures, "variants": 1},
        "training": dict.fromkeys(("prior", "predictor", "adapter"), _TRAINING),
        "events": [],
    }
    registry = Registry.discover()
    root = Path(tempfile.gettempdir()) / "texprior-benchmarks"
    return Session.start(config.resolve(data, registry, overrides), registry, root=root)


def training_session(size: Size, *overrides: str) -> Session:
    """Starts a session whose trainings have the default sizes, or small ones for ``--quick``."""
    return session(*SMALL, *overrides, side=128) if size.quick else session(*overrides)


def untrained_model(of: Session) -> Model:
    """Builds a model with initial weights, frozen as a loaded one is: its calls cost what a trained one's cost."""
    prior, predictor = build_prior(of.builder, 1.0, Path()), build_predictor(of.builder)
    adapter = build_adapter(of.builder, prior)
    for network in (prior.network, predictor, adapter):
        network.requires_grad_(False).eval()
    return Model(of.experiment, prior, predictor, adapter, Process(1.0), Path(), of.registry)


def photographs(of: Session, count: int, side: int) -> Tensor:
    """Returns square crops of training photographs, (count, 3, side, side) in [0, 1]."""
    dataset, keys = of.pictures("train")
    pictures = [dataset.load(key).clean for key in keys]
    large = [picture[:, :side, :side] for picture in pictures if min(picture.shape[-2:]) >= side]
    return torch.stack(large[:count])
