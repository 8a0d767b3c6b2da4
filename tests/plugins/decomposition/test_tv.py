"""Total variation against closed forms, the duality gap and scikit-image."""

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_tv_chambolle

from texprior_plugins.decomposition import TotalVariationOptions
from texprior_plugins.decomposition._gradient import gradient_adjoint
from texprior_plugins.decomposition.tv import TotalVariation, duality_gap, energy, solved, steps_for


def test_a_step_loses_the_contrast_that_theory_says():
    """Halves of m and n columns come lambda / m and lambda / n closer: each row is the one-dimensional problem."""
    m, n, lam = 12, 20, 0.5
    image = torch.full((1, 2, 9, m + n), 0.2, dtype=torch.float64)
    image[..., m:] = 0.9
    S = TotalVariation(TotalVariationOptions(lam=lam, tolerance=1e-3)).structure(image)
    assert (S[..., :m] - (0.2 + lam / m)).abs().max() < 1e-4
    assert (S[..., m:] - (0.9 - lam / n)).abs().max() < 1e-4


def test_steps_closer_than_that_meet_in_their_mean():
    image = torch.full((1, 1, 6, 20), 0.4, dtype=torch.float64)
    image[..., 5:] = 0.5
    S = TotalVariation(TotalVariationOptions(lam=1.0, tolerance=3e-3)).structure(image)
    assert (S - 0.475).abs().max() < 1e-4


@pytest.mark.parametrize(("lam", "tolerance"), [(0.1, 0.003), (0.4, 0.01)])
def test_the_error_is_within_the_tolerance(photograph, lam, tolerance):
    """½‖S - S*‖² is at most the gap between the primal and the dual energy, and much less than the promise."""
    image = photograph.double()
    p = solved(image, lam, steps_for(lam, tolerance))
    assert torch.hypot(*p).max() <= 1 + 1e-12
    error = (2 * duality_gap(image, p, lam) / image.numel()).sqrt().item()
    assert 0 < error < tolerance


def test_the_gap_is_the_difference_of_two_energies_and_falls(photograph):
    image, lam = photograph.double(), 0.1
    gaps = []
    for iterations in (10, 40, 160):
        p = solved(image, lam, iterations)
        S = image - lam * gradient_adjoint(*p)
        dual = (image.square() - S.square()).sum((1, 2, 3)) / 2
        gaps.append(duality_gap(image, p, lam))
        assert (energy(S, image, lam) - dual - gaps[-1]).abs().max() < 1e-8
    assert gaps[2] < gaps[1] / 4 < gaps[0] / 16


def test_no_energy_below_scikit_images_and_its_solution(crop):
    image, lam = crop.double(), 0.1
    theirs = denoise_tv_chambolle(image[0].numpy(), weight=lam, eps=0, max_num_iter=3000, channel_axis=0)
    ours = TotalVariation(TotalVariationOptions(lam=lam, tolerance=1e-3)).structure(image)
    assert energy(ours, image, lam) <= energy(torch.from_numpy(theirs)[None], image, lam) + 1e-6
    assert np.sqrt(np.mean((ours[0].numpy() - theirs) ** 2)) < 2e-3
