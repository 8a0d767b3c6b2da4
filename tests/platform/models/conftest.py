"""Models with random weights in folders, as trainings store them."""

from pathlib import Path

import pytest
import torch

from texprior import config
from texprior.models.build import build_adapter, build_predictor, build_prior
from texprior.models.folders import PRIOR, save_model, save_predictor, save_prior
from texprior.models.prior_search import relative_path
from texprior.registry import Registry
from texprior.runtime.builder import Builder
from texprior.store import sha256

TINY = {
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1, "heads": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "adapter": {"cga": {"width": 8}},
    "sampling": {"steps": 2, "amp": False},
    "device": "cpu",
    "threads": 1,
    "events": [{"mlflow": {"tracking_uri": "http://someone:secret@server"}}],
}
CARD = "# A model\n\n| prior | x |\n\n## Scores on val\n\nold\n\n## Citations\n\nbooks\n"


@pytest.fixture(scope="session")
def registry():
    return Registry.discover()


def noisy(network, seed):
    """The weights of a network, moved at random, since adapters start with no effect."""
    generator = torch.Generator().manual_seed(seed)
    moved = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return {n: t + 0.05 * torch.randn(t.shape, generator=generator) if t.dtype.is_floating_point else t
            for n, t in moved.items()}  # fmt: skip


@pytest.fixture
def save(registry, tmp_path):
    """Saves a model with random weights, on a prior that is saved with the first one; returns the model's folder."""

    def save(name: str, seed: int = 0) -> Path:
        builder = Builder(config.resolve({"name": name, "seed": seed, **TINY}, registry), registry)
        folder, prior_folder = tmp_path / "trained" / name, tmp_path / "trained" / "prior"
        prior = build_prior(builder, 0.03, prior_folder)
        if not prior_folder.exists():
            save_prior(prior_folder, builder.experiment, noisy(prior.network, 7), {"scale": 0.03}, "# A prior\n")
        save_predictor(tmp_path / "predictor", builder.experiment, noisy(build_predictor(builder), seed + 1), {})
        about = {
            "residual_scale": 0.03,
            "prior_sha256": sha256(prior_folder / PRIOR),
            "prior_path": relative_path(prior_folder, folder),
        }
        adapter = noisy(build_adapter(builder, prior), seed + 2)
        save_model(folder, builder.experiment, adapter, tmp_path / "predictor", about, CARD)
        return folder

    return save
