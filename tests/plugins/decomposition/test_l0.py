"""L0 smoothing: each half-step is the minimiser of the augmented energy, and the whole does what it is for."""

import pytest
import scipy.fft
import torch

from texprior_plugins.decomposition import L0Options
from texprior_plugins.decomposition._cosine import dct2, idct2, mirror_laplacian
from texprior_plugins.decomposition.l0 import (
    L0,
    augmented_energy,
    gradient,
    gradient_adjoint,
    gradient_step,
    structure_step,
)

LAM = 0.02


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gradient_and_its_adjoint():
    s, h, v = random(2, 3, 7, 9), random(2, 3, 7, 9, seed=1), random(2, 3, 7, 9, seed=2)
    x, y = gradient(s)
    assert ((x * h + y * v).sum() - (s * gradient_adjoint(h, v)).sum()).abs() < 1e-11


@pytest.mark.parametrize("beta", [0.04, 1.0, 100.0, 1e4])
def test_energy_falls_in_each_half_step_at_fixed_beta(photograph, beta):
    image = photograph.double()
    s = image
    h, v = (torch.zeros_like(image) for _ in range(2))
    energies = [augmented_energy(s, image, h, v, LAM, beta).item()]
    for _ in range(4):
        h, v = gradient_step(s, LAM, beta)
        energies.append(augmented_energy(s, image, h, v, LAM, beta).item())
        s = structure_step(image, h, v, beta)
        energies.append(augmented_energy(s, image, h, v, LAM, beta).item())
    steps = torch.tensor(energies, dtype=torch.float64).diff()
    assert (steps <= 1e-9 * energies[0]).all()
    assert steps[0] < 0
    assert steps.sum() < 0


def test_gradient_step_takes_the_better_of_two_choices_at_each_pixel():
    s, beta = random(1, 3, 12, 11), 0.03
    x, y = gradient(s)
    cost_of_zero = beta * (x**2 + y**2).sum(1, keepdim=True)
    kept = cost_of_zero > LAM
    assert 0 < kept.sum() < kept.numel()
    h, v = gradient_step(s, LAM, beta)
    assert torch.equal(h, torch.where(kept, x, 0.0))
    assert torch.equal(v, torch.where(kept, y, 0.0))
    best = torch.minimum(cost_of_zero, torch.tensor(LAM, dtype=torch.float64)).sum()
    assert augmented_energy(s, s, h, v, LAM, beta).item() == pytest.approx(best.item(), rel=1e-12)


@pytest.mark.parametrize("beta", [0.04, 30.0, 1e5])
@pytest.mark.parametrize("size", [(5, 6), (6, 5), (1, 7)])
def test_structure_step_solves_the_dense_normal_equations(size, beta):
    image, h, v = (random(1, 1, *size, seed=seed) for seed in range(3))
    n = image.numel()
    basis = torch.eye(n, dtype=torch.float64).reshape(n, 1, *size)
    normal = torch.eye(n, dtype=torch.float64) + beta * gradient_adjoint(*gradient(basis)).reshape(n, n).T
    right = (image + beta * gradient_adjoint(h, v)).reshape(n)
    expected = torch.linalg.solve(normal, right).reshape(1, 1, *size)
    assert (structure_step(image, h, v, beta) - expected).abs().max() < 1e-9


def test_structure_step_leaves_no_gradient_of_the_energy():
    image, h, v = (random(2, 3, 10, 13, seed=seed) for seed in range(3))
    s = structure_step(image, h, v, 2.0).requires_grad_()
    (slope,) = torch.autograd.grad(augmented_energy(s, image, h, v, LAM, 2.0).sum(), s)
    assert slope.abs().max() < 1e-12


@pytest.mark.parametrize("size", [(6, 7), (7, 8), (1, 9), (5, 1), (1, 1), (2, 2)])
def test_cosine_transform_is_scipys_and_diagonalises_the_laplacian(size):
    image = random(2, 3, *size)
    expected = scipy.fft.dctn(image.numpy(), type=2, axes=(-2, -1)) / 4  # SciPy doubles each axis
    assert (dct2(image) - torch.from_numpy(expected)).abs().max() < 1e-12
    assert (idct2(dct2(image)) - image).abs().max() < 1e-14
    by_spectrum = idct2(mirror_laplacian(image) * dct2(image))
    assert (by_spectrum - gradient_adjoint(*gradient(image))).abs().max() < 1e-13


def test_steps_stay_and_their_noise_becomes_texture():
    """Three flat regions, edges .4 and more: the texture is the noise, and every region is flat."""
    clean = torch.full((1, 3, 48, 64), 0.2)
    clean[..., 20:] = 0.6
    clean[..., 10:30, 40:] = 1.0
    noise = 0.02 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    structure, texture = L0(L0Options())(clean + noise)
    assert (structure - clean).square().mean().sqrt() < 0.1 * 0.02
    assert (texture - noise).std() < 0.1 * noise.std()
    assert structure[..., :19].std(dim=(-2, -1)).max() < 0.03 * 0.02


def test_channels_share_one_decision():
    """A step too faint to stay in one channel alone stays where another channel has a strong one."""
    faint = torch.full((1, 1, 24, 24), 0.4)
    faint[..., 12:] = 0.5
    strong = torch.full((1, 1, 24, 24), 0.1)
    strong[..., 12:] = 0.9
    smooth = L0(L0Options(lam=0.1))
    alone = smooth(faint).structure
    together = smooth(torch.cat([faint, strong], 1)).structure[:, :1]
    assert alone[..., 20].mean() - alone[..., 3].mean() < 0.01
    assert together[..., 20].mean() - together[..., 3].mean() == pytest.approx(0.1, abs=0.005)


def test_opposite_borders_do_not_touch():
    """Grounds of .5 and .54 with a bright bar between keep their values; as neighbours they would blend."""
    image = torch.full((1, 1, 24, 60), 0.5)
    image[..., 20:40], image[..., 40:] = 0.95, 0.54
    smooth = L0(L0Options(lam=LAM))
    apart = smooth(image).texture.abs().max()
    ring = smooth(torch.cat([image, image, image], -1)).texture[..., 60:120].abs().max()
    assert apart < 5e-4
    assert ring > 5 * apart


def test_transposing_the_picture_transposes_its_structure(photograph):
    """Both axes and all borders are treated alike."""
    smooth = L0(L0Options())
    assert (smooth(photograph.mT).structure.mT - smooth(photograph).structure).abs().max() < 1e-5
