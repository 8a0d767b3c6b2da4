"""What decides which work is the same work: an edit of a plugin is other work, of nothing that does not use it."""

import sys
from dataclasses import replace

import pytest
from PIL import Image

from texprior import config
from texprior.demo import experiment
from texprior.registry import Registry
from texprior.runtime.identity import foreign_components, pictures_digest, program_digest
from texprior.runtime.session import Session
from texprior.sweeps.study import study_name
from texprior.training.folders import ADAPTER_PARTS, PREDICTOR_PARTS, PRIOR_PARTS
from texprior.training.predictor import predictor_place
from texprior.training.prior import prior_place


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


def test_a_single_file_named_inside_another_component_counts(tmp_path, plugin_source):
    file = tmp_path / "dusk_idea.py"
    file.write_text(plugin_source.format(module="dusk_idea"))
    registry = Registry.discover([file])
    data = {"name": "x", "events": [], "degradation": {"sequence": {"steps": ["darker"]}}}
    (tag,) = foreign_components(Session.start(config.resolve(data, registry), registry, root=tmp_path), PREDICTOR_PARTS)
    version = registry.find("degradation", "darker").plugin.version
    assert tag == f"dusk-idea/darker=={version} (API 1)"


def test_what_watches_the_work_decides_nothing(package):
    _, session = package
    assert foreign_components(session(events=["bell"])) == []


def test_the_names_of_stored_trainings_do_not_change(tmp_path):
    """Those of the quick demo at the first release; another name would leave what users have trained behind."""
    session = Session(experiment(Registry.discover(), quick=True), Registry.discover(), root=tmp_path)
    places = prior_place(session), predictor_place(session)
    assert [place.folder.name for place in places] == ["prior-0bd91c2b9a-640", "predictor-d929b39577-640"]
    assert [place.digest for place in places] == ["0bd91c2b9a", "d929b39577"]
    assert study_name(session.experiment) == "demo-quick-bfe1bf0fc8-lpips_alex"


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


def test_an_installed_filter_is_known_by_the_files_it_lies_among(tmp_path, monkeypatch):
    registry = Registry.discover()
    entry = registry.find("decomposition", "tv")
    assert program_digest(entry) == program_digest(registry.find("decomposition", "gaussian"))
    package = tmp_path / "acme_filters"
    package.mkdir()
    for name in ("__init__", "tv", "solver"):
        (package / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    theirs = replace(entry, component=replace(entry.component, impl="acme_filters.tv:Tv"))
    before = program_digest(theirs)
    (package / "solver.py").write_text("# edited")
    assert program_digest(theirs) not in (before, program_digest(entry))
    assert "acme_filters.tv" not in sys.modules
    assert program_digest(replace(entry, component=replace(entry.component, impl="acme_lost.tv:Tv"))) == ""
