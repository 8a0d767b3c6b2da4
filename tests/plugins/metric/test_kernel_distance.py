"""The kernel distance against double loops and a closed form; its features against torch's own pooling."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from texprior import weights
from texprior.errors import ConfigError, ImageError
from texprior_plugins.metric import MOBILENET_V2_14, texprior_metrics
from texprior_plugins.metric.kernel_distance import polynomial_kernel

NAME = "kernel_distance_mobilenet_v2"


def k(u, v):
    return (float(u @ v) / len(u) + 1) ** 3


def distance(u, v):
    """Gretton et al. 2012, equation 4, written out."""
    n, total = len(u), 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                total += k(u[i], u[j]) + k(v[i], v[j]) - k(u[i], v[j]) - k(u[j], v[i])
    return total / (n * (n - 1))


@pytest.fixture
def samples():
    """Two sets of 9 features of 5 numbers, of Gaussians one apart, (9, 5) float64."""
    generator = torch.Generator().manual_seed(3)
    u, v = (torch.randn(9, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    return u + 1, v


def test_contributions_are_the_jackknife_s_pseudo_values_of_the_estimate(build, samples):
    u, v = samples
    whole, keep = distance(u, v), ~torch.eye(9, dtype=torch.bool)
    without = [distance(u[keep[i]], v[keep[i]]) for i in range(9)]
    contributions = build(NAME).contributions(u, v)
    np.testing.assert_allclose(contributions, [9 * whole - 8 * w for w in without], rtol=1e-9)
    assert contributions.mean().item() == pytest.approx(whole, rel=1e-9)
    # the jackknife's standard error is that of the mean of the pseudo-values
    jackknife = np.sqrt(8 / 9 * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert contributions.std().item() / 3 == pytest.approx(jackknife, rel=1e-9)


def test_the_kernel_is_the_cubic_polynomial(samples):
    u, v = samples
    expected = [[k(a, b) for b in v[:4]] for a in u]
    np.testing.assert_allclose(polynomial_kernel(u, v[:4]), expected, rtol=1e-12)


def test_the_estimate_is_unbiased_although_pictures_and_references_are_paired(build):
    """For u, v ~ N(m, 1), N(0, 1) of one number the squared discrepancy is sum over the cubic's moments.

    (x y + 1)^3 = sum_p C(3, p) x^p y^p, so it is sum_p C(3, p) (E u^p - E v^p)^2 = 3 m^2 + 3 m^4 + (m^3 + 3 m)^2.
    """
    m, n, repeats = 0.5, 6, 4000
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(repeats, n, 1, generator=generator, dtype=torch.float64)
    # each picture shows its reference's scene: correlated with it by .9
    u = m + 0.9 * v + (1 - 0.81) ** 0.5 * torch.randn(v.shape, generator=generator, dtype=torch.float64)
    metric = build(NAME)
    estimates = torch.stack([metric.contributions(a, b).mean() for a, b in zip(u, v, strict=True)])
    error = estimates.std() / repeats**0.5
    expected = 3 * m**2 + 3 * m**4 + (m**3 + 3 * m) ** 2
    assert abs(estimates.mean() - expected) < 3 * error
    assert error < 0.05 * expected


def test_identical_sets_score_nothing_and_small_ones_have_no_score(build, samples):
    u, v = samples
    np.testing.assert_allclose(build(NAME).contributions(u, u), np.zeros(9), atol=1e-12)
    assert build(NAME).contributions(u[:2], v[:2]).isnan().all()


def test_features_are_the_means_of_the_trunk_s_channels(build, photographs):
    from texprior_plugins._mobilenet_v2 import imagenet_normalised, mobilenet_v2_trunk

    metric = build(NAME, stages=5)
    trunk = mobilenet_v2_trunk(weights.load(MOBILENET_V2_14), 5)
    expected = F.adaptive_avg_pool2d(trunk(imagenet_normalised(photographs)), 1).flatten(1)
    torch.testing.assert_close(metric.features(photographs), expected)
    alone = torch.cat([metric.features(photographs[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(metric.features(photographs), alone, rtol=0, atol=1e-5)
    assert build(NAME).features(photographs).shape == (3, 96)


def test_more_noise_and_more_blur_are_farther(build, photographs, noise):
    metric = build(NAME)
    crops = torch.cat([photographs[..., i : i + 96, j : j + 96] for i in (0, 96) for j in (0, 96, 192)])
    grain = torch.cat([noise[..., i : i + 96, j : j + 96] for i in (0, 96) for j in (0, 96, 192)])
    reference = metric.features(crops)

    def score(pictures):
        return metric.contributions(metric.features(pictures), reference).mean().item()

    noisy = [score(crops + sigma * grain) for sigma in (0, 0.02, 0.05, 0.1)]
    blurred = [score(F.avg_pool2d(crops, n, 1, n // 2, count_include_pad=False)) for n in (1, 3, 5, 7)]
    assert noisy[0] == pytest.approx(0, abs=1e-6)
    assert noisy == sorted(noisy)
    assert blurred == sorted(blurred)


def test_what_it_cannot_see_and_what_is_not_here_are_sentences(build, photographs, monkeypatch, tmp_path):
    with pytest.raises(ImageError, match="15x40 px is too small, each side needs 16 px or more"):
        build(NAME).features(photographs[..., :40, :15])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TEXPRIOR_WEIGHTS", "")
    with pytest.raises(ConfigError, match=r"'mobilenet_v2_imagenet' are not here .* come from torchvision"):
        build(NAME, stages=15)


def test_its_record_says_what_it_is():
    record = next(record for record in texprior_metrics() if record.name == NAME)
    assert (record.scope, record.better, record.reference) == ("set", "lower", True)
