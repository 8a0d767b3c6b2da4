"""match_strength: filters whose answer is known in closed form, ranges, whole numbers, and what is out of reach."""

import math
import sys
import types
from typing import Annotated

import pytest
import torch
from pydantic import Field

from texprior.decompositions.strength_search import TOLERANCE, match_strength, texture_std
from texprior.errors import ConfigError
from texprior.flow.decompose import Layers
from texprior.plugin import Decomposition, Options, Ref, Tune
from texprior.registry import Plugin, Registry


class ShareOptions(Options):
    share: Annotated[float, Field(ge=1e-4, le=1.0), Tune(0.01, 0.5, log=True)] = 0.1
    other: int = 3


class StepOptions(Options):
    steps: Annotated[int, Field(ge=1, le=20), Tune(2, 10)] = 4


class OpenOptions(Options):
    share: Annotated[float, Field(gt=0)] = 0.1


class Share:
    """T is the picture around its mean, times a power of the share: so much smaller is its deviation."""

    power = 1.0

    def __init__(self, options):
        self.share = getattr(options, "share", None) or options.steps / 20

    def __call__(self, image):
        texture = self.share**self.power * (image - image.mean())
        return Layers(image - texture, texture)


class Steep(Share):
    power = 3.0


@pytest.fixture
def registry(monkeypatch):
    """Decompositions whose texture's deviation is known for each strength."""
    module = types.ModuleType("known_shares")
    module.Share, module.Steep = Share, Steep
    monkeypatch.setitem(sys.modules, "known_shares", module)

    def record(name, impl, options, strength):
        return Decomposition(name, f"known_shares:{impl}", options, strength=strength)

    components = (
        record("share", "Share", ShareOptions, "share"),
        record("steep", "Steep", ShareOptions, "share"),
        record("steps", "Share", StepOptions, "steps"),
        record("open", "Share", OpenOptions, "share"),
        record("fixed", "Share", ShareOptions, ""),
    )
    return Registry([Plugin("known", "1", "loaded", components=components)])


def pictures():
    """Two pictures whose values are 0 and 1: a standard deviation of 1/2 each."""
    board = (torch.arange(64)[:, None] + torch.arange(48)) % 2
    return [board.expand(3, -1, -1).float(), board[:20, :30].expand(3, -1, -1).float()]


def test_texture_std_is_that_of_all_values_together(registry):
    built = registry.build("decomposition", Ref(name="share", options={"share": 0.3}))
    flat = [torch.full((3, 10, 10), 0.2), *pictures()]
    values = torch.cat([built(picture[None]).texture.flatten() for picture in flat])
    assert texture_std(built, flat) == pytest.approx(values.double().std(correction=0).item(), rel=1e-6)


@pytest.mark.parametrize("name", ["share", "steep"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.43])
def test_a_known_strength_is_found(registry, name, share):
    power, told = (1 if name == "share" else 3), []
    found = match_strength(
        registry, Ref(name=name, options={"other": 5}), share**power / 2, pictures(), lambda *seen: told.append(seen)
    )
    assert found.value == pytest.approx(share, rel=TOLERANCE)
    assert found.texture_std == pytest.approx(share**power / 2, rel=TOLERANCE)
    assert found.decomposition == Ref(name=name, options={"other": 5, "share": found.value})
    assert (found.option, found.pictures) == ("share", 2)
    assert told[-1] == (len(told), found.value, found.texture_std)
    assert len(told) <= 10


def test_a_power_law_is_found_in_one_step(registry):
    """On logarithms it is a straight line: both ends, then the answer."""
    told = []
    match_strength(registry, Ref(name="steep"), 0.2**3 / 2, pictures(), lambda *seen: told.append(seen))
    assert [step for step, _, _ in told] == [1, 2, 3]


@pytest.mark.parametrize("share", [0.0005, 0.8])
def test_what_tune_does_not_reach_is_sought_in_the_whole_range(registry, share):
    assert match_strength(registry, Ref(name="share"), share / 2, pictures()).value == pytest.approx(share, rel=0.01)


def test_the_ends_of_the_range_are_reached(registry):
    assert match_strength(registry, Ref(name="share"), 0.5, pictures()).value == 1.0
    assert match_strength(registry, Ref(name="share"), 5e-5, pictures()).value == 1e-4


@pytest.mark.parametrize(
    ("target", "reach"),
    [
        (0.6, "it goes from 0.25 (share=0.5) to 0.5 (share=1)"),
        (1e-5, "it goes from 5e-05 (share=0.0001) to 0.005 (share=0.01)"),
    ],
)
def test_out_of_reach_is_a_sentence_with_the_range(registry, target, reach):
    with pytest.raises(ConfigError) as error:
        match_strength(registry, Ref(name="share"), target, pictures())
    assert f"decomposition 'share': no strength gives a texture of standard deviation {target:g}" in str(error.value)
    assert reach in str(error.value)


def test_whole_numbers_are_met_or_named(registry):
    found = match_strength(registry, Ref(name="steps"), 7 / 40, pictures())
    assert (found.value, type(found.value)) == (7, int)
    assert match_strength(registry, Ref(name="steps"), 19 / 40, pictures()).value == 19
    with pytest.raises(ConfigError, match="no strength gives"):
        match_strength(registry, Ref(name="steps"), 7.5 / 40, pictures())


def test_nothing_to_match_by_is_a_sentence(registry):
    with pytest.raises(ConfigError, match="'fixed' declares no option as its strength"):
        match_strength(registry, Ref(name="fixed"), 0.1, pictures())
    with pytest.raises(ConfigError, match="'open': its strength 'share' has no bounds"):
        match_strength(registry, Ref(name="open"), 0.1, pictures())
    with pytest.raises(ConfigError, match=r"it goes from 0 \(share=0.01\)|it goes from 0 \(share=0.5\)"):
        match_strength(registry, Ref(name="share"), 0.1, [torch.full((3, 9, 9), 0.4)])


def test_a_gaussian_of_a_wave_is_matched_to_its_closed_form():
    """A cosine of frequency w keeps 1 - exp(-sigma² w² / 2) of itself as texture."""
    n, k, sigma = 96, 12, 1.7
    frequency = math.pi * k / n
    wave = 0.5 + 0.4 * torch.cos(frequency * (torch.arange(n) + 0.5)).expand(3, 16, n)
    target = 0.4 * math.sqrt(0.5) * (1 - math.exp(-((sigma * frequency) ** 2) / 2))
    found = match_strength(Registry.discover(), Ref(name="gaussian"), target, [wave])
    assert found.value == pytest.approx(sigma, rel=0.01)
