"""The trainings under each process: the layer that is learned, what the network is given, and the scale."""

import re
from pathlib import Path

import pytest
import torch

from texprior import config
from texprior.config import load
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow.kinds import NOISE_LEVELS
from texprior.models.build import build_adapter, build_prior
from texprior.models.folders import load_model
from texprior.pipeline import restore
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import about_tensors
from texprior.training.adapter import describe_residual, train_adapter
from texprior.training.dry_run import measure_stage_two
from texprior.training.losses import LayerLoss
from texprior.training.patches import Patches, Pool
from texprior.training.predictor import train_predictor
from texprior.training.preflight import on_prior, rehearse_training
from texprior.training.prior import train_prior

SCALE, NUMBERS = 0.05, [0, 1, 2]
SMALL = {
    "name": "small",
    "threads": 1,
    "data": {name: {"bundled": {"max_side": 96}} for name in ("train", "val", "test")} | {"variants": 1},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "training": {
        stage: {"budget": {"images": 16}, "batch": 8, "patch": 32, "warmup_images": 0}
        for stage in ("prior", "predictor", "adapter")
    },
    "events": [],
}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def session_of(registry, process, root=None, *overrides):
    data = {**SMALL, "diffusion": {"process": process}}
    return Session.start(config.resolve(data, registry, overrides), registry, **({"root": root} if root else {}))


def pictures(key):
    g = torch.Generator().manual_seed(ord(key))
    names = ("picture", "structure", "clean", "base", "condition", "estimate", "degraded")
    return {**{name: torch.rand(3, 32, 32, generator=g) for name in names}, "code": torch.zeros(0, 0)}


@pytest.fixture
def loss_of(registry):
    def loss_of(process):
        session = session_of(registry, process)
        prior = build_prior(session.builder, SCALE, Path())
        patches = Patches(Pool(["a", "b"], pictures, cache_mb=16), 32, 0)
        levels = registry.build(NOISE_LEVELS, Ref(name="log-normal"), mean=0.0, std=1.0)
        loss = LayerLoss(session.experiment, prior, Process(SCALE), patches, False, levels)
        return loss, build_adapter(session.builder, prior)

    return loss_of


@pytest.mark.parametrize("process", ["texture", "picture", "residual-shift", "mean-reverting"])
@pytest.mark.parametrize("stage", ["one", "two"])
def test_the_network_learns_the_layer_of_the_processes_base_and_is_given_its_input(loss_of, process, stage):
    """F = 0, so the loss is the mean square of the target (l - c_skip x) / c_out."""
    loss, adapter = loss_of(process)
    given = []
    loss.prior.network.register_forward_pre_hook(lambda _m, inputs: given.append(inputs[0].detach()))
    batch, noise, sigma = loss.noised(NUMBERS)
    if stage == "one":
        base = torch.full_like(noise, 0.5) if process == "picture" else batch["structure"]
        clean, found = batch["picture"], loss.stage_one(NUMBERS)
    else:
        base, clean, found = batch["base"], batch["clean"], loss.stage_two(adapter, NUMBERS)
    layer, level = (clean - base) / SCALE, sigma.view(-1, 1, 1, 1)
    x = layer + level * noise
    target = (layer - x / (level**2 + 1)) * (level**2 + 1).sqrt() / level
    torch.testing.assert_close(found, target.square().mean(dim=(1, 2, 3)), rtol=1e-4, atol=1e-6)
    expected = loss.prior.process.enter(x, sigma, base, SCALE)
    torch.testing.assert_close(given[-1], expected, rtol=1e-4, atol=1e-5)


def test_a_process_that_is_not_finite_is_named(loss_of):
    loss, _ = loss_of("picture")
    loss.prior.process.enter = lambda x, sigma, base, scale: torch.full_like(x, float("nan"))
    made = [(path, bool(t.isfinite().all())) for path, t in loss.outputs(NUMBERS)]
    assert next(path for path, finite in made if not finite) == "diffusion.process"


@pytest.mark.parametrize(
    "process", ["picture", "residual-shift", {"mean-reverting": {"end": 0.3, "towards": "estimate"}}]
)
def test_a_rehearsal_sends_a_patch_through_every_stage(registry, process):
    rehearse_training(session_of(registry, process, None, "sampling.sampler=posterior"))


