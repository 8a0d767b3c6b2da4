"""The screened Poisson equation against SciPy's sparse direct solver, and the filters that are made of it."""

import numpy as np
import pytest
import scipy.sparse as sparse
import torch
from scipy.ndimage import gaussian_filter
from scipy.sparse.linalg import spsolve

from texprior_plugins.decomposition import RelativeTotalVariationOptions, WeightedLeastSquaresOptions
from texprior_plugins.decomposition._screened import TOLERANCE, Cycle, Grid, solve
from texprior_plugins.decomposition.rtv import RelativeTotalVariation, energy, quadratic_weights, variation_weights
from texprior_plugins.decomposition.wls import WeightedLeastSquares, smoothness_weights


def laplacian(x, y, size):
    """Dx' Wx Dx + Dy' Wy Dy as a sparse matrix, from weights (H, W - 1) and (H - 1, W)."""
    number = np.arange(np.prod(size)).reshape(size)
    total = sparse.csr_array((number.size, number.size))
    for weight, one, other in ((x, number[:, :-1], number[:, 1:]), (y, number[:-1], number[1:])):
        rows = np.arange(one.size)
        data = np.concatenate([np.ones(one.size), -np.ones(one.size)])
        places = (np.concatenate([rows, rows]), np.concatenate([other.ravel(), one.ravel()]))
        difference = sparse.csr_array((data, places), shape=(one.size, number.size))
        total += difference.T @ sparse.diags_array(weight.ravel()) @ difference
    return total


def solved(image, x, y):
    """(1 + L)^-1 of each channel of (C, H, W)."""
    size = image.shape[1:]
    matrix = sparse.eye_array(image[0].size) + laplacian(x, y, size)
    return np.stack([spsolve(matrix.tocsc(), channel.ravel()).reshape(size) for channel in image])


def random_weights(size, seed=0):
    """Weights over six powers of ten, as edges give them."""
    rng = np.random.default_rng(seed)
    x, y = (10 ** rng.uniform(-2, 4, shape) for shape in ((size[0], size[1] - 1), (size[0] - 1, size[1])))
    return x, y


def batched(array):
    return torch.from_numpy(array)[None, None]


@pytest.mark.parametrize("size", [(23, 34), (16, 16), (1, 9), (7, 1), (2, 2), (1, 1)])
def test_solution_is_spsolves_to_the_stated_tolerance(size):
    x, y = random_weights(size)
    image = np.random.default_rng(1).random((3, *size))
    S = solve(torch.from_numpy(image)[None], batched(x), batched(y))[0].numpy()
    assert np.abs(S - solved(image, x, y)).max() <= TOLERANCE


def test_float32_does_for_devices_without_float64(crop):
    image = crop.double()
    x, y = smoothness_weights(image, 1.2)
    assert x.max() > 5e3
    assert (solve(crop, x.float(), y.float()) - solve(image, x, y)).abs().max() < 2e-5


def test_the_grid_applies_the_matrix_and_its_diagonal():
    size = (6, 9)
    x, y = random_weights(size)
    matrix = sparse.eye_array(54) + laplacian(x, y, size)
    grid = Grid(torch.ones(1, 1, *size, dtype=torch.float64), batched(x), batched(y))
    image = np.random.default_rng(2).random(size)
    np.testing.assert_allclose(grid.applied(batched(image)).numpy().ravel(), matrix @ image.ravel(), rtol=1e-12)
    np.testing.assert_allclose(grid.diagonal().numpy().ravel(), matrix.diagonal(), rtol=1e-14)


