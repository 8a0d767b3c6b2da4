"""The line as a whole, small but real: train a prior, a predictor and an adapter on photographs, then restore."""

from types import SimpleNamespace

import pytest
import torch
import yaml

from texprior import config, pipeline
from texprior.errors import ConfigError
from texprior.evaluation.evaluate import evaluate
from texprior.evaluation.run import judged_experiment
from texprior.flow.degrade import degraded_sample
from texprior.flow.image import Sample
from texprior.models.build import require_grid
from texprior.models.folders import load_model, load_prior
from texprior.models.inputs import inputs_of
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.runtime.builder import Builder
from texprior.runtime.session import Session
from texprior.store import load_tensors
from texprior.training.adapter import train_adapter
from texprior.training.predictor import train_predictor
from texprior.training.prior import prior_place, train_prior

SMALL = {
    "name": "small",
    "threads": 1,
    "data": {"train": "bundled", "val": "bundled", "test": "bundled", "variants": 1},
    "denoiser": {"unet": {"width": 8, "blocks": 1}},
    "predictor": {"unet": {"width": 8, "blocks": 1}},
    "training": {
        "prior": {"budget": {"images": 96}, "batch": 8, "patch": 32, "warmup_images": 0},
        "predictor": {"budget": {"images": 96}, "batch": 8, "patch": 32, "warmup_images": 0},
        "adapter": {"budget": {"images": 96}, "batch": 8, "patch": 32, "warmup_images": 0},
    },
    "process": {"base": "estimate-structure"},
    "metrics": ["psnr", "texture_ratio"],
    "events": [],
}


PLUGIN = """
from texprior.plugin import Decomposition, hookimpl

@hookimpl
def texprior_decompositions():
    return [Decomposition("half", "half_way:Half")]

class Half:
    def __init__(self, options): pass
    def __call__(self, image): return {factor} * image, (1 - {factor}) * image
"""


def here(registry):
    """Where a folder is loaded: these components, on the CPU."""
    return Builder(config.resolve({"name": "here", "device": "cpu"}, registry), registry)


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def session(registry, root, *overrides) -> Session:
    data = {**SMALL, "data": {n: {"bundled": {"max_side": 128}} for n in ("train", "val", "test")} | {"variants": 1}}
    return Session.start(config.resolve(data, registry, overrides), registry, root=root)


