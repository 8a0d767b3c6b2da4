"""A training whose steps are not finite: the sentence names the component at fault, and only files that exist."""

import math
import re

import pytest
import torch

from texprior import config
from texprior.errors import ConfigError, TexpriorError
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import about_tensors, load_tensors
from texprior.track import Tracker
from texprior.training.adapter import train_adapter
from texprior.training.folders import CHECKPOINT
from texprior.training.predictor import train_predictor
from texprior.training.prior import prior_place, train_prior

PLUGIN = '''
import torch
from torch import nn

from texprior.flow.adapt import BlockAdapter
from texprior.flow.decompose import Layers
from texprior.flow.predict import InitialPredictor
from texprior.flow.prior import SemanticEncoder
from texprior.plugin import Adapter, Decomposition, Degradation, Denoiser, Encoder, Predictor, hookimpl
from texprior_plugins.denoiser import UnetOptions
from texprior_plugins.denoiser.unet import Unet


class Overflowing(Unet):
    def forward(self, *given, **more):
        return super().forward(*given, **more) + torch.inf


class Brittle(Unet):
    """Overflows when its last layer has moved far enough from zero, after about ten steps of 1e-3."""

    def forward(self, *given, **more):
        output = super().forward(*given, **more)
        return output * torch.inf if list(self.parameters())[-1].abs().max() > 0.01 else output


class Logarithm(BlockAdapter):
    def __init__(self, options, denoiser):
        super().__init__(denoiser)
        self.scale = nn.Parameter(torch.zeros(()))

    def after_block(self, block, hidden_BCHW, features):
        return hidden_BCHW + self.scale * hidden_BCHW.log()


class Empty(InitialPredictor):
    def __init__(self, options):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, degraded_BCHW):
        return degraded_BCHW + self.bias * torch.nan

    def loss(self, estimate_BCHW, clean_BCHW):
        return (estimate_BCHW - clean_BCHW).square().mean((1, 2, 3))


class Normed(Empty):
    def __init__(self, options):
        super().__init__(options)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, degraded_BCHW):
        return self.norm(degraded_BCHW) + self.bias


class Dark:
    def __init__(self, options):
        pass

    def __call__(self, image_CHW, rng):
        return image_CHW / 0 * 0


class Flat:
    """Not finite for one photograph, the fourth that it sees."""

    def __init__(self, options):
        self.seen = 0

    def __call__(self, image_BCHW):
        self.seen += 1
        return Layers(image_BCHW * (torch.nan if self.seen == 4 else 0.5), image_BCHW * 0.5)


class Blink(SemanticEncoder):
    """Not finite for the fourth photograph that it sees."""

    width, tokens = 4, 1

    def __init__(self, options):
        super().__init__()
        self.seen = 0

    def forward(self, image_BCHW):
        self.seen += 1
        return torch.full((len(image_BCHW), 1, 4), torch.nan if self.seen == 4 else 0.5)


class Blank(SemanticEncoder):
    width, tokens = 4, 1

    def __init__(self, options):
        super().__init__()

    def forward(self, image_BCHW):
        return torch.full((len(image_BCHW), 1, 4), torch.nan)


@hookimpl
def texprior_denoisers():
    return [Denoiser(n.lower(), f"nan_idea:{n}", UnetOptions, "Infinite.") for n in ("Overflowing", "Brittle")]

@hookimpl
def texprior_adapters():
    return [Adapter("logarithm", "nan_idea:Logarithm", summary="NaN.", identity="no")]

@hookimpl
def texprior_predictors():
    return [Predictor(n.lower(), f"nan_idea:{n}", summary="NaN.") for n in ("Empty", "Normed")]

@hookimpl
def texprior_degradations():
    return [Degradation("dark", "nan_idea:Dark", summary="NaN.")]

@hookimpl
def texprior_decompositions():
    return [Decomposition("flat", "nan_idea:Flat", summary="NaN.")]

@hookimpl
def texprior_encoders():
    return [Encoder(n.lower(), f"nan_idea:{n}", summary="NaN.") for n in ("Blank", "Blink")]
'''
UNET = {"width": 8, "levels": 1, "blocks": 1}
SMALL = {
    "name": "nan",
    "device": "cpu",
    "events": [],
    "data": {**{name: {"bundled": {"max_side": 96}} for name in ("train", "val", "test")}, "variants": 1},
    "encoder": "none",
    "denoiser": {"unet": UNET},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "adapter": {"cga": {"width": 8}},
}
TRAINING = {"budget": {"images": 1000}, "batch": 4, "patch": 32, "warmup_images": 0}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    file = tmp_path_factory.mktemp("plugin") / "nan_idea.py"
    file.write_text(PLUGIN)
    return Registry.discover([file])