@pytest.mark.parametrize("size", [(6, 9), (5, 4)])
def test_the_coarse_operator_is_galerkins(size):
    x, y = random_weights(size)
    matrix = sparse.eye_array(size[0] * size[1]) + laplacian(x, y, size)
    coarse = (size[0] + 1) // 2, (size[1] + 1) // 2
    cell = (np.arange(size[0])[:, None] // 2) * coarse[1] + np.arange(size[1]) // 2
    joins = sparse.csr_array((np.ones(cell.size), (np.arange(cell.size), cell.ravel())))
    grid = Grid(torch.ones(1, 1, *size, dtype=torch.float64), batched(x), batched(y)).coarser()
    ours = sparse.diags_array(grid.mass.numpy().ravel()) + laplacian(grid.x[0, 0].numpy(), grid.y[0, 0].numpy(), coarse)
    np.testing.assert_allclose(ours.toarray(), (joins.T @ matrix @ joins).toarray(), rtol=1e-12, atol=1e-9)


def test_the_cycle_is_symmetric_and_positive():
    size = (5, 6)
    x, y = random_weights(size)
    cycle = Cycle(Grid(torch.ones(1, 1, *size, dtype=torch.float64), batched(x), batched(y)))
    matrix = cycle(torch.eye(30, dtype=torch.float64).reshape(30, 1, *size)).reshape(30, 30)
    assert (matrix - matrix.T).abs().max() < 1e-14
    assert torch.linalg.eigvalsh((matrix + matrix.T) / 2).min() > 0


def test_weighted_least_squares_is_the_authors_equation(crop):
    image = crop[0].double().numpy()
    log = np.log(np.maximum(image.mean(0), 1e-4))
    x, y = (0.5 / (np.abs(np.diff(log, axis=axis)) ** 1.2 + 1e-4) for axis in (1, 0))
    S = WeightedLeastSquares(WeightedLeastSquaresOptions(lam=0.5)).structure(crop.double())[0].numpy()
    assert np.abs(S - solved(image, x, y)).max() <= TOLERANCE


def test_weighted_least_squares_moves_two_stiff_halves_as_springs_do():
    """Halves of m and n columns keep 1 / (1 + lambda w (1/m + 1/n)) of their contrast, w the weight of the edge."""
    m, n, lam = 12, 20, 5.0
    image = torch.full((1, 3, 24, m + n), 0.2)
    image[..., m:] = 0.8
    S = WeightedLeastSquares(WeightedLeastSquaresOptions(lam=lam)).structure(image)
    edge = 1 / (np.log(4) ** 1.2 + 1e-4)
    kept = S[..., m:].mean() - S[..., :m].mean()
    assert kept.item() == pytest.approx(0.6 / (1 + lam * edge * (1 / m + 1 / n)), abs=2e-4)
    assert S[..., :m].std() < 2e-4


def reference_rtv(image, lam, sigma, sharpness, iterations):
    """The iteration written anew with SciPy, on (C, H, W)."""

    def norm(values):
        return np.sqrt((values**2).mean(0))

    def blur(values, scale):
        return gaussian_filter(values, scale, mode="reflect", truncate=4, axes=(-2, -1))

    S = image
    for _ in range(iterations):
        weights = []
        for axis in (2, 1):
            last = np.take(S, [-1], axis)
            slope = np.diff(S, axis=axis, append=last)
            u = blur(1 / (norm(blur(slope, sigma)) + 1e-3), sigma)
            weights.append(lam / 2 * u / np.maximum(norm(slope), sharpness))
        S = solved(image, weights[0][:, :-1], weights[1][:-1])
        sigma = max(sigma / 2, 0.5)
    return S


def test_relative_total_variation_is_its_definition(crop):
    image = crop[:, :, :40, :45].double()
    options = RelativeTotalVariationOptions(lam=0.02, sigma=2.0, sharpness=0.03, iterations=3)
    expected = reference_rtv(image[0].numpy(), 0.02, 2.0, 0.03, 3)
    ours = RelativeTotalVariation(options).structure(image)[0].numpy()
    assert np.abs(ours - expected).max() < 2e-6  # 1e-6 for each solution, and what it moves the next weights by


def test_each_iteration_lowers_the_energy_of_its_weights(crop):
    image, lam, sharpness = crop.double(), 0.02, 0.02
    S = image
    for sigma in (3.0, 1.5, 0.75):
        u = variation_weights(S, sigma)
        x, y = (lam / 2 * w for w in quadratic_weights(S, sigma, sharpness))
        new = solve(image, x[..., :-1], y[..., :-1, :])
        before, after = (energy(s, image, u, lam, sharpness).item() for s in (S, new))
        assert after < before
        S = new


def test_relative_total_variation_takes_stripes_and_leaves_a_step():
    """Stripes of contrast .2 and period 4 px go; a step of the same contrast stays."""
    image = torch.full((1, 1, 48, 80), 0.4)
    image[..., 40:] = 0.6
    step = image.clone()
    image[..., ::4] += 0.1
    image[..., 2::4] -= 0.1
    S = RelativeTotalVariation(RelativeTotalVariationOptions(lam=0.02)).structure(image)
    assert S[..., 4:34].std() < 0.1 * image[..., 4:34].std()
    assert (S[..., 48:76].mean() - S[..., 4:32].mean()).item() == pytest.approx(0.2, abs=0.02)
    assert (S - step)[..., 20, 38:42].abs().max() < 0.1


def test_a_grey_picture_has_the_structure_of_its_one_channel(crop):
    grey = crop[:, :1, :40, :40].double()
    for make in (
        RelativeTotalVariation(RelativeTotalVariationOptions()),
        WeightedLeastSquares(WeightedLeastSquaresOptions()),
    ):
        assert (make.structure(grey.expand(-1, 3, -1, -1)) - make.structure(grey)).abs().max() < 2e-6
