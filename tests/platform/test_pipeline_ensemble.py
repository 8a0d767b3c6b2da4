"""A self-ensemble is the mean of restorations of the laid pictures, each turned back."""

import pytest
import torch

from texprior import config, pipeline
from texprior.errors import ConfigError
from texprior.flow.orient import ORIENTATIONS
from texprior.models.inputs import inputs_of
from texprior.registry import Registry

UNET = {"width": 8, "levels": 2, "blocks": 1}
PICTURE = torch.rand(1, 3, 50, 77, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def built(registry, untrained):
    def build(place=False, **sampling):
        encoder = {"mobilenet_v2": {"stages": 3, "place": place}}
        return untrained(registry, encoder=encoder, sampling={"steps": 2, "amp": False, **sampling})

    return build


def restored(model, picture=PICTURE, **sampling):
    settings = model.experiment.sampling.model_copy(update=sampling)
    return pipeline.restore(model, picture, "key", settings, seed=3)


def one_sample(model, picture, number):
    """The layer of the sample of this number, which the means of one more and one fewer contain."""
    more = restored(model, picture, samples=number + 1).layer * (number + 1)
    return more - restored(model, picture, samples=number).layer * number if number else more


@pytest.mark.parametrize("orientations", [2, 4, 8])
def test_it_is_the_mean_of_the_laid_pictures_turned_back(built, orientations):
    """Each orientation has the noise of another sample; estimate and base are means as well."""
    model = built()
    found = restored(model, self_ensemble=orientations)
    used = ORIENTATIONS[:orientations]
    layers = [o.back(one_sample(model, o.lay(PICTURE), n)) for n, o in enumerate(used)]
    estimates = [o.back(restored(model, o.lay(PICTURE), steps=1).estimate) for o in used]
    torch.testing.assert_close(found.layer, torch.stack(layers).mean(0), rtol=0, atol=1e-4)
    torch.testing.assert_close(found.estimate, torch.stack(estimates).mean(0), rtol=0, atol=1e-6)
    assert (found.estimate - restored(model).estimate).abs().max() > 1e-3
    torch.testing.assert_close(found.picture, model.process.picture(found.base, found.layer, 1.0))
    assert found.calls == 2 * orientations


def test_the_spread_is_that_of_the_samples_of_one_orientation(built):
    """The orientations' variances are averaged; a single sample has none."""
    model = built()
    assert not restored(model, self_ensemble=8).spread.any()
    found = restored(model, self_ensemble=2, samples=2)
    upright = restored(model, samples=2).spread
    mirrored = [one_sample(model, PICTURE.flip(-1), n) for n in (2, 3)]
    other = (mirrored[0] - mirrored[1]).flip(-1).abs() / 2**0.5 * model.process.scale
    torch.testing.assert_close(found.spread, ((upright**2 + other**2) / 2).sqrt(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("place", [False, True])
def test_given_inputs_are_turned(built, place):
    """The upright picture's estimate is that of all orientations, and a map of net S lies as the picture does."""
    model = built(place)
    given = inputs_of(PICTURE, model.experiment, model.predictor, model.prior, model.prior.encoder)
    settings = model.experiment.sampling.model_copy(update={"self_ensemble": 8})
    found = pipeline.restore(model, PICTURE, "key", settings, seed=3, inputs=given)
    torch.testing.assert_close(found.estimate, given.estimate, rtol=0, atol=1e-6)
    assert found.picture.isfinite().all()


def test_a_picture_of_the_transposed_shape_gives_the_transposed_result(built):
    """All eight of a picture and of its transpose are the same eight pictures, so that the estimates' mean is."""
    model = built()
    upright, turned = restored(model, self_ensemble=8), restored(model, PICTURE.mT, self_ensemble=8)
    torch.testing.assert_close(turned.estimate, upright.estimate.mT, rtol=0, atol=1e-6)


@pytest.mark.parametrize("number", [0, 3, 16])
def test_another_number_is_refused(registry, number):
    with pytest.raises(ConfigError, match=r"sampling\.self_ensemble"):
        config.resolve({"name": "x", "sampling": {"self_ensemble": number}}, registry)
