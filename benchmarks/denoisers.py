"""Compares trained priors: parameters, speed of a training step, loss on other photographs, and seams of tiles.

``python benchmarks/denoisers.py PRIOR...`` prints a table with a row for each folder of a prior. It reads the
photographs of the prior's experiment that belong to ``val``, and runs on one thread.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from material import session
from rounds import interleaved
from texprior.diffusion.keys import normal
from texprior.diffusion.precondition import loss as denoising_loss
from texprior.diffusion.process import Process
from texprior.flow.prior import prior_denoise
from texprior.flow.tile import tiles
from texprior.models.build import Prior, count_parameters
from texprior.models.folders import load_prior
from texprior.models.sampling import noise_levels_of
from texprior.registry import Registry
from texprior.runtime.builder import Builder
from texprior.runtime.session import Session
from texprior.training.data import cut_patches, texture_pool
from texprior.training.losses import LayerLoss
from texprior.training.patches import Pool

BATCH, PATCH, SIGMA = 16, 64, 0.5
COLUMNS = (
    "denoiser",
    "parameters",
    "patches/s, float32",
    "patches/s, bfloat16",
    "held-out loss",
    "seam, halo 64 / 128",
)


def speeds(prior: Prior, rounds: int) -> list[float]:
    """Returns patches per CPU second of forward and backward, in float32 and in bfloat16."""
    network = prior.network.requires_grad_(True)
    picture = normal((BATCH, 3, PATCH, PATCH), "speed").to(memory_format=torch.channels_last)
    code = normal((BATCH, prior.encoder.tokens, network.code_width), "code")

    def step(half: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            found = denoising_loss(lambda x, c: network(x, c, picture, code), picture, picture, torch.ones(BATCH))
        found.mean().backward()

    times = interleaved({str(half): partial(step, half) for half in (False, True)}, rounds, "cpu")
    network.requires_grad_(False)
    # the fastest round: others on the machine can only slow a round down
    return [BATCH / min(seconds) for seconds in times.of.values()]


@torch.no_grad()
def held_out(prior: Prior, pool: Pool, patches: int) -> float:
    """Returns Stage I's loss on patches of other photographs; patches and noise are equal for every prior."""
    experiment = prior.experiment
    registry = Registry.discover()
    cut = cut_patches(Builder(experiment, registry), pool, experiment.training.prior)
    levels = noise_levels_of(registry, experiment.diffusion, prior.process, prior.scale)
    loss = LayerLoss(experiment, prior, Process(prior.scale), cut, False, levels).stage_one
    return float(torch.cat([loss(range(i, i + BATCH)) for i in range(0, patches, BATCH)]).mean())


@torch.no_grad()
def seam(prior: Prior, pool: Pool, side: int, halo: int) -> float:
    """Returns the largest difference of one call in tiles from one call on the whole, in levels of 8 bits."""
    item = pool[0]
    picture, structure, code = (item[name][None] for name in ("picture", "structure", "code"))
    layer = (picture - structure) / prior.scale
    x = layer + SIGMA * normal(tuple(layer.shape), "seam")

    def denoised(x_BCHW: Tensor, condition_BCHW: Tensor) -> Tensor:
        return prior_denoise(prior.network, x_BCHW, torch.tensor([SIGMA]), condition_BCHW, code)

    whole = denoised(x, structure)
    tiled = torch.empty_like(whole)
    for tile in tiles(*x.shape[-2:], side, halo):
        tile.put(tiled, denoised(tile.cut(x), tile.cut(structure)))
    return 255 * prior.scale * float((tiled - whole).abs().max())


def row(folder: Path, patches: int, rounds: int, attention: str) -> str:
    """Measures a prior and returns its row."""
    here = session(f"attention={attention}")
    prior = load_prior(folder, here.builder)
    dataset, keys = Session.start(prior.experiment, here.registry).pictures("val")
    pool = texture_pool(dataset, keys, prior, PATCH, cache_mb=2048)
    single, half = speeds(prior, rounds)
    seams = " / ".join(f"{seam(prior, pool, 128, halo):.2g}" for halo in (64, 128))
    name = prior.experiment.denoiser.name
    cells = (name, f"{count_parameters(prior.network):,}", f"{single:.0f}", f"{half:.0f}")
    return f"| {' | '.join((*cells, f'{held_out(prior, pool, patches):.4f}', seams))} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("priors", nargs="+", type=Path, metavar="PRIOR", help="folder of a trained prior")
    parser.add_argument("--patches", type=int, default=1600, help="patches of the held-out loss")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the speeds; the fastest counts")
    parser.add_argument("--attention", default="sdpa", help="attention backend")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for folder in given.priors:
        print(row(folder, given.patches, given.rounds, given.attention), flush=True)


if __name__ == "__main__":
    main()