@pytest.fixture
def session(registry, tmp_path):
    def started(said=None, images=None, **more):
        stages = ("prior", "predictor", "adapter")
        # the trainings before the one that fails are short
        training = {s: {**TRAINING, "budget": {"images": 8 if s != images else 1000}} for s in stages}
        experiment = config.resolve({**SMALL, "training": training, **more}, registry)
        return Session.start(experiment, registry, root=tmp_path, say=(said if said is not None else []).append)

    return started


def adapted(session):
    return train_adapter(session, train_prior(session).folder, train_predictor(session).folder)


@pytest.mark.parametrize(
    ("train", "stage", "changes", "named", "remedy"),
    [
        (
            train_prior,
            "prior",
            {"denoiser": {"overflowing": UNET}},
            "denoiser 'overflowing'",
            "lower training.prior.lr",
        ),
        (train_prior, "prior", {"decomposition": "flat"}, "decomposition 'flat'", "this component is at fault"),
        (train_prior, "prior", {"encoder": "blank"}, "encoder 'blank'", "this component is at fault"),
        (train_predictor, "predictor", {"predictor": "empty"}, "predictor 'empty'", "lower training.predictor.lr"),
        (train_predictor, "predictor", {"degradation": "dark"}, "degradation 'dark'", "this component is at fault"),
        (adapted, "adapter", {"adapter": "logarithm"}, "adapter 'logarithm'", "lower training.adapter.lr"),
    ],
)
def test_the_component_whose_output_is_not_finite_is_named(session, train, stage, changes, named, remedy):
    said = []
    with pytest.raises(TexpriorError) as caught:
        train(session(said, images=stage, **changes))
    message = str(caught.value)
    assert message.startswith(f"{stage}: the training diverged: 10 steps in a row were not finite, up to image 40 (")
    assert f"; the output of the {named} is not finite for these pictures; {remedy}" in message
    assert message.endswith("no checkpoint was written yet")
    assert "safetensors" not in message
    assert [line for line in said if "was skipped" in line] == [
        f"{stage}: the step up to image 4 was skipped: the output of the {named} is not finite for these pictures; "
        "further ones are only counted"
    ]


class Spy:
    """An observer that keeps the values of steps, and the note of the end."""

    def __init__(self):
        self.values, self.note = {}, ""

    def run_started(self, run):
        pass

    def step(self, run_id, images_seen, metrics):
        self.values[images_seen] = metrics

    def artifact(self, run_id, path):
        pass

    def run_finished(self, run_id, status, summary, note):
        assert status == "finished"
        self.note = note


def test_a_photograph_that_spoils_steps_is_counted_in_the_run_and_on_the_card(session, tmp_path):
    """Every photograph is visited once in each of three epochs, and so is the bad one."""
    spy, said = Spy(), []
    started = session(said, encoder="blink")
    photographs = len(started.pictures("train").keys)
    prior = {**TRAINING, "budget": {"images": 3 * photographs}, "batch": 1, "log_every_images": photographs}
    with_budget = session(said, encoder="blink", training={"prior": prior})
    observed = Session(with_budget.experiment, with_budget.registry, Tracker({"spy": spy}), tmp_path, say=said.append)
    folder = train_prior(observed).folder
    assert [values["prior.skipped_steps"] for values in spy.values.values()] == [1, 2, 3]
    assert all(math.isfinite(value) for values in spy.values.values() for value in values.values())
    assert "was skipped: the output of the encoder 'blink' is not finite for these pictures." in spy.note
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| skipped steps | 3, whose loss" in card
    # as an experiment names it
    assert re.search(r"\| training data \| `\{bundled: \{.*max_side: 96.*\}\}` \|", card)
    assert about_tensors(folder / "prior.safetensors")["skipped_steps"] == 3


