"""Any transform of albumentations: the same as there, or a sentence that says why not."""

import os

import numpy as np
import pytest

from texprior.diffusion.keys import generator
from texprior.errors import ConfigError
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior_plugins.degradation import AlbumentationsOptions
from texprior_plugins.degradation.albumentations import Albumentations, albumentations


def made(transform, **arguments):
    return Albumentations(AlbumentationsOptions(transform=transform, arguments=arguments))


@pytest.mark.parametrize(
    ("transform", "arguments"),
    [("RandomFog", {"fog_coef_range": [0.3, 0.6]}), ("Spatter", {"mode": "rain"}), ("ISONoise", {}), ("Equalize", {})],
)
def test_it_is_what_albumentations_makes_of_the_same_seed(photographs, transform, arguments):
    degradation = made(transform, **arguments)
    recipe = degradation.draw(generator(4), (96, 128))
    compose = albumentations.Compose([getattr(albumentations, transform)(p=1, **arguments)])
    compose.set_random_seed(recipe["seed"])
    picture = photographs[1].permute(1, 2, 0).contiguous().numpy()
    expected = np.clip(compose(image=picture)["image"].transpose(2, 0, 1), 0, 1)
    np.testing.assert_array_equal(degradation.apply(photographs[1], recipe), expected)


@pytest.mark.parametrize(
    ("transform", "arguments", "sentence"),
    [
        ("GaussNoize", {}, "there is no transform 'GaussNoize' of pixels, such as GaussNoise"),
        ("Compose", {}, "there is no transform 'Compose' of pixels"),
        ("os", {}, "there is no transform 'os' of pixels"),
        ("HorizontalFlip", {}, "'HorizontalFlip' moves pixels, so that a pair would no longer match"),
        ("GaussNoise", {"std": 3}, r"GaussNoise does not take these arguments: Argument\(s\) 'std' are not valid"),
        ("GaussNoise", {"std_range": [3, 4]}, "GaussNoise does not take these arguments: .*must be >= 0 and <= 1"),
        ("TextImage", {}, "TextImage does not take these arguments: .*font_path Field required"),
        ("FDA", {}, "FDA cannot be applied to a picture: .*fda_metadata"),
        ("Normalize", {}, r"Normalize makes values from -.* of a picture in \[0, 1\]"),
        ("FromFloat", {}, "FromFloat makes values from 0 to 255"),
    ],
)
def test_what_cannot_be_used_is_said_when_it_is_built(transform, arguments, sentence):
    with pytest.raises(ConfigError, match=f"^albumentations: {sentence}") as caught:
        Registry.discover().build(
            "degradation", Ref(name="albumentations", options={"transform": transform, "arguments": arguments})
        )
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_it_is_always_applied_and_asks_no_network(photographs):
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"
    inverted = made("InvertImg")
    for i in range(8):
        assert (inverted(photographs[0], generator(i)) - (1 - photographs[0])).abs().max() < 1e-6
