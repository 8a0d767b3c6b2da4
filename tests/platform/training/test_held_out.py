"""What a training learned: shares in closed form, what they are measured on, and where they are told."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from texprior import config
from texprior.diffusion.process import Process
from texprior.errors import ImageError
from texprior.flow.image import save_image
from texprior.flow.prior import DenoiserNet
from texprior.models.build import build_prior
from texprior.models.sampling import noise_levels_of
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import load_tensors
from texprior.track import Tracker
from texprior.training import held_out, prior
from texprior.training.adapter import train_adapter
from texprior.training.dry_run import Measured, held_out_note
from texprior.training.held_out import HELD_OUT, LEVELS, HeldOut, held_out_split, measure_layer, read_held_out
from texprior.training.losses import LayerLoss
from texprior.training.patches import Patches, Pool
from texprior.training.predictor import train_predictor
from texprior.training.prior import train_prior

SCALE, SIDE, TOP = 0.05, 32, 20.0
SMALL = {
    "name": "small",
    "threads": 1,
    "device": "cpu",
    "data": {name: {"bundled": {"max_side": 96}} for name in ("train", "val", "test")} | {"variants": 1},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "training": {
        stage: {"budget": {"images": 16}, "batch": 8, "patch": SIDE, "warmup_images": 0}
        for stage in ("prior", "predictor", "adapter")
    },
    "events": [],
}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def session(registry, root, *overrides, **how):
    s = Session.start(config.resolve(SMALL, registry, overrides), registry, root=root)
    return s.with_(**how) if how else s


def photograph(key):
    """A layer of independent standard normal numbers on a structure."""
    g = torch.Generator().manual_seed(int(key))
    structure = torch.rand(3, SIDE, SIDE, generator=g)
    layer = torch.randn(3, SIDE, SIDE, generator=g)
    return {"picture": structure + SCALE * layer, "structure": structure, "code": torch.zeros(0, 0)}


class Knowing(DenoiserNet):
    """Finds a share of the layer in the condition, which holds the layer: D = share * layer."""

    code_width = 0

    def __init__(self, share):
        super().__init__()
        self.share = nn.Parameter(torch.tensor(share))

    def blocks(self):
        return {}

    def forward(self, x, noise, condition, code, guide=None, skip=None):
        sigma = (4 * noise).exp().view(-1, 1, 1, 1)
        norm = (sigma**2 + 1).sqrt()
        # D = c_skip x + c_out F, and the network is given c_in x
        return (self.share * condition - x * norm / norm**2) * norm / sigma


def measured(registry, network=None, condition=None, batch=16):
    s = config.resolve(SMALL, registry)
    built = build_prior(Session.start(s, registry).builder, SCALE, Path())
    if network is not None:
        object.__setattr__(built, "network", network)

    class Given(LayerLoss):
        def disturbed(self, structure, numbers):
            return condition(self, numbers) if condition else structure

    def loss_on(patches):
        levels = noise_levels_of(registry, s.diffusion, built.process, SCALE)
        return Given(s, built, Process(SCALE), patches, False, levels)

    held, own = (
        Patches(Pool([str(first + i) for i in range(16)], photograph, 64), SIDE, seed=first, per_visit=2)
        for first in (0, 100)
    )
    with torch.no_grad():
        return measure_layer(loss_on, LayerLoss.texture, TOP, batch, "val", held, own)


def test_a_new_network_explains_what_shrinking_does(registry):
    """F = 0, so D = x / (1 + sigma^2): of a layer of unit variance 1 / (1 + sigma^2), and nothing of pure noise.

    The squared error of F is 1 at every level.
    """
    found = measured(registry)
    assert [level.sigma for level in found.levels] == [TOP, *LEVELS]
    shares = {level.sigma: level.explained for level in found.levels}
    assert shares == pytest.approx({s: 1 / (1 + s**2) for s in LEVELS} | {TOP: -1 / TOP**2}, abs=8e-3)
    assert [level.loss for level in found.levels] == pytest.approx([1] * 6, rel=0.02)
    assert (found.loss, found.train_loss) == (pytest.approx(1, rel=0.02), pytest.approx(1, rel=0.02))
    assert found.loss != found.train_loss


def test_no_more_is_measured_at_once_than_the_training_has_memory_for(registry):
    sizes = []

    def structure(loss, numbers):
        sizes.append(len(numbers))
        return loss.patches.batch(numbers)["structure"]

    found = measured(registry, None, structure, batch=6)
    assert set(sizes) == {4}
    assert found.loss == pytest.approx(measured(registry, None, structure).loss, rel=1e-5)
    assert max(sizes) == 16


def test_a_prior_is_measured_at_the_same_levels_whatever_its_sampling(registry, tmp_path):
    """So priors can be compared, and two arms that share a prior have one number."""
    folder = train_prior(session(registry, tmp_path, "sampling.sigma_max=3")).folder
    assert [level.sigma for level in read_held_out(folder).levels] == [20.0, *LEVELS]


@pytest.mark.parametrize(("share", "explained"), [(1.0, 1.0), (0.5, 0.75)])
def test_what_is_read_from_the_condition_alone(registry, share, explained):
    """D = a x_0 leaves (1 - a)^2 of the variance, at every level, whatever the noise."""

    def layer(loss, numbers):
        batch = loss.patches.batch(numbers)
        return (batch["picture"] - batch["structure"]) / SCALE

    found = measured(registry, Knowing(share), layer)
    assert [level.explained for level in found.levels] == pytest.approx([explained] * 6, abs=1e-4)


def test_no_code_is_dropped_from_what_is_measured(registry):
    """Sampling has every code, and so have the numbers that priors are compared by."""
    drops = []

    def layer(loss, numbers):
        drops.append(loss.drops_codes)
        return loss.patches.batch(numbers)["structure"]

    measured(registry, condition=layer)
    assert set(drops) == {False}


class Recorder:
    """An observer in memory: stage -> the summary of its run."""

    def __init__(self):
        self.stages, self.summaries = {}, {}

    def run_started(self, run):
        self.stages[run.id] = run.stage

    def step(self, *_):
        pass

    image = artifact = step

    def run_finished(self, run_id, status, summary, note):
        self.summaries[self.stages[run_id]] = dict(summary)

    def where(self, run_id):
        return {}


@pytest.fixture(scope="module")
def trained(registry, tmp_path_factory):
    seen = Recorder()
    s = session(registry, tmp_path_factory.mktemp("runs"))
    s = Session(s.experiment, registry, Tracker({"memory": seen}), s.root)
    folders = {"prior": train_prior(s).folder, "predictor": train_predictor(s).folder}
    folders["adapter"] = train_adapter(s, folders["prior"], folders["predictor"]).folder
    return folders, seen.summaries


def test_every_training_tells_its_losses_on_both_and_the_layers_by_level(trained):
    folders, summaries = trained
    for stage, folder in folders.items():
        found = read_held_out(folder)
        told = {n: v for n, v in summaries[stage].items() if "explained" in n or "loss" in n}
        assert found.split == "val"
        assert told == found.metrics(stage)
        assert told[f"{stage}.val_loss"] == found.loss != told[f"{stage}.train_loss"]
        levels = [f"{sigma:g}" for sigma in (TOP, *LEVELS)] if stage != "predictor" else []
        assert [n for n in told if "explained" in n] == [f"{stage}.explained.{at}" for at in levels]
        assert all(f"{stage}.val_loss.{at}" in told and f"{stage}.train_loss.{at}" in told for at in levels)


def test_the_cards_show_it(trained):
    folders, _ = trained
    card, first = (folders["prior"] / "README.md").read_text(), read_held_out(folders["prior"]).levels[0]
    assert f"{100 * first.explained:.0f} % of the layer's variance is read from the condition alone; a prior" in card
    assert f"| 20, noise alone | {first.explained:.1%} | {first.loss:.4f} | {first.train_loss:.4f} |" in card
    assert "32 patches of validation photographs" in card
    assert (
        "of the residual's variance is read from the condition and the estimate alone"
        in (folders["adapter"] / "README.md").read_text()
    )


def test_the_numbers_are_those_of_the_stored_weights(trained, registry, tmp_path):
    """... which are the averages; and the training is what it is without the measure, to the bit."""
    again = session(registry, tmp_path)
    calls = []
    real = held_out.measure_layer

    def spy(*given):
        network = given[0].args[1].network
        calls.append(({n: p.detach().clone() for n, p in network.named_parameters()}, network.training))
        return real(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prior, "measure_layer", spy)
        folder = train_prior(again).folder
    stored = load_tensors(folder / "prior.safetensors")[0]
    (weights, training), *_ = calls
    assert not training
    assert all(torch.equal(weights[n], stored[n]) for n in weights)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prior, "measure_held_out", lambda *_: None)
        without = train_prior(session(registry, tmp_path / "without")).folder
    whole = [(at / "prior.safetensors").read_bytes() for at in (trained[0]["prior"], folder, without)]
    assert whole[0] == whole[1] == whole[2]
    assert not (without / HELD_OUT).exists()
    assert "Not measured." in (without / "README.md").read_text()


def test_without_validation_photographs_it_is_measured_on_other_patches_of_the_own_ones(registry, tmp_path):
    """Here val names the photographs of the training."""
    for i in range(3):
        save_image(torch.rand(3, 48, 48, generator=torch.Generator().manual_seed(i)), tmp_path / "own" / f"{i}.png")
    data = {**SMALL, "data": {"train": {"folder": {"path": str(tmp_path / "own")}}}}
    s = Session.start(config.resolve(data, registry), registry, root=tmp_path / "runs")
    s = s.with_(said=frozenset({"data.train"}))
    assert held_out_split(s) == "train"
    folder = train_prior(s).folder
    found = read_held_out(folder)
    assert found.split == "train"
    assert "patches of training photographs, with other patches and noise" in (folder / "README.md").read_text()
    assert not [name for name in found.metrics("prior") if "val_loss" in name]


def test_a_measure_that_fails_costs_no_weights(registry, tmp_path, monkeypatch):
    said = []

    def broken(session, prior, split="train"):
        if split == "val":
            raise ImageError("the disk of val is gone")
        return real(session, prior, split)

    real = prior.cached_texture_pool
    monkeypatch.setattr(prior, "cached_texture_pool", broken)
    folder = train_prior(session(registry, tmp_path, say=said.append)).folder
    assert (folder / "prior.safetensors").is_file()
    assert read_held_out(folder) is None
    assert [line for line in said if "not measured" in line] == [
        "warning: prior: not measured on held-out photographs: the disk of val is gone"
    ]


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"split": "val", "levels": [{}]})])
def test_an_unreadable_file_is_no_measure(tmp_path, content):
    (tmp_path / HELD_OUT).write_text(content)
    assert read_held_out(tmp_path) is None


def test_what_is_written_is_read_again(tmp_path):
    found = HeldOut("val", 1.0, 2.0, (held_out.Level(20.0, 0.5, 0.25, 0.125),))
    found.write(tmp_path)
    assert read_held_out(tmp_path) == found


def measured_stage(stage, budget, held_out=True, speed=50.0):
    return Measured(stage, 1, 1, speed, budget, 1.0, None, held_out=held_out)


def test_a_dry_run_says_what_measuring_costs_if_that_is_much(registry):
    """150 images of the layer's trainings, 22 of the predictor's; said from a fiftieth of the budget on."""
    assert held_out_note(measured_stage("prior", 7500)) is None
    assert "takes as long as 150 of its images" in held_out_note(measured_stage("prior 2", 7499))
    assert held_out_note(measured_stage("predictor", 1100)) is None
    assert "takes as long as 22 of its images" in held_out_note(measured_stage("predictor", 1099))
    assert held_out_note(measured_stage("adapter", 100, held_out=False)) is None
    assert held_out_note(measured_stage("predictor", 0, speed=0.0)) is None
    assert held_out_note(measured_stage("photographs", 10)) is None
