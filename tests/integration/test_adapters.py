"""Every adapter, and every open point of the process, through the real line: trained, stored, loaded, restored."""

import pytest
import torch
import yaml

from texprior import config, pipeline
from texprior.diffusion.keys import generator, normal
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow.condition import blurred
from texprior.flow.decompose import decompose
from texprior.models.build import build_prior
from texprior.models.folders import ADAPTER, CARD, PRIOR, load_model, load_predictor, load_prior
from texprior.models.inputs import inputs_of
from texprior.models.sampling import noise_levels_of
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.runtime.builder import Builder
from texprior.runtime.session import Session
from texprior.runtime.shared_caches import SharedCaches
from texprior.store import load_tensors
from texprior.training.adapter import train_adapter
from texprior.training.data import texture_pool
from texprior.training.dry_run import measure_stage_two
from texprior.training.losses import LayerLoss
from texprior.training.patches import Patches
from texprior.training.predictor import train_predictor
from texprior.training.preflight import require_adapters
from texprior.training.prior import train_prior

TRAINING = {"budget": {"images": 8}, "batch": 4, "patch": 32, "warmup_images": 0, "lr": 0.01}
SMALL = {
    "name": "small",
    "threads": 1,
    "data": {n: {"bundled": {"max_side": 96}} for n in ("train", "val", "test")} | {"variants": 1},
    "denoiser": {"unet": {"width": 8, "blocks": 1, "levels": 2}},
    "predictor": {"unet": {"width": 8, "blocks": 1}},
    "training": {"prior": TRAINING, "predictor": TRAINING, "adapter": TRAINING},
    "metrics": ["psnr"],
    "events": [],
}
NAMES = ["cga", "sft", "film", "zero_conv", "spade", "controlnet", "t2i", "lora", "ia3", "bitfit", "full", "frozen"]
NAMES += ["scratch"]


def here(registry):
    """Where a folder is loaded: these components, on the CPU."""
    return Builder(config.resolve({"name": "here", "device": "cpu"}, registry), registry)


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def caches():
    return SharedCaches()


@pytest.fixture(scope="module")
def session(registry, root, caches):
    """session(*overrides): all of them share their folders and the prepared photographs."""

    def of(*overrides: str) -> Session:
        return Session.start(config.resolve(SMALL, registry, overrides), registry, root=root, caches=caches)

    return of


@pytest.fixture(scope="module")
def stages(session):
    """The folders of prior and predictor."""
    s = session()
    return train_prior(s).folder, train_predictor(s).folder


