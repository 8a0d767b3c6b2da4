"""The comparison of trained priors: a row for each, and that its numbers are those of the prior."""

import sys

import pytest
import torch

from texprior.models.build import build_prior
from texprior.models.folders import save_prior
from texprior.testing.material import perturbed

TINY = ("denoiser.unet.width=8", "denoiser.unet.levels=1", "denoiser.unet.blocks=1")


@pytest.fixture
def denoisers(repository, monkeypatch):
    """The module ``benchmarks/denoisers.py``; the folder is no package."""
    monkeypatch.syspath_prepend(repository / "benchmarks")
    import denoisers

    return denoisers


@pytest.fixture
def started(denoisers):
    """A session with small bundled photographs and a prior of a tiny UNet, which reaches less than 64 px."""
    return denoisers.session(*TINY, "training.prior.patch=32", "encoder=none", "decomposition=gaussian", side=96)


def test_a_row_for_each_prior(denoisers, started, tmp_path, monkeypatch, capsys):
    prior = build_prior(started.builder, 0.1, tmp_path)
    save_prior(tmp_path, started.experiment, prior.network.state_dict(), {"scale": 0.1}, "")
    monkeypatch.setattr(denoisers, "BATCH", 2)
    monkeypatch.setattr(sys, "argv", ["denoisers.py", str(tmp_path), "--patches", "4", "--rounds", "1"])
    threads = torch.get_num_threads()
    denoisers.main()
    torch.set_num_threads(threads)
    head, _, row = capsys.readouterr().out.splitlines()
    cells = dict(zip(head.strip("| ").split(" | "), row.strip("| ").split(" | "), strict=True))
    assert cells["denoiser"] == "unet"
    assert cells["parameters"] == f"{sum(p.numel() for p in prior.network.parameters()):,}"
    assert float(cells["patches/s, float32"]) > 0
    # an untrained prior with F = 0 has the loss of its target, which has about unit variance
    assert 0.1 < float(cells["held-out loss"]) < 3
    assert cells["seam, halo 64 / 128"] == "0 / 0"


def test_the_seam_is_what_the_halo_leaves_out(denoisers, started, tmp_path):
    prior = build_prior(started.builder, 0.1, tmp_path)
    perturbed(prior.network.requires_grad_(False), 0.1)
    g = torch.Generator().manual_seed(0)
    picture, structure = (torch.rand((3, 96, 160), generator=g) for _ in range(2))
    pool = [{"picture": picture, "structure": structure, "code": torch.zeros(0, 0)}]
    assert denoisers.seam(prior, pool, 64, 32) < 1e-3
    assert denoisers.seam(prior, pool, 64, 0) > 1e-1