@pytest.fixture(scope="module")
def trained(registry, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    s = session(registry, root)
    prior, predictor = train_prior(s).folder, train_predictor(s).folder
    model = train_adapter(s, prior, predictor).folder
    return s, prior, predictor, model


@pytest.fixture(scope="module")
def model(trained, registry):
    return load_model(trained[3], here(registry))


@pytest.fixture(scope="module")
def degraded():
    return torch.rand(1, 3, 75, 102, generator=torch.Generator().manual_seed(0))


def restored(model, degraded, **changes):
    sampling = model.experiment.sampling.model_copy(update=changes)
    return pipeline.restore(model, degraded, "picture", sampling)


def test_folders_hold_yaml_safetensors_and_a_card(trained):
    _, prior, predictor, model = trained
    common = {"config.yaml", "checkpoint.safetensors", "held_out.json"}
    assert {p.name for p in prior.iterdir()} == common | {"prior.safetensors", "README.md"}
    assert {p.name for p in predictor.iterdir()} == common | {"predictor.safetensors"}
    assert {p.name for p in model.iterdir()} == common | {"predictor.safetensors", "adapter.safetensors", "README.md"}
    card = (model / "README.md").read_text()
    assert "@inproceedings{ye2024dtpm" in card
    assert "cga" in card


def test_the_stored_experiment_is_enough_to_run_it_again(trained, registry, tmp_path):
    """Same file, another folder: the same weights to the bit."""
    stored = yaml.safe_load((trained[1] / "config.yaml").read_text())
    again = train_prior(Session.start(config.resolve(stored, registry), registry, root=tmp_path))
    assert again.folder.name == trained[1].name
    assert load_prior(again.folder, here(registry)).sha256 == load_prior(trained[1], here(registry)).sha256


def test_a_larger_budget_goes_on_from_the_smaller_one(trained, registry, tmp_path):
    """... and equals the larger budget trained at once."""
    at_once = train_prior(session(registry, tmp_path, "training.prior.budget.images=160")).folder
    said = []
    s = session(registry, trained[0].root, "training.prior.budget.images=160").with_(say=said.append)
    in_two = train_prior(s).folder
    assert "continuing from" in said[0]
    a, b = (load_prior(f, here(registry)).network.state_dict() for f in (at_once, in_two))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_an_experiment_of_another_name_takes_what_another_has_trained(trained, registry):
    """... into a folder of its own: the same weights, and nothing to look for elsewhere."""
    said = []
    s = session(registry, trained[0].root, "name=other").with_(say=said.append)
    prior = train_prior(s).folder
    assert f"continuing from {trained[1] / 'checkpoint.safetensors'} at 96 images" in said[0]
    assert (prior.parent.name, prior.name) == ("other", trained[1].name)
    assert load_prior(prior, here(registry)).sha256 == load_prior(trained[1], here(registry)).sha256


def test_a_finished_training_is_not_done_again(trained):
    said = []
    assert train_prior(trained[0].with_(say=said.append)).folder == trained[1]
    assert "is trained already" in said[0]


def test_the_prior_is_untouched_by_stage_two(trained, registry, model):
    fresh = load_prior(trained[1], here(registry)).network.state_dict()
    assert all(torch.equal(t, fresh[n]) for n, t in model.prior.network.state_dict().items())


def test_a_model_on_another_prior_is_refused(trained, registry, tmp_path):
    other = train_prior(session(registry, tmp_path, "seed=1", "training.prior.budget.images=8")).folder
    with pytest.raises(ConfigError, match=r"was trained on the prior with sha256 .* name the right one with --prior"):
        load_model(trained[3], here(registry), other)


def test_a_broken_folder_is_a_sentence(trained, registry, tmp_path):
    with pytest.raises(ConfigError, match="there is no such folder"):
        load_model(tmp_path / "nothing", here(registry))
    with pytest.raises(ConfigError, match="this is no model folder, or it is not finished"):
        load_model(trained[1], here(registry))
    (tmp_path / "config.yaml").write_bytes((trained[1] / "config.yaml").read_bytes())
    (tmp_path / "prior.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_prior(tmp_path, here(registry))


def test_texture_strength_zero_is_the_base(model, degraded):
    result = restored(model, degraded, texture_strength=0.0)
    assert torch.equal(result.picture, result.base.clamp(0, 1))


def test_the_picture_is_base_plus_scaled_layer(model, degraded):
    result = restored(model, degraded)
    expected = (result.base + model.process.scale * result.layer).clamp(0, 1)
    assert torch.allclose(result.picture, expected, atol=1e-7)


def test_noise_depends_on_the_key_and_the_seed_only(model, degraded):
    sampling = model.experiment.sampling
    same = [pipeline.restore(model, degraded, "a", sampling, 1).picture for _ in range(2)]
    assert torch.equal(*same)
    assert not torch.equal(same[0], pipeline.restore(model, degraded, "b", sampling, 1).picture)
    assert not torch.equal(same[0], pipeline.restore(model, degraded, "a", sampling, 2).picture)


def test_the_mean_of_samples_and_their_spread(model, degraded, monkeypatch):
    sampled = []
    sample = pipeline.sample
    monkeypatch.setattr(pipeline, "sample", lambda *a: (sampled.append(sample(*a)), sampled[-1].clone())[1])
    result = restored(model, degraded, samples=3)
    assert result.calls == 12
    # one call of the sampler takes several samples
    layers = torch.cat(sampled)[:, None] * model.process.scale
    assert torch.allclose(result.picture, (result.base + layers.mean(0)).clamp(0, 1), atol=1e-6)
    assert torch.allclose(result.spread, layers.std(0, correction=1), atol=1e-6)
    assert not restored(model, degraded).spread.any()


def test_tiles_equal_the_whole_frame(model):
    """The network sees no further than its halo here, so that the tiled picture is the whole one."""
    degraded = torch.rand(1, 3, 150, 210, generator=torch.Generator().manual_seed(0))
    inputs = inputs_of(degraded, model.experiment, model.predictor, model.prior, model.prior.encoder)
    whole = model.experiment.sampling.model_copy(update={"tile": 512})
    tiled = whole.model_copy(update={"tile": 64, "halo": 64})
    a, b = (pipeline.restore(model, degraded, "p", s, 0, inputs).picture for s in (whole, tiled))
    assert (a - b).abs().max() < 1e-4


@pytest.mark.parametrize("start", ["noise", "estimate"])
@pytest.mark.parametrize("sampler", ["ddim", "heun"])
def test_declared_calls_are_made(model, degraded, sampler, start, monkeypatch):
    calls = []
    forward = model.prior.network.forward
    monkeypatch.setattr(model.prior.network, "forward", lambda *a, **k: (calls.append(1), forward(*a, **k))[1])
    result = restored(model, degraded, sampler=Ref(name=sampler), start=start)
    assert len(calls) == result.calls == (4 if sampler == "ddim" else 7)


def test_features_that_do_not_fit_are_computed_at_every_call(model, monkeypatch):
    """Four tiles: with room for all, four computations; with room for none, four more at each of the 2 calls."""
    degraded = torch.rand(1, 3, 120, 120, generator=torch.Generator().manual_seed(0))
    calls, pictures = [], []
    features = model.adapter.features
    monkeypatch.setattr(model.adapter, "features", lambda y: (calls.append(1), features(y))[1])
    for room, expected in ((2048, 4), (0, 1 + 2 * 4)):
        calls.clear()
        pictures.append(restored(model, degraded, steps=2, tile=64, halo=16, features_mb=room).picture)
        assert len(calls) == expected
    assert torch.equal(*pictures)


def test_features_are_computed_once_per_picture(model, degraded, monkeypatch):
    calls = []
    features = model.adapter.features
    monkeypatch.setattr(model.adapter, "features", lambda y: (calls.append(1), features(y))[1])
    restored(model, degraded, steps=10)
    assert len(calls) == 1


def test_evaluation_scores_every_method_and_control(trained, registry, model):
    data = {"limit": 2, "steps": [1, 2], "texture_strengths": [0.5, 1.0], "controls": True}
    data["choose_by"] = "psnr_rgb"
    s = trained[0].with_(experiment=trained[0].experiment.model_copy(update={"evaluation": config.Evaluation(**data)}))
    result = evaluate(s, model)
    assert result.scores.methods() == [
        "degraded", "predictor", "restored 1 calls w 0.5", "restored 1 calls w 1", "restored 2 calls w 0.5",
        "restored 2 calls w 1", "control adapter off 2 calls", "control foreign code 2 calls",
        "control foreign estimate 2 calls",
        "restored 1 calls w chosen", "restored 2 calls w chosen",
    ]  # fmt: skip
    assert {s.metric for s in result.scores.scores} == {"psnr_rgb", "texture_ratio_gauss2"}
    assert all(len(result.scores.of(m, "psnr_rgb")) == 2 for m in result.scores.methods())
    assert list(result.sheet[0]) == ["degraded", "predictor", "restored", "reference", "texture layer"]


@pytest.mark.parametrize(("bits", "whole"), [(8, True), (None, False)])
def test_an_evaluation_rounds_degraded_pictures_as_the_experiment_says(trained, model, bits, whole):
    own, kept = trained[0].experiment, []
    data = own.data.model_copy(update={"degraded_bits": bits})
    one = own.model_copy(update={"data": data, "evaluation": config.Evaluation(limit=1)})
    evaluate(trained[0].with_(experiment=one), model, lambda _number, _key, versions: kept.append(versions["degraded"]))
    steps = kept[0].double() * 255
    assert bool((steps - steps.round()).abs().max() < 1e-4) is whole


def test_another_training_seed_is_judged_on_equal_pictures(trained, model):
    """Degraded pictures and noise are keyed by the evaluation's seed, not the training's."""

    def psnr(experiment: config.Experiment) -> dict[str, float]:
        choice = config.Evaluation(limit=1, seed=experiment.evaluation.seed)
        scores = evaluate(
            trained[0].with_(experiment=experiment.model_copy(update={"evaluation": choice})), model
        ).scores
        return {method: row["psnr_rgb"] for method, row in scores.means().items()}

    own = trained[0].experiment
    assert psnr(own) == psnr(own.model_copy(update={"seed": 7}))
    other = psnr(own.model_copy(update={"evaluation": config.Evaluation(seed=7)}))
    assert all(other[method] != score for method, score in psnr(own).items())


def test_a_run_records_the_model_that_it_judged(trained, model):
    """Judged by an experiment that names another adapter and predictor, the run says what the model has."""
    changed = {"adapter": Ref(name="sft"), "metrics": [Ref(name="psnr")], "seed": 9}
    judging = trained[0].experiment.model_copy(update=changed)
    recorded = judged_experiment(judging, model.experiment)
    assert (recorded.adapter, recorded.seed) == (model.experiment.adapter, model.experiment.seed)
    assert [ref.name for ref in recorded.metrics] == ["psnr"]


def test_training_and_test_pictures_do_not_overlap(registry, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    from texprior.flow.image import save_image

    save_image(torch.rand(3, 64, 64), folder / "a.png")
    ref = f"{{folder: {{path: {folder}}}}}"
    s = session(registry, tmp_path, f"data.train={ref}", f"data.test={ref}")
    with pytest.raises(ConfigError, match=r"data.test: shares 1 picture with data.train, such as a.png"):
        s.pictures("test")


def test_a_time_limit_does_not_pass_for_the_whole_budget(registry, tmp_path):
    limits = [f"training.prior.{c}" for c in ("budget.images=64", "budget.seconds=0.001")]
    stopped = train_prior(session(registry, tmp_path, *limits)).folder
    assert load_tensors(stopped / "prior.safetensors")[1]["images_seen"] == 8
    said = []
    train_prior(session(registry, tmp_path, *limits).with_(say=said.append))
    assert "is trained already" in said[0]
    said.clear()
    whole = train_prior(session(registry, tmp_path, limits[0]).with_(say=said.append)).folder
    assert f"continuing from {stopped / 'checkpoint.safetensors'} at 8 images" in said[0]
    assert load_tensors(whole / "prior.safetensors")[1]["images_seen"] == 64
    assert load_tensors(stopped / "prior.safetensors")[1]["images_seen"] == 8  # what stands on it still finds it
    longer = [limits[0], "training.prior.budget.seconds=0.002"]  # the unlimited one has had more time than that
    assert load_tensors(train_prior(session(registry, tmp_path, *longer)).folder / "prior.safetensors")[1][
        "images_seen"
    ] in (8, 16)


def test_a_model_records_the_prior_that_it_stands_on(trained, registry, tmp_path):
    """The experiment names another decomposition; the model says what its prior has."""
    s = session(registry, tmp_path, "decomposition=l0", "training.adapter.budget.images=8")
    model = train_adapter(s, trained[1], trained[2]).folder
    stored = yaml.safe_load((model / "config.yaml").read_text())
    assert stored["decomposition"] == {"guided": {"radius": 8, "eps": 0.01}}


@pytest.mark.parametrize("what", ["predictor", "denoiser"])
def test_tiles_lie_on_the_grid_of_every_network(model, what):
    """A grid of 96 px divides no tile of 512 px."""
    settings = model.experiment.sampling
    require_grid(settings, model.prior.network, model.predictor)
    coarse = SimpleNamespace(stride=96, grid=lambda: 96)
    networks = (model.prior.network, coarse) if what == "predictor" else (coarse, model.predictor)
    sentence = f"sampling.tile: 512 px is no multiple of the {what}'s grid, 96 px"
    with pytest.raises(ConfigError, match=sentence):
        require_grid(settings, *networks)


def test_degraded_pictures_come_from_one_place(model):
    clean = torch.rand(3, 32, 32)
    degradation = lambda image, _rng: image  # noqa: E731
    with pytest.raises(ConfigError, match=r"picture 'a' is a clean picture only, and none is named; .*on them"):
        degraded_sample(Sample("a", clean), None, 0)
    with pytest.raises(
        ConfigError, match=r"picture 'a' is a pair, and a degradation is named too; pairs need 'degradation: null'"
    ):
        degraded_sample(Sample("a", clean, clean), degradation, 0)


def test_an_edited_plugin_file_is_another_training(registry, tmp_path):
    names = []
    for factor in (0.5, 0.9):
        (tmp_path / "half_way.py").write_text(PLUGIN.format(factor=factor))
        with_file = Registry.discover([tmp_path / "half_way.py"])
        s = session(with_file, tmp_path, "decomposition=half", "training.prior.budget.images=8")
        names.append(prior_place(s).folder.name)
    assert names[0] != names[1]


@pytest.mark.parametrize("changes", [{"coarse_from": "estimate"}, {"start": "estimate"}])
def test_a_foreign_estimate_reaches_the_adapter_alone(model, degraded, changes):
    """Without the adapter it changes nothing: a coarse part and a warm start are of the picture's own estimate."""
    settings = model.experiment.sampling.model_copy(update={"steps": 2, **changes})
    own = inputs_of(degraded, model.experiment, model.predictor, model.prior, model.prior.encoder)
    foreign = own._replace(shown=own.estimate.flip(-1))
    off, on = (
        [pipeline.restore(model, degraded, "x", settings, 0, given, guided).picture for given in (own, foreign)]
        for guided in (False, True)
    )
    assert torch.equal(*off)
    assert not torch.equal(*on)
