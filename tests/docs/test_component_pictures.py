"""Components whose work can be seen are shown on the page of components."""

import pytest
import torch

from texprior.cli import component_pictures
from texprior.cli.component_pictures import picture_name
from texprior.registry import Registry
from texprior.runtime.identity import OWN

KINDS = {"degradation": 11, "decomposition": 11, "sampler": 8, "schedule": 5, "noise_levels": 4, "lr_decay": 4}
"""Kind -> the least number of its components that need no options."""


def own(kind):
    return [e.component for e in Registry.discover().entries(kind) if e.plugin.distribution == OWN]


@pytest.mark.parametrize("kind", KINDS)
def test_each_component_that_needs_no_options_has_its_picture(repository, kind):
    folder = repository / "docs" / "images" / "components"
    expected = {name for component in own(kind) if (name := picture_name(component))}
    assert len(expected) >= KINDS[kind], "most need no options"
    found = {path.name for path in folder.glob(f"{kind}-*")}
    assert found == expected, "make reference draws the missing ones; remove those of components that are gone"


def test_other_kinds_have_none():
    assert {picture_name(component) for component in own("metric")} == {""}


def test_the_denoiser_of_the_paths_is_exact():
    """Against Bayes' rule on a grid, in float64."""
    values, width = torch.tensor(component_pictures._VALUES, dtype=torch.float64), component_pictures._WIDTH
    layer = torch.linspace(-3, 3, 60_001, dtype=torch.float64)
    prior = torch.exp(-((layer[:, None] - values) ** 2) / (2 * width**2)).sum(1)
    for x in (-4.0, -0.4, 0.7):
        for sigma in (0.1, 1.0, 5.0):
            likely = prior * torch.exp(-((x - layer) ** 2) / (2 * sigma**2))
            expected = float((layer * likely).sum() / likely.sum())
            found = component_pictures._exact(torch.tensor([x], dtype=torch.float64), torch.tensor(sigma))
            assert float(found) == pytest.approx(expected, abs=1e-4)
