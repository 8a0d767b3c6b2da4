"""Why a training is not a stored one: what differs from the stored one that is most like it."""

import json
import sys
import types

import pytest
import torch

from texprior import config
from texprior.models.folders import save_model, save_predictor, save_prior
from texprior.plugin import Degradation, hookimpl
from texprior.registry import Registry
from texprior.runtime.identity import start_digest
from texprior.runtime.session import Session
from texprior.store import about_tensors, sha256
from texprior.training.differences import explain_difference, program_record, report_start
from texprior.training.folders import ADAPTER_PARTS, PREDICTOR_PARTS, PRIOR_PARTS, training_place
from texprior.training.predictor import predictor_place
from texprior.training.prior import prior_place

WEIGHTS = {"x": torch.zeros(1)}


@pytest.fixture
def session(tmp_path):
    def start(**more):
        return Session(
            config.resolve({"name": "x", "events": [], **more}, Registry.discover()), Registry.discover()
        ).with_(root=tmp_path)

    return start


def stored(session):
    """Writes the prior of an experiment as a training does; returns the name of its folder."""
    place = prior_place(session)
    save_prior(place.folder, session.experiment, WEIGHTS, program_record(session, PRIOR_PARTS), "")
    return place.folder.name


def why(session):
    return explain_difference(session, prior_place(session), "prior")


def test_without_another_training_there_is_nothing_to_say(session):
    assert why(session()) == ""
    stored(session())
    assert why(session()) == ""
    assert why(session(sampling={"steps": 8}, training={"adapter": {"lr": 0.1}})) == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"decomposition": {"guided": {"eps": 0.5}}}, "decomposition.guided.eps: 0.01 -> 0.5"),
        ({"decomposition": "gaussian"}, "decomposition: guided -> gaussian"),
        ({"training": {"prior": {"lr": 0.5}}}, "training.prior.lr: 0.001 -> 0.5"),
        # the same steps, but not as many of them
        ({"training": {"prior": {"budget": {"images": 9}}}}, "training.prior.budget.images: 20000 -> 9"),
        ({"match_texture_std": 0.02}, "match_texture_std: null -> 0.02"),
        ({"data": {"patches_per_photograph": 2}}, "data.patches_per_photograph: 1 -> 2"),
    ],
)
def test_settings_are_said_with_their_values_then_and_now(session, more, said):
    name = stored(session())
    assert why(session(**more)) == f"it differs from {name}: {said}"


def test_other_weights_to_start_from_are_said_wherever_they_are(session, tmp_path):
    for name in ("a", "moved", "b"):
        save_predictor(tmp_path / name, session().experiment, {"x": torch.full((1,), float(name == "b"))}, {})

    def start(name, **more):
        return session(training={"prior": {"start_from": str(tmp_path / name)}}, **more)

    place = prior_place(start("a"))
    save_prior(place.folder, start("a").experiment, WEIGHTS, {"start_from": start_digest(str(tmp_path / "a"))}, "")
    assert why(start("moved", seed=1)).endswith(": seed: 0 -> 1")
    assert why(start("b")).endswith(": training.prior.start_from: other weights")
    assert why(session()).endswith(": training.prior.start_from: other weights")


def test_at_most_three_settings_are_named(session):
    stored(session())
    text = why(session(seed=1, encoder="none", diffusion={"noise_mean": 0, "noise_std": 1, "code_dropout": 0.5}))
    assert text.endswith("encoder: mobilenet_v2 -> none; seed: 0 -> 1; diffusion.noise_mean: -0.5 -> 0.0; 2 more")


def test_the_most_similar_training_is_compared(session):
    stored(session(seed=3, encoder="none"))
    name = stored(session(seed=1))
    stored(session(seed=4, encoder="none"))
    assert why(session(seed=2)) == f"it differs from {name}: seed: 1 -> 2"


def test_another_list_of_pictures_is_said(session, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    data = {"data": {"train": {"folder": {"path": str(pictures)}}}}
    (pictures / "a.png").touch()
    name = stored(session(**data))
    (pictures / "b.png").touch()
    assert why(session(**data)) == f"it differs from {name}: data: other training pictures"


def test_another_program_is_said_in_the_next_process(package):
    program, session = package
    using = session(degradation="darker")
    place = predictor_place(using)
    record = program_record(using, PREDICTOR_PARTS)
    save_predictor(place.folder, using.experiment, WEIGHTS, record)
    assert list(about_tensors(place.folder / "predictor.safetensors")) == ["programs"]
    program.write_text("class Darker: factor = 2\n")
    text = explain_difference(using, predictor_place(using), "predictor")
    assert text == f"it differs from {place.folder.name}: the program of degradation acme-dusk/darker changed"


def test_programs_that_were_not_recorded_are_not_blamed_on_the_pictures(package):
    program, session = package
    using = session(degradation="darker")
    place = predictor_place(using)
    save_predictor(place.folder, using.experiment, WEIGHTS, {})
    program.write_text("class Darker: factor = 2\n")
    text = explain_difference(using, predictor_place(using), "predictor")
    assert text.endswith(": the programs of its plugins, which an earlier version did not record")


def test_weights_of_texpriors_own_components_record_no_program(session):
    """Their file would have another hash, which names what is trained on them."""
    assert program_record(session(), PREDICTOR_PARTS) == {}


def test_another_prior_and_predictor_are_said(session, tmp_path):
    using = session()
    save_predictor(tmp_path / "predictor", using.experiment, WEIGHTS, {})
    digest = sha256(tmp_path / "predictor" / "predictor.safetensors")
    settings = using.experiment.training.adapter

    def place(*parents):
        return training_place(using, "model", ADAPTER_PARTS, settings, [*parents, "data"])

    then = place("a" * 64, digest)
    save_model(then.folder, using.experiment, WEIGHTS, tmp_path / "predictor", {"prior_sha256": "a" * 64}, "")
    assert explain_difference(using, then, "model") == ""
    text = explain_difference(using, place("b" * 64, "c" * 64), "model")
    assert text.endswith(f": another prior: sha256 {'a' * 16}... -> {'b' * 16}...; another predictor")


def test_a_sweep_does_not_say_what_its_trials_differ_in(session):
    """Another program is said there too: nobody meant it."""
    stored(session())
    said = []
    other = session(seed=1).with_(say=said.append)
    report_start(other.with_(parent_run="a"), "prior", prior_place(other))
    assert said == []
    report_start(other, "prior", prior_place(other))
    assert said == [f"prior: this training is new; {why(other)}"]


def test_a_component_made_in_memory_is_reported_once(tmp_path, monkeypatch):
    module = types.ModuleType("memory_idea")
    module.texprior_degradations = hookimpl(lambda: [Degradation("dim", "memory_idea:Dim")])
    monkeypatch.setitem(sys.modules, "memory_idea", module)
    registry = Registry.discover()
    registry.register(module)
    said = []
    resolved = config.resolve({"name": "x", "events": [], "degradation": "dim"}, registry)
    using = Session(resolved, registry, root=tmp_path, say=said.append)
    for _ in range(2):
        report_start(using, "predictor", predictor_place(using))
    (sentence,) = said
    assert sentence.startswith("degradation 'memory-idea/dim' was made in memory, so its program is unknown")
    assert json.dumps(program_record(using, PRIOR_PARTS)) == "{}"
