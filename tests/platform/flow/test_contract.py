"""What components return, where it enters the platform: the sentence names the component and what is wrong with it."""

import pickle

import pytest
import torch
from torch import nn

from texprior.errors import ContractError
from texprior.flow.adapt import BlockAdapter, DenoiserAdapter, Given, features_of, steered
from texprior.flow.decompose import Layers, decompose
from texprior.flow.degrade import Replayable, degrade, draw, replay, rng_of
from texprior.flow.image import CheckedPictures, Sample
from texprior.flow.measure import Gathered, measure
from texprior.flow.objective import Learned
from texprior.flow.predict import InitialPredictor, estimated, own_loss, predict
from texprior.flow.prior import Block, DenoiserNet, SemanticEncoder, checked_network, encode, try_attention, unguided
from texprior.flow.sample import network_calls, sample
from texprior.plugin.origin import Origin, remember_origin

PICTURES = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
NAN = torch.nan


def named(component):
    remember_origin(component, Origin("kind", "acme/mine", "1.2"))
    return component


def refused(act, breach):
    with pytest.raises(ContractError) as caught:
        act()
    assert str(caught.value).startswith("kind 'acme/mine' (version 1.2) does not fit its contract: ")
    assert breach in str(caught.value), caught.value


class Calls:
    """Any component that is called: returns what a function makes of its first argument."""

    key = "mine"

    def __init__(self, result):
        self.result = result

    def __call__(self, first, *_more):
        return self.result(first)

    features = __call__


class Net(nn.Module):
    def __init__(self, result):
        super().__init__()
        self.result = result

    def forward(self, first, *_more):
        return self.result(first)


@pytest.mark.parametrize(
    ("result", "breach"),
    [
        (lambda x: (x, 0 * x), "it returns a tuple; expected texprior.flow.decompose.Layers"),
        (lambda x: Layers(x[..., 1:], 0 * x), "the structure has shape (2, 3, 8, 11); expected (2, 3, 8, 12)"),
        (lambda x: Layers(x, 0 * x.double()), "the texture is torch.float64; expected torch.float32"),
        (lambda x: Layers(x, None), "the texture is a NoneType; expected a tensor of shape (2, 3, 8, 12)"),
        (lambda x: Layers(x.to("meta"), 0 * x), "the structure is on meta; expected cpu, where its input is"),
        (lambda x: Layers(255 * x, 0 * x), "structure + texture differs from the picture by up to 25"),
    ],
)
def test_a_decomposition(result, breach):
    refused(lambda: decompose(PICTURES, named(Calls(result))), breach)


def test_the_sum_of_layers_is_looked_at_in_the_first_call_of_each_instance():
    seen = []
    right = Calls(lambda x: seen.append(1) or Layers(x, 0 * x if len(seen) == 1 else x))
    decompose(PICTURES, right)
    decompose(PICTURES, right)
    refused(lambda: decompose(PICTURES, named(Calls(lambda x: Layers(x, x)))), "differs from the picture")


@pytest.mark.parametrize(
    ("result", "breach"),
    [
        (lambda x: 255 * x, "the degraded picture has values from "),
        (lambda x: x - 0.5, "expected values in [0, 1]"),
        (lambda x: x / 0, "to inf; expected values in [0, 1]"),
        (lambda x: x[:, 1:], "the degraded picture has shape (3, 7, 12); expected (3, 8, 12)"),
        (lambda x: x.numpy(), "the degraded picture is a ndarray; expected a tensor of shape (3, 8, 12)"),
        (lambda x: x.double(), "the degraded picture is torch.float64; expected torch.float32"),
    ],
)
def test_a_degradation(result, breach):
    degradation = named(Calls(result))
    refused(lambda: degrade(PICTURES, degradation, 0, ["a", "b"]), breach)
    refused(lambda: replay(degradation, PICTURES[0], {"seed": 0}), breach)


def test_a_degradation_may_overshoot_by_rounding_and_values_that_are_not_finite_pass_on_to_the_training():
    degrade(PICTURES, Calls(lambda x: x * (1 + 1e-4)), 0, ["a", "b"])
    assert degrade(PICTURES, Calls(lambda x: x + NAN), 0, ["a", "b"]).isnan().all()


