"""Cross-fitting: the adapter learns from estimates of predictors that have not seen the photograph."""

import re
from functools import partial

import pytest
import torch

from texprior import config
from texprior.errors import ConfigError
from texprior.flow.image import CheckedPictures
from texprior.models.folders import ADAPTER, PREDICTOR, PRIOR, load_predictor, load_prior
from texprior.registry import Registry
from texprior.runtime.folds import Fold
from texprior.runtime.session import Session
from texprior.store import about_tensors, sha256
from texprior.training.adapter import adapter_place, train_adapter
from texprior.training.ahead import Ahead
from texprior.training.compute import flops_per_image
from texprior.training.cross_fit import fold_places, train_folds
from texprior.training.data import cached_guided_pool, own_guided_pool, pair_pool
from texprior.training.differences import explain_difference
from texprior.training.dry_run import measure_stage_two
from texprior.training.planned import Planned, planned_stage_two
from texprior.training.predictor import predictor_place, train_predictor
from texprior.training.preflight import require_adapters
from texprior.training.prior import train_prior

TRAINING = {"budget": {"images": 8}, "batch": 4, "patch": 32, "warmup_images": 0, "lr": 0.01}
SMALL = {"unet": {"width": 8, "levels": 2, "blocks": 1}}
SETTINGS = {
    "name": "folded",
    "events": [],
    "device": "cpu",
    "encoder": "none",
    "denoiser": SMALL,
    "predictor": SMALL,
    "data": {"train": {"bundled": {"max_side": 64}}, "variants": 2},
    "training": {"prior": TRAINING, "predictor": TRAINING, "adapter": TRAINING},
}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def session(registry, root):
    """session("PATH=VALUE", ...): a session of the small experiment; what it says is in ``session.said``."""
    said = []

    def start(*changes, root=root):
        experiment = config.resolve(SETTINGS, registry, changes)
        return Session(experiment, registry, root=root, say=said.append)

    start.said = said
    return start


@pytest.fixture
def folded(session):
    return session("training.folds=3")


def trained(session):
    prior, predictor = train_prior(session).folder, train_predictor(session).folder
    return prior, predictor, train_adapter(session, prior, predictor).folder


def test_each_estimate_is_of_the_predictor_that_has_not_seen_the_photograph(session, folded):
    prior, predictor, model = trained(folded)
    folds = [trained.folder for trained in train_folds(folded)]
    assert about_tensors(model / ADAPTER)["folds"] == [folder.name for folder in folds]
    assert f"| residuals | of predictors that had not seen the photograph: {folds[0].name}, " in (
        model / "README.md"
    ).read_text(encoding="utf-8")
    # pictures are restored with the predictor of all photographs
    assert (model / PREDICTOR).read_bytes() == (predictor / PREDICTOR).read_bytes()

    networks = [load_predictor(folder, folded.builder) for folder in (predictor, *folds)]
    pool = cached_guided_pool(folded, load_prior(prior, folded.builder), networks[0], folds=networks[1:])
    pairs, keys = pair_pool(folded, 32), folded.pictures("train").keys
    for number, name in enumerate(pool.keys):
        left_out = keys.index(name.partition("#")[0]) * 3 // len(keys)
        assert about_tensors(folds[left_out] / PREDICTOR)["without"] == f"fold {left_out + 1} of 3"
        with torch.no_grad():
            estimates = [network(pairs.prepare(name)["degraded"][None])[0].clamp(0, 1) for network in networks]
        close = [torch.allclose(pool[number]["estimate"], estimate, atol=1e-6) for estimate in estimates]
        assert [n for n, found in enumerate(close) if found] == [1 + left_out]


