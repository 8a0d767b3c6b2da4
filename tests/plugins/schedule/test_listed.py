"""listed: the levels of the options, and what lies between them."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from texprior.config.schema import Diffusion, Sampling
from texprior.errors import ConfigError
from texprior.models.sampling import sigmas_of
from texprior.plugin import Options, Ref
from texprior.registry import Registry
from texprior_plugins.process.texture import Texture

LEVELS = [20.0, 1.4, 0.6, 0.27]


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def visited(registry):
    def levels(listed, **settings):
        schedule = registry.options_of("schedule", Ref(name="listed", options={"levels": listed}))
        settings = Sampling(schedule=Ref.resolved("listed", schedule), **settings)
        return sigmas_of(registry, settings, Diffusion(), Texture(Options()), 0.05)

    return levels


@pytest.mark.parametrize("spacing", [None, "linspace", "trailing"])
def test_as_many_steps_as_levels_visit_them_exactly(visited, spacing):
    assert torch.equal(visited(LEVELS, steps=4, spacing=spacing), torch.tensor([*LEVELS, 0.0]))


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10])
def test_another_number_of_steps_interpolates_ln_sigma(visited, steps):
    """As Align Your Steps interpolates its lists: log-linearly over equal distances."""
    found = visited(LEVELS, steps=steps)
    expected = np.exp(np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, 4), np.log(LEVELS)))
    np.testing.assert_allclose(found[:-1].numpy(), expected, rtol=1e-6)
    assert found[-1] == 0


def test_trailing_steps_stop_one_step_above_the_last_level(visited):
    found, both = visited(LEVELS, steps=6, spacing="trailing"), visited(LEVELS, steps=7)
    torch.testing.assert_close(found[:-1], both[:6])


def test_one_level_is_one_step(visited):
    assert visited([3.0], steps=1).tolist() == [3.0, 0.0]
    with pytest.raises(ConfigError, match=r"2 steps of .*listed.* do not all differ; take fewer steps"):
        visited([3.0], steps=2)


@pytest.mark.parametrize(("listed", "outside"), [([30.0, 1.0], "30"), ([20.0, 0.01], "0.01")])
def test_a_level_outside_of_the_range_is_refused(visited, listed, outside):
    reason = f"sampling.schedule: the listed level {outside} is outside of sigma_min 0.02 to sigma_max 20"
    with pytest.raises(ConfigError, match=reason):
        visited(listed)


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ([20.0, 1.0, 1.0], "the levels must decrease, but 1 follows 1"),
        ([0.3, 20.0], "the levels must decrease, but 20 follows 0.3"),
        ([20.0, 0.0], "greater than 0"),
        ([], "at least 1 item"),
    ],
)
def test_levels_that_do_not_decrease_are_refused(registry, listed, reason):
    with pytest.raises(ValidationError, match=reason):
        registry.options_of("schedule", Ref(name="listed", options={"levels": listed}))