def test_a_recipe():
    class Draws(Replayable):
        def draw(self, rng, size):
            return 3

        def apply(self, image_CHW, recipe):
            return image_CHW

    refused(lambda: draw(named(Draws()), rng_of(0, "a"), (8, 12)), "the recipe that it draws is a int; expected a ")


class Drawn:
    """A data set of one picture, or of what a function makes of it."""

    def __init__(self, result=lambda sample: sample, keys=("a",)):
        self.result, self.found = result, keys

    def keys(self, split):
        return self.found

    def load(self, key):
        return self.result(Sample(key, PICTURES[0].clone()))

    def source(self, key):
        return f"source of {key}"


@pytest.mark.parametrize(
    ("result", "breach"),
    [
        (lambda s: (s.key, s.clean), "what load('a') returns is a tuple; expected a texprior.flow.image.Sample"),
        (lambda s: Sample("b", s.clean), "the sample of 'a' has the key 'b'"),
        (lambda s: Sample("a", 255 * s.clean), "the clean picture of 'a' has values from "),
        (lambda s: Sample("a", s.clean[:1]), "the clean picture of 'a' has shape (1, 8, 12); expected (3, 8, 12)"),
        (lambda s: Sample("a", s.clean.numpy()), "the clean picture of 'a' is a ndarray"),
        (
            lambda s: Sample("a", s.clean, s.clean[..., 1:]),
            "the degraded picture of 'a' has shape (3, 8, 11)",
        ),
        (lambda s: Sample("a", s.clean.double()), "the clean picture of 'a' is torch.float64"),
    ],
)
def test_a_data_set(result, breach):
    refused(lambda: CheckedPictures(named(Drawn(result))).load("a"), breach)


@pytest.mark.parametrize("keys", [None, "abc", [1, 2], {"a": 1}])
def test_the_keys_of_a_data_set(keys):
    refused(lambda: CheckedPictures(named(Drawn(keys=keys))).keys("train"), "keys('train') is ")


def test_a_right_data_set_keeps_what_else_it_has():
    assert CheckedPictures(Drawn()).keys("train") == ["a"]
    assert CheckedPictures(Drawn()).source("a") == "source of a"
    assert not hasattr(CheckedPictures(Calls(None)), "source")


class Code(SemanticEncoder):
    width, tokens = 4, 2

    def forward(self, image_BCHW):
        return torch.zeros(len(image_BCHW), 4, 2)


def test_an_encoder():
    refused(lambda: encode(PICTURES, named(Code())), "the code has shape (2, 4, 2); expected (2, 2, 4)")


class Estimates(InitialPredictor):
    def __init__(self, result):
        super().__init__()
        self.result = result

    def forward(self, degraded_BCHW):
        return self.result(degraded_BCHW)

    def loss(self, estimate_BCHW, clean_BCHW):
        return (estimate_BCHW - clean_BCHW).square().mean()


def test_a_predictor():
    refused(lambda: predict(PICTURES, named(Estimates(lambda x: x[..., 1:]))), "the estimate has shape (2, 3, 8, 11)")
    refused(lambda: estimated(PICTURES, named(Estimates(lambda x: [x]))), "the estimate is a list")
    alone = Learned(PICTURES, PICTURES, PICTURES)
    refused(lambda: own_loss(named(Estimates(None)), alone), "the loss has shape (); expected (2,)")
    # infinity must not become white
    assert predict(PICTURES, Estimates(lambda x: x / 0)).isnan().all()


GIVEN = Given(PICTURES, PICTURES, PICTURES, torch.zeros(2, 0, 0))


class Plain(DenoiserNet):
    code_width = 0

    def blocks(self):
        return {"net": Block(3, 1, "middle")}

    def forward(self, x_BCHW, noise_B, condition_BCHW, code_BNC, guide=unguided, skip=unguided):
        return guide("net", x_BCHW)


