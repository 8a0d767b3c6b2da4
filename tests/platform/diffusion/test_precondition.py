"""Preconditioning: its closed forms."""

import math

import pytest
import torch

from texprior.diffusion.precondition import broadcast, coefficients, denoise, loss

SIGMAS = torch.tensor([0.01, 0.3, 1.0, 7.0, 150.0], dtype=torch.float64)


def zero(x, c_noise):
    return torch.zeros_like(x)


def wavy(x, c_noise):
    return torch.sin(3 * x) + c_noise.view(-1, 1, 1, 1)


def pictures(seed, dtype=torch.float64):
    return torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_coefficients_are_table_1_of_karras_with_sigma_data_1():
    c = coefficients(SIGMAS)
    for i, s in enumerate(SIGMAS.tolist()):
        assert c.skip[i].item() == pytest.approx(1 / (s**2 + 1), rel=1e-12)
        assert c.out[i].item() == pytest.approx(s / (s**2 + 1) ** 0.5, rel=1e-12)
        assert c.in_[i].item() == pytest.approx(1 / (s**2 + 1) ** 0.5, rel=1e-12)
        assert c.noise[i].item() == pytest.approx(math.log(s) / 4, rel=1e-12, abs=1e-15)


def test_the_networks_input_and_target_have_unit_variance():
    x0, noise = torch.randn(2, 5, 1, 1, 400_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seen = {}

    def network(x, c_noise):
        seen["input"] = x
        return torch.zeros_like(x)

    target_energy = loss(network, x0, noise, SIGMAS)
    torch.testing.assert_close(seen["input"].std(dim=(1, 2, 3)), torch.ones(5).double(), atol=5e-3, rtol=0)
    torch.testing.assert_close(target_energy, torch.ones(5).double(), atol=1e-2, rtol=0)


def test_for_unit_gaussian_data_a_zero_network_is_the_exact_posterior_mean():
    x = pictures(0)
    exact = x / (1 + SIGMAS.view(-1, 1, 1, 1) ** 2)
    torch.testing.assert_close(denoise(zero, x, SIGMAS), exact, rtol=1e-12, atol=1e-12)


def test_the_loss_is_lambda_times_the_denoisers_squared_error():
    """Karras et al. 2022, eq. 8 with lambda = 1 / c_out^2, per image."""
    x0, noise = pictures(1), pictures(2)
    error = denoise(wavy, x0 + SIGMAS.view(-1, 1, 1, 1) * noise, SIGMAS) - x0
    weight = (SIGMAS**2 + 1) / SIGMAS**2
    expected = weight * error.square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(loss(wavy, x0, noise, SIGMAS), expected, rtol=1e-9, atol=0)


def test_the_denoiser_returns_x_where_there_is_hardly_noise():
    x = pictures(3)
    torch.testing.assert_close(denoise(wavy, x, torch.full((5,), 1e-6).double()), x, rtol=0, atol=2e-5)


def test_a_half_precision_network_gives_a_result_in_the_layers_precision():
    x = pictures(0, torch.float32)
    out = denoise(lambda x, c: x.to(torch.bfloat16), x, SIGMAS.float())
    assert out.dtype is torch.float32
    assert loss(lambda x, c: x.to(torch.bfloat16), x, x, SIGMAS.float()).dtype is torch.float32


def test_broadcast_gives_one_sigma_per_image():
    x = pictures(0, torch.float32)
    assert torch.equal(broadcast(torch.tensor(2.0), x), torch.full((5,), 2.0))
    assert broadcast(0.5, x.double()).dtype is torch.float64
