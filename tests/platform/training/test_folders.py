"""What decides a training's content: an edit of a plugin is another training, of nothing that does not use it."""

import json
import sys

import pytest
import torch
from PIL import Image

from texprior import config
from texprior.config.schema import Training
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.runtime.identity import experiment_identity, foreign_components, pictures_digest
from texprior.runtime.session import Session
from texprior.store import save_tensors
from texprior.sweeps.records import TrialRecord
from texprior.sweeps.study import programs_of, study_name
from texprior.sweeps.trial import Trials
from texprior.training.folders import ADAPTER_PARTS, CHECKPOINT, PREDICTOR_PARTS, PRIOR_PARTS, Place, find_checkpoints

SOURCE = """
from texprior.plugin import Adapter, Degradation, Events, Metric, hookimpl

@hookimpl
def texprior_degradations():
    return [Degradation("darker", "{module}:Darker", summary="Halves.")]

@hookimpl
def texprior_adapters():
    return [Adapter("gate", "{module}:Gate", summary="Gates.")]

@hookimpl
def texprior_events():
    return [Events("bell", "{module}:Bell", summary="Rings.")]
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed plugin of somebody else's; its program, and a session of an experiment."""
    info, folder = tmp_path / "acme_dusk-1.2.dist-info", tmp_path / "acme_dusk"
    info.mkdir()
    folder.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-dusk\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[texprior]\nmain = acme_dusk\n")
    (folder / "__init__.py").write_text(SOURCE.format(module="acme_dusk.impl"))
    (folder / "impl.py").write_text("class Bell:\n    def __init__(self, options):\n        pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("acme_dusk", "acme_dusk.impl"):  # of another test
        monkeypatch.delitem(sys.modules, module, raising=False)
    registry = Registry.discover()

    def session(**more):
        return Session.start(config.resolve({"name": "x", "events": [], **more}, registry), registry, root=tmp_path)

    return folder / "impl.py", session


@pytest.mark.parametrize("degradation", ["darker", {"sequence": {"steps": ["darker", "noise_jpeg"]}}])
def test_an_edit_of_an_installed_package_is_another_training_of_what_uses_it(package, degradation):
    program, session = package
    using = session(degradation=degradation)
    before = foreign_components(using, PREDICTOR_PARTS)
    assert [tag.partition(" ")[0] for tag in before] == ["acme-dusk/darker==1.2"]
    assert foreign_components(using, ADAPTER_PARTS) == before
    program.write_text("class Darker: factor = 2\n")
    after = foreign_components(using, PREDICTOR_PARTS)
    assert after != before
    assert foreign_components(using) == after
    assert foreign_components(using, PRIOR_PARTS) == []
    assert foreign_components(session(degradation="noise_jpeg")) == []


def test_a_single_file_named_inside_another_component_counts(tmp_path):
    file = tmp_path / "dusk_idea.py"
    file.write_text(SOURCE.format(module="dusk_idea"))
    registry = Registry.discover([file])
    data = {"name": "x", "events": [], "degradation": {"sequence": {"steps": ["darker"]}}}
    (tag,) = foreign_components(Session.start(config.resolve(data, registry), registry, root=tmp_path), PREDICTOR_PARTS)
    version = registry.find("degradation", "darker").plugin.version
    assert tag == f"dusk-idea/darker=={version} (API 1)"


def test_what_watches_the_work_decides_nothing(package):
    _, session = package
    assert foreign_components(session(events=["bell"])) == []


def test_a_study_is_of_the_programs_that_its_trials_use(package):
    """Also of an adapter that only some trials have; texprior's own components are not named."""
    program, session = package
    plain = session(sweep={"space": {"adapter": ["cga", "sft"]}})
    assert programs_of(plain) == []
    searching = session(sweep={"space": {"adapter": ["cga", "gate"]}})
    before = programs_of(searching)
    name = study_name(searching.experiment, before)
    assert [tag.partition(" ")[0] for tag in before] == ["acme-dusk/gate==1.2"]
    program.write_text("class Gate: open = True\n")
    assert study_name(searching.experiment, programs_of(searching)) != name
    assert study_name(searching.experiment) not in (name, study_name(plain.experiment))


def test_what_a_training_goes_on_from(tmp_path):
    """Its own checkpoint; else the furthest that fits; another experiment's only of the same pictures, and alone."""
    settings = Training(budget={"images": 100}, batch=10)
    pictures = {"own/prior-T-50": "p", "own/prior-T-500": "p", "other/prior-T-100": "p", "stale/prior-T-100": "q"}
    seen = {"own/prior-T-50": 50, "own/prior-T-500": 200, "other/prior-T-100": 100, "stale/prior-T-100": 100}
    for name, images in seen.items():
        about = {"images_seen": images, "elapsed_s": images / 10, "pictures": pictures[name]}
        save_tensors(tmp_path / name / CHECKPOINT, {"x": torch.zeros(1)}, about)
    (tmp_path / "broken" / "prior-T-100").mkdir(parents=True)
    (tmp_path / "broken" / "prior-T-100" / CHECKPOINT).write_bytes(b"no tensors")
    folder = tmp_path / "own" / "prior-T-100"

    def found(more=settings, alone=True):
        return [
            path.parent.relative_to(tmp_path).as_posix()
            for path in find_checkpoints(Place("T", folder), more, "p", alone)
        ]

    assert found() == ["other/prior-T-100", "own/prior-T-50"]
    assert found(alone=False) == ["own/prior-T-50"]
    assert found(Training(budget={"images": 100, "seconds": 7}, batch=10)) == ["own/prior-T-50"]
    save_tensors(folder / CHECKPOINT, {"x": torch.zeros(1)}, {"images_seen": 20, "elapsed_s": 2})  # of --fresh
    assert found() == ["own/prior-T-100"]


def test_pictures_are_told_apart_by_what_they_show(tmp_path):
    registry = Registry.discover()
    folder = tmp_path / "pictures"
    folder.mkdir()

    def digest(level):
        Image.new("RGB", (64, 64), (level, 0, 0)).save(folder / "a.png")
        data = {"name": "x", "events": [], "data": {"train": {"folder": {"path": str(folder)}}}}
        return pictures_digest(Session.start(config.resolve(data, registry), registry, root=tmp_path))

    first = digest(10)
    assert digest(11) != first
    assert digest(10) == first


def test_what_workers_confirmed_is_known_whatever_their_threads(tmp_path):
    registry = Registry.discover()
    data = {"name": "x", "events": [], "sweep": {"space": {"adapter": ["cga"]}}}
    session = Session.start(config.resolve(data, registry), registry, root=tmp_path)
    worker = session.with_(experiment=session.experiment.model_copy(update={"threads": 1}))
    trial = TrialRecord(3, {"adapter": "cga"}, {}, "finished")
    there, here = (Trials(s, "study", tmp_path, tmp_path) for s in (worker, session))
    document = {"experiment": experiment_identity(there.experiment_of(trial, 7)), "values": {"psnr_rgb": 30.0}}
    path = there.folder(3) / "seed-7" / "values.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))
    assert here.known_values(trial, 7) == {"psnr_rgb": 30.0}
    other = session.with_(experiment=session.experiment.model_copy(update={"seed": 5, "adapter": Ref(name="sft")}))
    assert Trials(other, "study", tmp_path, tmp_path).known_values(trial, 8) is None