def test_a_predictor_of_a_fold_never_sees_it(folded, monkeypatch):
    """Counted at the data set, which trainings load their photographs from, and measures on the validation split."""
    keys, loaded = folded.pictures("train").keys, set()
    load = CheckedPictures.load
    monkeypatch.setattr(CheckedPictures, "load", lambda self, key: loaded.add(key) or load(self, key))
    for number in range(3):
        loaded.clear()
        train_predictor(folded.with_(fold=Fold(number, 3), fresh=True))
        assert loaded & set(keys) == {key for n, key in enumerate(keys) if n * 3 // len(keys) != number}


def test_folds_make_another_adapter_and_no_other_predictor(session, folded):
    plain = session()
    assert trained(plain)[1] == trained(folded)[1]
    assert trained(plain)[2] != trained(folded)[2]
    assert not {place.folder for place in fold_places(folded)} & {predictor_place(plain).folder}
    session.said.clear()
    again = trained(folded)[2]
    assert session.said[-1] == f"model: {again} is trained already"
    assert not any("without fold" in line for line in session.said)  # nobody asked for its predictors


def test_a_difference_of_folds_is_named(session, folded):
    """The closest stored model of this experiment differs in the folds alone."""
    prior, predictor, _ = trained(session())
    place = adapter_place(folded, sha256(prior / PRIOR), predictor)
    assert explain_difference(folded, place, "model").endswith(": training.folds: 1 -> 3")


def test_data_workers_prepare_the_same(session, folded):
    prior, predictor, _ = trained(folded)
    folds = [trained.folder.resolve() for trained in train_folds(folded)]
    make = partial(own_guided_pool, prior.resolve(), predictor.resolve(), False, folds)
    expected, helped = make(folded), session("training.folds=3", "data.workers=1")
    with Ahead() as ahead:
        pool = ahead.serve(make(helped), make, helped)
        assert ahead.workers == 1
        pool.expect([0, 2, 5])
        for number in (0, 2, 5):
            assert pool[number].keys() == expected[number].keys()
            assert all(torch.equal(pool[number][name], expected[number][name]) for name in expected[number])


def test_a_dry_run_counts_the_predictors_of_the_folds(session, tmp_path):
    folded = session("training.folds=3", root=tmp_path)
    rows = {row.stage: row.times for row in measure_stage_two(folded, None)}
    assert rows == {"predictor": 4, "adapter": 1}
    prior = Planned("prior", "trained here", None, 8)
    assert [(p.stage, p.state) for p in planned_stage_two(folded, prior)] == [
        *[("predictor", "trained here")] * 4,
        ("adapter", "trained here"),
    ]
    train_folds(folded)
    assert "training.folds: 3 more predictors, each trained without a part of the photographs" in session.said
    assert [p.state for p in planned_stage_two(folded, prior)].count("reused") == 3
    # the compute of an arm counts them too
    assert flops_per_image(folded)["predictor"] == 4 * flops_per_image(session(root=tmp_path))["predictor"]


def test_progress_says_which_fold_is_left_out(session, tmp_path):
    seen = set()
    folded = session("training.folds=2", root=tmp_path)
    train_folds(folded.with_(progress=lambda what, *_: seen.add(what)))
    assert {"predictor without fold 1 of 2", "predictor without fold 2 of 2"} <= seen


def test_what_the_prior_cannot_sample_is_refused_before_any_predictor(session):
    prior = train_prior(session()).folder
    for changes, sentence in (
        (["sampling.guidance=2", "sampling.guidance_from=code"], "diffusion.code_dropout above 0; train one"),
        (["sampling.condition_noise=0.1"], "sampling.condition_noise: 0.1 cannot be used"),
    ):
        with pytest.raises(ConfigError, match=re.escape(sentence)):
            require_adapters(session("training.folds=2", *changes), prior)


def test_what_a_sweep_searches_is_checked_by_its_values(session):
    prior = train_prior(session()).folder
    base = ["sampling.guidance=2", "sampling.guidance_from=condition"]
    # no trial has the value of the experiment
    require_adapters(session(*base, "sweep.space={sampling.guidance_from: [adapter]}"), prior)
    require_adapters(session(*base, "sweep.space={sampling.guidance: {low: 1, high: 2}}"), prior)
    searched = session("sampling.guidance=2", "sweep.space={sampling.guidance_from: [adapter, condition]}")
    with pytest.raises(ConfigError, match=re.escape("diffusion.condition_noise_max above 0")):
        require_adapters(searched, prior)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["predictor=identity"], "training.folds: predictor 'identity' has nothing to train"),
        (["training.folds=20"], "training.folds: 20 folds need as many photographs, but data.train has"),
    ],
)
def test_folds_that_cannot_be_are_refused_before_anything_is_trained(session, tmp_path, changes, sentence):
    wrong = session("training.folds=2", *changes, root=tmp_path)
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        require_adapters(wrong, None)
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        train_folds(wrong)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_may_have_seen_the_photographs_are_no_start(session):
    with pytest.raises(ConfigError, match=r"training\.folds: each fold's predictor must not have seen"):
        session("training.folds=2", "training.predictor.start_from=folder")
