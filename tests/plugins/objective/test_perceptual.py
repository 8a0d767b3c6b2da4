"""The perceptual objective: the metric's own scores, gradients against differences, what it refuses."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from texprior import weights
from texprior.diffusion.keys import generator
from texprior.errors import ConfigError
from texprior.flow.objective import objective_loss
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior_plugins.metric import DISTS_HEADS, LPIPS_VGG
from texprior_plugins.metric.lpips import LpipsAlex
from texprior_plugins.objective import PerceptualOptions
from texprior_plugins.objective.perceptual import Perceptual


@pytest.fixture(scope="module")
def metric():
    return Registry.discover().build("metric", Ref(name="lpips_alex"))


def test_samples_below_max_sigma_have_the_metrics_score_of_their_unclamped_pictures(build, learned, metric):
    known = learned(64)
    picture, target = known.base + 0.05 * known.estimate, known.base + 0.05 * known.target
    assert picture.min() < 0
    expected = metric(picture, target).detach()
    expected[2] = 0
    torch.testing.assert_close(build("perceptual")(known).detach(), expected)


def test_clamped_pictures_are_those_that_are_stored(build, learned, metric):
    known = learned(64)
    picture, target = (known.base + 0.05 * layer for layer in (known.estimate, known.target))
    expected = metric(picture.clamp(0, 1), target.clamp(0, 1)).detach()
    found = build("perceptual", clamp=True, max_sigma=100)(known).detach()
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, build("perceptual", max_sigma=100)(known).detach())


def test_every_picture_of_the_predictor_counts(build, of_pictures, metric):
    expected = metric(of_pictures.estimate, of_pictures.target)
    torch.testing.assert_close(build("perceptual", max_sigma=1e-3)(of_pictures), expected)


def test_with_a_shift_both_pictures_are_cut_alike_and_each_patch_elsewhere(build, of_pictures, metric):
    one = replace(of_pictures, estimate=of_pictures.estimate[:1], target=of_pictures.target[:1])
    # as crops of a photograph in 8 bits, which are whole numbers of 1/255
    targets = (255 * torch.rand(24, *one.target.shape[1:], generator=generator("patches"))).round() / 255
    estimates = (targets + 0.1 * (one.estimate - one.target)).detach()
    patches = replace(one, estimate=estimates, target=targets, base=torch.zeros_like(targets))
    found, places = build("perceptual", shift=1)(patches), []
    for number in range(24):
        cuts = [
            metric(patches.estimate[number, None, :, top : top + 31, left : left + 31],
                   patches.target[number, None, :, top : top + 31, left : left + 31])
            for top in (0, 1) for left in (0, 1)
        ]  # fmt: skip
        places.append(next(n for n, cut in enumerate(cuts) if torch.allclose(cut, found[number])))
    assert set(places) == {0, 1, 2, 3}


def test_a_shift_is_the_same_in_microbatches_and_in_every_call(build, of_pictures):
    """So neither they nor several processes or a resume change what is trained."""
    objective, whole = build("perceptual", shift=1), replace(of_pictures, base=of_pictures.target)
    parts = [
        replace(whole, estimate=e[None], target=t[None], base=t[None])
        for e, t in zip(whole.estimate, whole.target, strict=True)
    ]
    found = torch.cat([objective(part) for part in parts])
    torch.testing.assert_close(found, objective(whole))
    assert torch.equal(objective(whole), objective(whole))


def test_a_shift_of_the_whole_patch_is_refused(build, of_pictures):
    with pytest.raises(ConfigError, match="shift 32 leaves nothing of a patch"):
        build("perceptual", shift=32)(of_pictures)


def test_a_batch_above_max_sigma_has_loss_0_and_gradient_0(build, learned):
    known = learned(64)
    loss = build("perceptual", max_sigma=1e-3)(known)
    loss.sum().backward()
    assert not loss.any()
    assert not known.output.grad.any()


def with_slope(measure, image, reference):
    """The derivative along a direction by autograd, and by a central difference of the scores."""
    image = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(measure(image, reference).sum(), image)
    direction = gradient / gradient.norm()
    with torch.no_grad():
        ends = [float(measure(image + step * direction, reference).sum()) for step in (2e-2, -2e-2)]
    return float(gradient.norm()), (ends[0] - ends[1]) / 4e-2


def smooth(seed, side=64):
    coarse = torch.rand(1, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, side, mode="bilinear")


def test_the_gradient_of_lpips_is_that_of_its_scores(metric):
    slope, difference = with_slope(metric, smooth(0), smooth(1))
    assert slope == pytest.approx(difference, rel=0.05)


def test_the_gradient_of_dists_is_that_of_its_scores(monkeypatch):
    """With random parameters of VGG16's shapes where the real ones, which do not ship, are not needed."""
    from texprior_plugins.metric.dists import Dists

    monkeypatch.setattr(weights, "load", lambda record: _random_heads() if record == DISTS_HEADS else _random_trunk())
    assert LPIPS_VGG != DISTS_HEADS
    slope, difference = with_slope(Dists(None), smooth(0), smooth(1))
    assert slope == pytest.approx(difference, rel=0.05)