class Steers(BlockAdapter):
    def __init__(self, features, after):
        super().__init__(Plain())
        self.made, self.after = features, after

    def features(self, estimate_BCHW):
        return self.made

    def after_block(self, block, hidden_BCHW, features):
        return self.after(hidden_BCHW)


class Whole(DenoiserAdapter):
    def adapted(self, denoiser, features):
        return lambda x, *_more: x[..., 1:]


def called(network):
    return network(PICTURES, torch.zeros(2), PICTURES, torch.zeros(2, 0, 0))


def test_denoisers_and_adapters():
    refused(
        lambda: called(checked_network(lambda x, *_more: x[:1], named(Plain()))),
        "the result of a network call has shape (1, 3, 8, 12); expected (2, 3, 8, 12)",
    )
    refused(lambda: features_of(named(Steers([], None)), GIVEN), "what features returns is a list; expected a ")
    cropping = named(Steers({}, lambda h: h[..., 1:]))
    refused(lambda: called(steered(cropping, Plain(), {})), "after_block of 'net' has shape (2, 3, 8, 11); expected ")
    refused(lambda: called(steered(named(Whole()), Plain(), {})), "the result of a network call has shape")
    # half precision is right, since the result is combined with x in x's precision
    called(steered(Steers({}, lambda h: h.bfloat16()), Plain(), {}))


def test_attention_is_tried_once():
    refused(lambda: try_attention(named(Calls(lambda q: q.transpose(1, 2))), torch.device("cpu")), "of attention has")
    refused(lambda: try_attention(named(Calls(lambda q: q * NAN)), torch.device("cpu")), "values that are not finite")
    try_attention(Calls(lambda q: q), torch.device("cpu"))


class Steps:
    def __init__(self, result):
        self.result = result

    def calls(self, steps):
        return str(steps)

    def __call__(self, denoise, x_BCHW, sigmas, noise):
        return self.result(x_BCHW)


def test_a_sampler():
    sampler = named(Steps(lambda x: x[:1]))
    refused(lambda: sample(None, sampler, PICTURES, torch.ones(2), None), "the sampled layer has shape (1, 3, 8, 12)")
    refused(lambda: network_calls(sampler, 4), "calls(4) is a str; expected a builtins.int")


def test_metrics_of_pictures_and_of_sets():
    refused(lambda: measure(PICTURES, None, {"mine": named(Calls(lambda x: 3.5))}), "the scores is a float")
    refused(
        lambda: measure(PICTURES, None, {"mine": named(Calls(lambda x: x.mean()))}),
        "the scores has shape (); expected (2,)",
    )
    gathered = Gathered({"mine": named(Calls(lambda x: x.mean()))})
    refused(lambda: gathered.add("restored", "a", PICTURES[:1], None), "the features has shape ()")


def test_an_error_of_a_worker_process_arrives_whole():
    error = ContractError("adapter 'acme/mine'", "its result is a list; expected a tensor")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.who, again.breach) == (str(error), error.who, error.breach)


def halved(image, *_):
    return image.mul_(0.5)


def halved_by_numpy(image, *_):
    array = image.numpy()
    array *= 0.5
    return image


@pytest.mark.parametrize("in_place", [halved, halved_by_numpy])
def test_a_degradation_that_works_in_place_gets_a_copy(in_place):
    picture = torch.rand(1, 3, 8, 8)
    before = picture.clone()
    degraded = degrade(picture, in_place, 0, ["a"], None)
    assert torch.equal(picture, before)
    assert torch.equal(degraded, before / 2)


@pytest.mark.parametrize("in_place", [halved, halved_by_numpy])
def test_a_component_that_changes_its_input_is_named(in_place):
    class Metric:
        key = "halved"

        def __call__(self, image, reference):
            return in_place(image).mean((1, 2, 3))

    class Filter:
        def __call__(self, image):
            layers = Layers(image.clone(), torch.zeros_like(image))
            in_place(image)
            return layers

    with pytest.raises(ContractError, match="it changes the picture that it is given; expected an input that stays"):
        measure(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8), {"halved": Metric()})
    with pytest.raises(ContractError, match="it changes the picture"):
        decompose(torch.rand(1, 3, 8, 8), Filter())