@pytest.fixture(scope="module")
def degraded():
    return torch.rand(1, 3, 41, 66, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
def test_the_line_with_every_adapter(name, session, stages, registry, degraded, monkeypatch):
    """Trained, stored and loaded it gives one picture to the bit; the prior's weights are what they were; features are
    computed once a picture, at 4 steps; its share is the one that is recorded.
    """
    prior_before = load_tensors(stages[0] / PRIOR)[0]
    folder = train_adapter(session(f"adapter={name}"), *stages).folder
    model, again = (load_model(folder, here(registry), stages[0]) for _ in range(2))
    calls = []
    features = model.adapter.features
    monkeypatch.setattr(model.adapter, "features", lambda y: (calls.append(1), features(y))[1])
    picture = pipeline.restore(model, degraded, "p").picture
    assert len(calls) == 1
    assert torch.equal(picture, pipeline.restore(again, degraded, "p").picture)
    after = model.prior.network.state_dict()
    assert after.keys() == prior_before.keys()
    assert all(torch.equal(after[key], tensor) for key, tensor in prior_before.items())
    without = pipeline.restore(model, degraded, "p", guided=False).picture
    assert torch.equal(picture, without) == (name == "frozen")
    about = load_tensors(folder / ADAPTER)[1]
    assert about["images_seen"] == (0 if name == "frozen" else 8)
    trainable = sum(t.numel() for t in load_tensors(folder / ADAPTER)[0].values())
    total = sum(p.numel() for p in after.values())
    card = (folder / CARD).read_text()
    assert f"| trainable parameters | {trainable:,}, {trainable / total:.2%} of the denoiser's |" in card


def test_an_adapter_without_parameters_is_finished_at_once(session, stages):
    s, said = session("adapter=frozen"), []
    first = train_adapter(s, *stages).folder
    assert not (first / "checkpoint.safetensors").exists()
    train_adapter(s.with_(say=said.append), *stages)
    assert "is trained already" in said[0]


def test_a_dry_run_says_the_share(session, stages):
    for name, expected in (("frozen", 0), ("full", 1)):
        measured = measure_stage_two(session(f"adapter={name}"), stages[0])[1]
        assert measured.share == expected
        assert (measured.images_per_s > 0) == (name == "full")
        assert (measured.expected_s > 0) == (name == "full")


@pytest.mark.parametrize(("adapter", "part"), [("cga", "norms"), ("lora", "last-block"), ("frozen", "norms")])
def test_what_is_unfrozen_is_stored_with_the_model(adapter, part, session, stages, registry, degraded):
    prior_before = load_tensors(stages[0] / PRIOR)[0]
    folder = train_adapter(session(f"adapter={adapter}", f"process.unfreeze={part}"), *stages).folder
    stored = load_tensors(folder / ADAPTER)[0]
    copies = {n.removeprefix("copies.").replace("/", "."): t for n, t in stored.items() if n.startswith("copies.")}
    assert copies
    assert all(not torch.equal(t, prior_before[path]) for path, t in copies.items())
    model = load_model(folder, here(registry), stages[0])
    plain = pipeline.restore(model, degraded, "p", guided=False).picture
    assert not torch.equal(pipeline.restore(model, degraded, "p").picture, plain)
    assert torch.equal(pipeline.restore(model, degraded, "p", guided=False).picture, plain)
    assert all(torch.equal(t, prior_before[n]) for n, t in model.prior.network.state_dict().items())


def test_what_cannot_work_is_said_before_anything_is_trained(session, stages):
    """By the experiment alone, with initial weights; also for what a sweep may choose."""
    with pytest.raises(ConfigError, match=r"process.unfreeze: the adapter trains all weights itself"):
        require_adapters(session("adapter=full", "process.unfreeze=norms"), None)
    without_code = ("encoder=none", "adapter={ia3: {activations: attention}}")
    with pytest.raises(ConfigError, match="ia3 of 'attention' at 'all': the denoiser declares no attention there"):
        require_adapters(session(*without_code), None)
    require_adapters(session("adapter={ia3: {activations: attention}}"), stages[0])  # this prior has attention
    with pytest.raises(ConfigError, match='encoder: the prior has "mobilenet_v2", the experiment "none"'):
        require_adapters(session(*without_code), stages[0])
    with pytest.raises(ConfigError, match="film needs a semantic code, and the encoder gives none"):
        require_adapters(session("encoder=none", "sweep.space={adapter: [cga, film]}"), None)
    require_adapters(session("encoder=none", "sweep.space={adapter: [cga, sft]}"), None)


@pytest.mark.parametrize("code", ["degraded", "estimate", "structure"])
def test_what_net_s_looks_at(code, session, stages, registry, degraded):
    s = session(f"process.code={code}")
    prior = load_prior(stages[0], s.builder)
    predictor = load_predictor(stages[1], s.builder)
    given = inputs_of(degraded, s.experiment, predictor, prior, prior.encoder)
    structure = decompose(given.estimate, prior.decomposition).structure
    picture = {"degraded": degraded, "estimate": given.estimate, "structure": structure}[code]
    assert torch.equal(given.code, prior.encoder(picture))


def test_a_prior_takes_the_disturbance_of_its_condition_along(session, stages, registry, degraded):
    """The prior was trained with blur and noise: every task on it has both, in training and in sampling, whatever its
    experiment says; the noise of a picture is a function of (seed, key).
    """
    disturbed = ("diffusion.condition_noise=0.25", "diffusion.condition_blur=1.5")
    prior = train_prior(session(*disturbed)).folder
    assert prior != stages[0]
    folder = train_adapter(session("process.concat=initial"), prior, stages[1]).folder
    model = load_model(folder, here(registry), prior)
    assert model.experiment.diffusion.condition_noise == 0.25
    given = inputs_of(degraded, model.experiment, model.predictor, model.prior, model.prior.encoder)
    assert torch.equal(given.condition, blurred(given.estimate, 1.5))

    seen = []
    model.prior.network.register_forward_pre_hook(lambda _module, args: seen.append(args[2]))
    first = pipeline.restore(model, degraded, "p", seed=5).picture
    expected = given.condition + 0.25 * normal(degraded.shape, 5, "condition", "p")
    assert len(seen) == 4
    assert all(torch.equal(condition, expected) for condition in seen)
    assert torch.equal(first, pipeline.restore(model, degraded, "p", seed=5).picture)


def loss_of_stage_one(s: Session, tmp_path, numbers):
    """Batch, noise and sigma of Stage I, and the pictures that its network was given and asked for."""
    prior = build_prior(s.builder, 0.1, tmp_path)
    dataset, keys = s.pictures("train")
    pool = texture_pool(dataset, keys, prior, 32, 64)
    levels = noise_levels_of(s.registry, s.experiment.diffusion, prior.process, 0.1)
    loss = LayerLoss(s.experiment, prior, Process(0.1), Patches(pool, 32, s.experiment.seed), False, levels)
    seen = []
    prior.network.register_forward_pre_hook(lambda _module, args: seen.append(args))
    loss.stage_one(numbers)
    return loss, loss.noised(numbers), seen[0]


def test_stage_one_with_a_share_of_the_texture_in_its_condition(session, tmp_path):
    """Given S + a T, noised (1 - a) T / scale; a is uniform below alpha_max, a function of (seed, sample number)."""
    numbers = [7, 40, 3]
    s = session("diffusion.alpha_max=0.6")
    loss, (batch, noise, sigma), (x, _, condition, _) = loss_of_stage_one(s, tmp_path, numbers)
    alphas = torch.stack([0.6 * torch.rand((1, 1, 1), generator=generator(0, "alpha", n)) for n in numbers])
    assert len(set(alphas.flatten().tolist())) == 3
    structure, texture = batch["structure"], batch["picture"] - batch["structure"]
    assert torch.allclose(condition, structure + alphas * texture, atol=1e-6)
    layer = (1 - alphas) * texture / 0.1
    level = sigma.view(-1, 1, 1, 1)
    assert torch.allclose(x, (layer + level * noise) / (level**2 + 1).sqrt(), atol=1e-5)
    assert torch.equal(loss.stage_one(numbers)[1:2], loss.stage_one([40]))


def test_stage_one_with_a_disturbed_condition(session, tmp_path):
    """Blurred on the whole photograph, then cut, then noised; the layer is what it was."""
    s, numbers = session("diffusion.condition_noise=0.2", "diffusion.condition_blur=2.0"), [5, 6]
    plain = loss_of_stage_one(session(), tmp_path, numbers)
    loss, (batch, _, _), (x, _, condition, _) = loss_of_stage_one(s, tmp_path, numbers)
    assert torch.equal(x, plain[2][0])
    expected = torch.cat([normal((1, 3, 32, 32), 0, "condition", n) for n in numbers])
    assert torch.allclose((condition - batch["blurred structure"]) / 0.2, expected, atol=1e-5)
    entry = loss.patches.pool[2]
    assert torch.equal(entry["blurred structure"], blurred(entry["structure"][None], 2.0)[0])


def test_a_stored_experiment_without_the_new_fields_is_read(trained_before, registry):
    """A model's file from before these options: it says what it always said."""
    experiment = config.resolve(trained_before, registry)
    assert (experiment.process.code, experiment.process.unfreeze) == ("degraded", "none")
    diffusion = experiment.diffusion
    assert (diffusion.condition_noise, diffusion.condition_blur, diffusion.alpha_max) == (0, 0, 0)
    assert experiment.adapter == Ref(name="cga", options={**trained_before["adapter"]["cga"], "position": "all"})


@pytest.fixture
def trained_before(repository):
    path = repository / "experiments" / "defocus" / "results" / "whole" / "config.yaml"
    data = yaml.safe_load(path.read_text())
    assert "unfreeze" not in data["process"]
    assert "condition_noise" not in data["diffusion"]
    return data