def _random_heads():
    return {name: torch.ones(1, 1475, 1, 1) for name in ("alpha", "beta")}


def _random_trunk():
    widths, numbers = (64, 64, 128, 128, *[256] * 3, *[512] * 6), (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    rng, before, found = torch.Generator().manual_seed(0), 3, {}
    for number, width in zip(numbers, widths, strict=True):
        found[f"features.{number}.weight"] = torch.randn(width, before, 3, 3, generator=rng) / (4.5 * before) ** 0.5
        found[f"features.{number}.bias"] = torch.zeros(width)
        before = width
    return found


def test_a_place_without_activations_leaves_the_gradient_of_lpips_finite(metric):
    """The root of a sum of squares has no slope at 0, where all channels are 0; their relu passes none of it on."""
    silent = LpipsAlex(None)
    silent.tensors["features.3.bias"] = silent.tensors["features.3.bias"] - 100
    image, reference = smooth(0).requires_grad_(), smooth(1)
    (gradient,) = torch.autograd.grad(silent(image, reference).sum(), image)
    assert torch.isfinite(gradient).all()
    assert gradient.any()


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("psnr", "'psnr_rgb' is not lowest for the reference itself"),
        ("texture_ratio", "is not lowest for the reference itself"),
        ("niqe", "'niqe' does not compare with a reference"),
        ("kernel_distance_mobilenet_v2", "scores sets of pictures, not single ones"),
    ],
)
def test_a_metric_that_is_no_distance_from_a_reference_is_refused(build, named, why):
    with pytest.raises(ConfigError, match=why):
        build("perceptual", metric=named)


def test_a_metric_without_a_gradient_is_refused():
    class Detached:
        key = "detached"

        def __call__(self, image, reference):
            return (image - reference).detach().abs().mean(dim=(1, 2, 3))

    with pytest.raises(ConfigError, match="'detached' passes no finite gradient to the picture"):
        Perceptual(PerceptualOptions(), Detached())


def test_a_metric_that_is_a_module_is_neither_trained_nor_stored(learned):
    class Learnt(nn.Module):
        key = "learnt"

        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, 4, 3)

        def forward(self, image, reference):
            return (self.layer(image) - self.layer(reference)).square().mean(dim=(1, 2, 3))

    module = Learnt()
    objective = Perceptual(PerceptualOptions(max_sigma=100), module)
    assert not module.training
    assert not list(objective.parameters())
    assert not objective.state_dict()
    known = learned(32)
    objective_loss(objective, known).sum().backward()
    assert known.output.grad.any()
    assert module.layer.weight.grad is None


def test_a_value_that_is_not_finite_makes_the_loss_so(build, learned):
    """So that the step is skipped: also where the sample is above max_sigma and the metric is not asked."""
    known = learned(64)
    broken = known.estimate.detach().clone()
    broken[2] = torch.nan
    found = build("perceptual")(replace(known, estimate=broken))
    assert torch.isfinite(found[:2]).all()
    assert found[2].isnan()
