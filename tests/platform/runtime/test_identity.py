"""What decides which work is the same work: an edit of a plugin is other work, of nothing that does not use it."""

import pytest
from PIL import Image

from texprior import config
from texprior.demo import experiment
from texprior.registry import Registry
from texprior.runtime.identity import experiment_identity, foreign_components, pictures_digest, stored_identity
from texprior.runtime.program import program_digest
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
    assert [tag.rpartition(" ")[0] for tag in before] == ["degradation acme-dusk/darker"]
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
    assert tag == f"degradation dusk-idea/darker {program_digest(registry.find('degradation', 'darker'))}"


def test_an_upgrade_that_changes_no_used_program_is_the_same_training(package):
    """Another version number, and another module of the package, which nothing that is used imports."""
    program, session = package
    first = foreign_components(session(degradation="darker"), PREDICTOR_PARTS)
    metadata = program.parents[1] / "acme_dusk-1.2.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.2", "1.3"))
    (program.parent / "jsonl.py").write_text("class Logger: pass\n")
    registry = Registry.discover()
    (plugin,) = [p for p in registry.plugins if p.distribution == "acme-dusk"]
    assert plugin.version == "1.3"
    upgraded = config.resolve({"name": "x", "events": [], "degradation": "darker"}, registry)
    assert foreign_components(Session(upgraded, registry), PREDICTOR_PARTS) == first


def test_what_watches_the_work_decides_nothing(package):
    _, session = package
    assert foreign_components(session(events=["bell"])) == []


def test_the_names_of_stored_trainings_do_not_change(tmp_path):
    """Those of the quick demo at the first release; another name would leave what users have trained behind."""
    registry = Registry.discover()
    demo = experiment(registry, quick=True)
    first = {"data.degraded_bits": None, "degradation.defocus.linear": False}
    release = config.with_overrides(demo, first, registry).model_copy(update={"sweep": demo.sweep})
    session = Session(release, registry, root=tmp_path)
    places = prior_place(session), predictor_place(session)
    assert [place.folder.name for place in places] == ["prior-0bd91c2b9a-640", "predictor-d929b39577-640"]
    assert [place.digest for place in places] == ["0bd91c2b9a", "d929b39577"]
    assert study_name(session.experiment) == "demo-quick-bfe1bf0fc8-lpips_alex"


@pytest.mark.parametrize("setting", [{}, {"data.degraded_bits": None}, {"degradation.defocus.linear": False}])
def test_an_experiment_that_is_read_back_is_the_same_work(tmp_path, setting):
    """Also with a setting, or an option of a component, at the value that earlier versions worked with."""
    registry = Registry.discover()
    written = config.with_overrides(experiment(registry, quick=True), setting, registry)
    (tmp_path / "config.yaml").write_text(written.to_yaml(), encoding="utf-8")
    assert stored_identity(tmp_path / "config.yaml", registry) == experiment_identity(written)


@pytest.mark.parametrize("setting", [{"data.degraded_bits": None}, {"degradation.defocus.linear": False}])
def test_rounded_inputs_and_a_blur_of_light_are_other_work(tmp_path, setting):
    """Of the predictor, not of the prior, which sees no degraded picture."""
    registry = Registry.discover()
    new = experiment(registry, quick=True)
    old = config.with_overrides(new, setting, registry)
    sessions = [Session(e, registry, root=tmp_path) for e in (new, old)]
    assert len({predictor_place(s).digest for s in sessions}) == 2
    assert len({prior_place(s).digest for s in sessions}) == 1


def test_rounding_is_no_other_work_if_the_degraded_pictures_are_files():
    data = {"name": "x", "degradation": None}
    rounded, not_rounded = (
        config.resolve(data | {"data": {"degraded_bits": bits}}, Registry.discover()) for bits in (8, None)
    )
    assert rounded.hash(*PREDICTOR_PARTS) == not_rounded.hash(*PREDICTOR_PARTS)
    assert experiment_identity(rounded) == experiment_identity(not_rounded)


@pytest.mark.parametrize("chosen", [[], ["mirror"], ["dihedral", "cutblur"], ["dihedral", "dihedral"]])
def test_other_augmentations_are_other_trainings(tmp_path, chosen):
    """Of the prior and of the predictor; the default leaves all names as they were."""
    registry = Registry.discover()
    new = experiment(registry, quick=True)
    old = config.with_overrides(new, {"data.augmentations": chosen}, registry)
    sessions = [Session(e, registry, root=tmp_path) for e in (new, old)]
    assert len({predictor_place(s).digest for s in sessions}) == 2
    assert len({prior_place(s).digest for s in sessions}) == 2
    assert experiment_identity(new) != experiment_identity(old)


def test_the_program_of_an_augmentation_is_part_of_every_training(tmp_path):
    file = tmp_path / "dusk_patches.py"
    file.write_text(
        "from texprior.plugin import Augmentation, hookimpl\n"
        "class Darker:\n    pass\n"
        "@hookimpl\ndef texprior_augmentations():\n"
        "    return [Augmentation('darker', 'dusk_patches:Darker', api=2)]\n"
    )
    registry = Registry.discover([file])
    data = {"name": "x", "events": [], "data": {"augmentations": ["dihedral", "darker"]}}
    session = Session.start(config.resolve(data, registry), registry, root=tmp_path)
    for parts in (PRIOR_PARTS, PREDICTOR_PARTS, ADAPTER_PARTS):
        (tag,) = foreign_components(session, parts)
        assert tag.startswith("augmentation dusk-patches/darker ")


def test_the_augmentations_of_stored_experiments_are_the_default():
    registry = Registry.discover()
    stored, new = (config.resolve({"name": "x"}, registry, stored=stored) for stored in (True, False))
    assert [ref.name for ref in stored.data.augmentations] == ["dihedral"]
    assert stored.data.augmentations == new.data.augmentations
    assert "augmentations" not in experiment_identity(new)["data"]


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