def test_a_diverged_training_starts_again_from_its_last_checkpoint_with_other_settings(session):
    """That of the shorter training that it continued; weights and averages count, with the images behind them."""
    brittle = {"denoiser": {"brittle": UNET}}
    short = train_prior(session(training={"prior": {**TRAINING, "budget": {"images": 8}}}, **brittle)).folder
    with pytest.raises(TexpriorError, match="the training diverged: 10 steps in a row") as caught:
        train_prior(session(training={"prior": TRAINING}, **brittle))
    folder = re.search(r"kept in (\S+); .* with training.prior.start_from$", str(caught.value)).group(1)
    assert folder == str(short)

    still = {"prior": {**TRAINING, "budget": {"images": 4}, "lr": 1e-30, "start_from": folder}}
    trained = train_prior(session(training=still, **brittle)).folder
    reached, _ = load_tensors(short / CHECKPOINT)
    weights, record = load_tensors(trained / "prior.safetensors")
    assert record["images_seen"] == 4
    # the half-life is 5 % of the 8 + 4 images
    share = 1 - 0.5 ** (4 / (0.05 * 12))
    for name, average in weights.items():
        expected = torch.lerp(reached[f"ema/{name}"], reached[f"model/{name}"], share)
        assert torch.allclose(average, expected, rtol=1e-6, atol=1e-9), name
    assert f"| started from | the weights of {folder} |" in (trained / "README.md").read_text(encoding="utf-8")


def test_a_fork_is_another_training_by_the_content_it_starts_from(session, tmp_path):
    first, second = (train_prior(session(seed=seed)).folder for seed in (0, 1))
    copy = tmp_path / "copy"
    first.rename(copy)

    def place(start):
        return prior_place(session(training={"prior": {**TRAINING, "start_from": start}})).digest

    none, of_copy, of_second = place(None), place(str(copy)), place(str(second))
    assert len({none, of_copy, of_second}) == 3
    copy.rename(first)
    assert place(str(first)) == of_copy
    assert "start_from" not in about_tensors(first / "prior.safetensors")
    with pytest.raises(ConfigError, match=r"start_from: \S+ holds no weights and no checkpoint"):
        place(str(tmp_path))


def test_a_fork_from_other_networks_is_a_sentence(session):
    first = train_prior(session()).folder
    other = {"prior": {**TRAINING, "start_from": str(first)}}
    with pytest.raises(ConfigError, match="its weights do not fit the network of this training"):
        train_prior(session(training=other, denoiser={"unet": {**UNET, "width": 16}}))
    with pytest.raises(
        ConfigError, match=r"training.predictor.start_from: \S+ holds no checkpoint and no predictor.safet"
    ):
        train_predictor(session(training={"predictor": {**TRAINING, "start_from": str(first)}}))


def test_batch_normalisation_is_refused_only_where_a_step_is_divided(session):
    """With one part the statistics are those of the whole batch, so nothing else decides what is trained."""
    part = {"predictor": {**TRAINING, "budget": {"images": 4}}}
    whole = session(training=part, predictor="normed")
    assert train_predictor(whole).folder.is_dir()
    divided = session(training={"predictor": {**part["predictor"], "microbatch": 2}}, predictor="normed")
    with pytest.raises(ConfigError) as caught:
        train_predictor(divided)
    assert re.match(r"training\.predictor: predictor 'nan-idea/normed' \(version \S+\) has batch", str(caught.value))
    assert "such as 'norm', so what is trained depends on how a step of 4 images is divided (microbatch 2, 1" in str(
        caught.value
    )
