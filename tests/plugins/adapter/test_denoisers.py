"""Which adapter stands on which denoiser: the table of docs/kinds/denoiser.md, built again."""

import re

import pytest
import torch

from texprior.errors import ConfigError
from texprior.models.build import count_parameters
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior_plugins.adapter import texprior_adapters
from texprior_plugins.attention.sdpa import Sdpa
from texprior_plugins.denoiser import texprior_denoisers

CODE = 96
"""Channels of a token of ``mobilenet_v2``."""
DENOISERS = [record.name for record in texprior_denoisers()]


@pytest.fixture(scope="module")
def default():
    """default(name, code_width): a denoiser with default options."""
    registry, known = Registry.discover(), {}

    def build(name, code_width=CODE):
        if (name, code_width) not in known:
            ref = Ref(name=name)
            known[name, code_width] = registry.build("denoiser", ref, code_width=code_width, attention=Sdpa(None))
        return known[name, code_width].requires_grad_(False)

    return build


def thousands(build, adapter, network):
    """Trained parameters in thousands as the page writes them, or the sentence with which the adapter refuses."""
    try:
        return f"{count_parameters(build(adapter, network)) / 1000:,.0f}"
    except ConfigError as reason:
        return str(reason)


def table(repository):
    """Adapter -> the cells of its row."""
    page = (repository / "docs" / "kinds" / "denoiser.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("| adapter | `" + "` | `".join(DENOISERS) + "` |\n|---|---|---|---|\n")
    rows = re.match(r"(?:\|.*\n)*", rest)[0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {name.strip("`"): counts for name, *counts in cells}


def test_the_page_has_what_each_adapter_trains_on_each_denoiser(repository, build, default):
    expected = {
        record.name: [thousands(build, record.name, default(name)) for name in DENOISERS]
        for record in texprior_adapters()
    }
    assert table(repository) == expected


@pytest.mark.parametrize("name", DENOISERS)
def test_without_a_code_film_alone_refuses(name, build, default):
    network = default(name, 0)
    refused = {a.name: thousands(build, a.name, network) for a in texprior_adapters()}
    refused = {adapter: said for adapter, said in refused.items() if said.startswith("adapter:")}
    assert refused == {"film": "adapter: film needs a semantic code, and the encoder gives none"}


def test_without_a_code_only_the_windows_have_attention(build, default):
    for options in ({"layers": "attention"}, {"activations": "attention"}):
        adapter = "lora" if "layers" in options else "ia3"
        for name in ("unet", "nafnet"):
            with pytest.raises(ConfigError, match="attention"):
                build(adapter, default(name, 0), **options)
        adapted = build(adapter, default("window_transformer", 0), **options)
        assert count_parameters(adapted) > 0


@pytest.mark.parametrize("adapter", ["ia3", "spade"])
@pytest.mark.parametrize("name", DENOISERS)
def test_on_default_sizes_an_adapter_starts_as_the_prior(name, adapter, build, default):
    """At the sizes that are used, with channels last as in a run."""
    network = default(name).to(memory_format=torch.channels_last)
    g = torch.Generator().manual_seed(0)
    x, estimate = torch.randn((1, 3, 34, 50), generator=g), torch.rand((1, 3, 34, 50), generator=g)
    given = x, torch.zeros(1), estimate, torch.randn((1, 9, CODE), generator=g)
    built = build(adapter, network)
    assert torch.equal(built.adapted(network, built.features(estimate))(*given), network(*given))