@pytest.fixture(scope="module")
def trained(registry, tmp_path_factory):
    session = session_of(registry, "residual-shift", tmp_path_factory.mktemp("runs"), "sampling.sampler=posterior")
    prior, predictor = train_prior(session).folder, train_predictor(session).folder
    return session, prior, predictor, train_adapter(session, prior, predictor).folder


def test_a_model_of_another_process_is_trained_stored_and_restores(trained):
    session, prior, _, folder = trained
    model = load_model(folder, session.builder)
    assert model.prior.process.kappa == 2.0
    for card in (prior / "README.md", folder / "README.md"):
        assert "| process | `{residual-shift: {towards: degraded, kappa: 2.0}}` |" in card.read_text(encoding="utf-8")
    assert load(prior / "config.yaml", session.registry).diffusion.process.name == "residual-shift"
    degraded = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    result = restore(model, degraded, "key")
    assert torch.equal(result.base, degraded)
    assert result.picture.isfinite().all()
    # the deviation of what the task removed, from the degraded picture, not from the estimate
    assert about_tensors(folder / "adapter.safetensors")["residual_std"] > 0.01


def test_the_scale_of_the_picture_is_its_deviation_from_grey(registry, tmp_path):
    session = session_of(registry, "picture", tmp_path)
    dataset, keys = session.pictures("train")
    values = torch.cat([dataset.load(key).clean.flatten() for key in keys]).double()
    folder = train_prior(session).folder
    assert about_tensors(folder / "prior.safetensors")["scale"] == pytest.approx(float(values.std()), rel=1e-3)


def test_settings_that_cannot_work_with_the_priors_process_are_refused(trained, registry):
    _, prior, _, _ = trained
    data = {**SMALL, "process": {"base": "estimate-structure"}}
    with pytest.raises(ConfigError, match="'estimate-structure' has no effect: the process 'residual-shift'"):
        on_prior(Session.start(config.resolve(data, registry), registry, said=config.said_in(data, registry)), prior)


def test_a_range_beyond_a_trained_priors_process_is_refused_in_a_dry_run(trained, registry):
    """Where Stage II is divided by the prior's scale; another one is not known before it is measured."""
    session, prior, _, _ = trained
    beyond = {"sampling.sigma_max": 1e6}
    far = config.with_overrides(session.experiment, beyond, registry)
    with pytest.raises(ConfigError, match=r"set sampling\.sigma_max to at most"):
        measure_stage_two(session.with_(experiment=far), prior)
    own = config.with_overrides(session.experiment, {**beyond, "process.residual_scale": "measured"}, registry)
    assert measure_stage_two(session.with_(experiment=own), prior)


def test_a_range_beyond_the_process_is_refused_before_the_prior_is_trained(registry, tmp_path):
    session = session_of(registry, {"mean-reverting": {"end": 0.4}}, tmp_path)
    with pytest.raises(ConfigError, match=r"set sampling\.sigma_max to at most"):
        train_prior(session)
    assert not list(tmp_path.rglob("prior.safetensors"))


def test_a_prior_is_trained_and_measured_up_to_the_end_of_the_process(registry, tmp_path):
    session = session_of(registry, {"mean-reverting": {"end": 0.4}}, tmp_path, "sampling.sigma_max=largest")
    folder = train_prior(session).folder
    end = 10 / 255 * (1 / 0.4**2 - 1) ** 0.5 / about_tensors(folder / "prior.safetensors")["scale"]
    measured = re.search(r"\| (\S+), noise alone", (folder / "README.md").read_text(encoding="utf-8"))
    assert float(measured[1]) == pytest.approx(end, rel=1e-4)


def test_a_range_beyond_the_process_is_refused_before_the_adapter_is_trained(registry, tmp_path):
    """With a scale of Stage II's own, the range is known once the residual is measured."""
    process, measured = {"mean-reverting": {"end": 0.4}}, "process.residual_scale=measured"
    session = session_of(registry, process, tmp_path, measured)
    prior, predictor = train_prior(session).folder, train_predictor(session).folder
    with pytest.raises(ConfigError, match=r"set sampling\.sigma_max to at most"):
        train_adapter(session, prior, predictor)
    assert not list(tmp_path.rglob("adapter.safetensors"))


def test_what_to_try_is_nothing_that_the_process_refuses():
    choice = config.ProcessChoice()
    assert "process.base" in describe_residual(0.01, 0.1, choice)
    assert "process.base" not in describe_residual(0.01, 0.1, choice, own_base=True)
