"""What a schedule returns is checked, gets its final 0, and must differ from step to step."""

import pytest
import torch

from texprior.errors import ConfigError, ContractError
from texprior.flow.schedule import Range, levels_of

WITHIN = Range(0.1, 8.0, 7.0, torch.exp)
U = torch.linspace(0, 1, 4, dtype=torch.float64)


def halving(u, within):
    return within.sigma_max * 0.5 ** (3 * u)


def test_levels_end_at_0_in_float32():
    levels = levels_of(halving, U, WITHIN)
    assert levels.dtype is torch.float32
    assert levels.tolist() == [8, 4, 2, 1, 0]


def test_a_schedule_is_asked_for_u_and_the_range_of_the_settings():
    asked = []

    def schedule(u, within):
        asked.append((u, within))
        return halving(u, within)

    levels_of(schedule, U, WITHIN)
    ((u, within),) = asked
    assert u is U
    assert (within.sigma_min, within.sigma_max, within.rho, within.training) == (0.1, 8.0, 7.0, torch.exp)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda u, within: [8, 4, 2, 1], r"the noise levels is a list; expected a tensor of shape \(4,\)"),
        (lambda u, within: halving(u, within)[:3], r"the noise levels has shape \(3,\); expected \(4,\)"),
        (
            lambda u, within: halving(u, within).long(),
            r"the noise levels is torch.int64; expected a floating-point dtype",
        ),
    ],
)
def test_anything_else_than_a_level_for_each_u_is_refused(wrong, reason):
    with pytest.raises(ContractError, match=reason):
        levels_of(wrong, U, WITHIN)


@pytest.mark.parametrize(
    "levels",
    [
        lambda u: 1 + 1e-9 * (1 - u),  # equal in float32 only
        lambda u: 1 + u,
        lambda u: 3 - 3 * u,  # a 0 before the last one
    ],
)
def test_steps_that_coincide_or_rise_are_refused_with_what_to_do(levels):
    with pytest.raises(ConfigError, match=r"4 steps of .* between sigma_min 0.1 and sigma_max 8.0 do not all differ"):
        levels_of(lambda u, within: levels(u), U, WITHIN)
