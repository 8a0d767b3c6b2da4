"""The adversarial objective: hinge losses by hand, who gets which gradient, the discriminator's norm and view."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from texprior.flow.objective import objective_loss
from texprior_plugins.objective.adversarial import SpectralConv2d, discriminator, largest_singular_value


@pytest.fixture
def objective(build):
    return build("adversarial", width=8, layers=2)


def test_the_losses_are_hinges_of_the_scores_of_patches(objective, learned):
    known = learned(32)
    real, made = (
        objective.discriminator(torch.cat([known.base, layer], 1)) for layer in (known.target, known.estimate)
    )
    kept = torch.tensor([1.0, 1.0, 0.0])
    torch.testing.assert_close(objective(known), -kept * made.mean(dim=(1, 2, 3)))
    hinges = torch.clamp(1 - real, min=0) + torch.clamp(1 + made, min=0)
    torch.testing.assert_close(objective.own_loss(known), kept * hinges.mean(dim=(1, 2, 3)))


def test_one_backward_pass_gives_the_network_and_the_discriminator_each_its_own_gradient(objective, learned):
    parameters = list(objective.parameters())
    alone = learned(32)
    (of_network,) = torch.autograd.grad(objective(alone).sum(), alone.output)
    of_discriminator = torch.autograd.grad(objective.own_loss(alone.detached()).sum(), parameters)

    together = learned(32)
    loss = objective_loss(objective, together)
    loss.sum().backward()
    assert torch.equal(loss, objective(together))
    assert torch.equal(together.output.grad, of_network)
    assert all(torch.equal(p.grad, g) for p, g in zip(parameters, of_discriminator, strict=True))
    assert all(p.requires_grad for p in parameters)


def test_without_gradients_only_the_networks_loss_is_computed(objective, learned):
    with torch.no_grad():
        assert torch.equal(objective_loss(objective, learned(32)), objective(learned(32)))


def test_every_parameter_has_a_gradient_in_a_batch_above_max_sigma(objective, learned):
    """So that a process whose share has no sample below it takes the same step as the others."""
    known = learned(32, sigmas=(2.0, 3.0))
    objective_loss(objective, known).sum().backward()
    assert not known.output.grad.any()
    assert [p.grad.any().item() for p in objective.parameters()] == [False] * 6


def test_it_learns_to_tell_pictures_apart(objective, learned):
    """A weak texture against one of unit variance: both hinges are 0 once each score is beyond its margin."""
    known = learned(16)
    known = replace(known, estimate=0.2 * known.target)
    optimizer = torch.optim.Adam(objective.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        loss = objective.own_loss(known).sum()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_the_largest_singular_value_and_its_gradient_are_those_of_the_decomposition(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    left, values, right = torch.linalg.svd(matrix.detach())
    found = largest_singular_value(matrix)
    found.backward()
    torch.testing.assert_close(found.detach(), values[0])
    torch.testing.assert_close(matrix.grad, torch.outer(left[:, 0], right[0]))


def test_the_norm_is_what_torchs_power_iteration_converges_to():
    torch.manual_seed(0)
    ours = SpectralConv2d(3, 8, 4, stride=2, padding=1)
    plain = nn.Conv2d(3, 8, 4, stride=2, padding=1)
    plain.load_state_dict(ours.state_dict())
    theirs = spectral_norm(plain, n_power_iterations=200)
    image = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(ours(image), theirs(image), rtol=1e-4, atol=1e-5)


def test_a_call_changes_nothing(objective, learned):
    before = {name: tensor.clone() for name, tensor in objective.state_dict().items()}
    assert torch.equal(objective(learned(32)), objective(learned(32)))
    assert all(torch.equal(tensor, before[name]) for name, tensor in objective.state_dict().items())


@pytest.mark.parametrize(("layers", "seen"), [(1, 8), (2, 18), (3, 38), (4, 78)])
def test_a_score_sees_as_many_pixels_as_the_option_says(layers, seen):
    torch.manual_seed(0)
    net = discriminator(4, layers)
    image = torch.rand(1, 6, 256, 256, requires_grad=True)
    scores = net(image)
    assert scores.shape == (1, 1, 256 >> layers, 256 >> layers)
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    rows = image.grad.abs().sum((0, 1, 3)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == seen


def test_the_smallest_patch_has_a_score(build, of_pictures):
    objective = build("adversarial", width=4, layers=4)
    small = replace(
        of_pictures, estimate=of_pictures.estimate[..., :16, :16], target=of_pictures.target[..., :16, :16],
        base=of_pictures.base[..., :16, :16],
    )  # fmt: skip
    assert torch.isfinite(objective(small)).all()
