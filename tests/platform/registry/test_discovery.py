"""What a distribution says of itself beside its code: requirements, marks, damage; and files for other processes."""

import hashlib
import sys
import types

import pytest

from texprior.errors import ConfigError
from texprior.plugin import Degradation, hookimpl, records
from texprior.registry import Registry

RAIN = """
from texprior.plugin import Degradation, hookimpl
@hookimpl
def texprior_degradations():
    return [Degradation("rain", "{module}:Rain")]
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """install(distribution, module, source, ...): a distribution as an installer leaves it."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(distribution, module, source, requires=(), points=("main",)):
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n{needs}")
        (info / "entry_points.txt").write_text("[texprior]\n" + "".join(f"{p} = {module}\n" for p in points))
        (tmp_path / f"{module}.py").write_text(source.replace("{module}", module))

    yield write
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def plugin(name):
    return next(p for p in Registry.discover().plugins if p.distribution == name)


@pytest.mark.parametrize(
    ("requires", "status", "reason"),
    [
        ("texprior>=99", "incompatible", "it requires 'texprior>=99', and this is texprior 0.1.0"),
        ("Texprior (<0.1)", "incompatible", "it requires 'Texprior (<0.1)', and this is texprior 0.1.0"),
        ("texprior>=0.1", "loaded", ""),
        ("texprior", "loaded", ""),
        ("texprior-more>=99", "loaded", ""),
        ("texprior>=99; python_version < '3'", "loaded", ""),
        ("texprior>=99; extra == 'tests'", "loaded", ""),
    ],
)
def test_a_plugin_for_another_texprior_is_incompatible_before_it_is_imported(install, requires, status, reason):
    install("acme-new", "acme_new", RAIN, requires=["numpy", requires])
    found = plugin("acme-new")
    assert (found.status, found.reason) == (status, reason)
    assert ("acme_new" in sys.modules) == (status == "loaded")


def test_two_entry_points_of_one_module_are_one_plugin(install):
    install("acme-twice", "acme_twice", RAIN, points=("one", "two"))
    assert [c.name for c in plugin("acme-twice").components] == ["rain"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (RAIN.replace("@hookimpl\n", ""), "texprior_degradations is not marked as a hook; write @hookimpl above it"),
        ("x = 1", "it implements no hook; a hook is a function such as texprior_degradations"),
        (RAIN.replace("{module}:Rain", "a b:Rain"), "'rain': impl must be 'package.module:Class', not 'a b:Rain'"),
        (RAIN.replace("{module}:Rain", "acme:Rain:x"), "impl must be 'package.module:Class', not 'acme:Rain:x'"),
    ],
)
def test_what_would_be_passed_over_in_silence_is_a_failure(install, source, reason):
    install("acme-silent", "acme_silent", source)
    found = plugin("acme-silent")
    assert (found.status, found.components) == ("failed", ())
    assert reason in found.reason


def test_damaged_metadata_of_a_plugin_are_reported_by_the_folder(tmp_path, monkeypatch):
    info = tmp_path / "acme_hurt-3.4.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[texprior]\nmain = acme_hurt\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = plugin("acme-hurt")
    assert (found.version, found.status) == ("3.4", "failed")
    assert found.reason.startswith("its metadata cannot be read")


def test_a_plugin_that_states_no_api_was_written_for_the_first_one(install, monkeypatch):
    """So it works with a later texprior, until that no longer accepts the first API."""
    install("acme-old", "acme_old", RAIN)
    old = plugin("acme-old")
    assert [(c.name, c.api) for c in old.components] == [("rain", 1)]
    assert old.warning == ""
    monkeypatch.setattr(records, "LOWEST_API", 2)
    old = plugin("acme-old")
    assert (old.status, old.components) == ("incompatible", ())
    assert old.reason.startswith(
        "'rain' is written for plugin API 1; this texprior has 2 to 2: install a newer version"
    )


def test_a_plugin_of_a_later_api_is_incompatible_even_if_it_uses_fields_that_are_not_known(install):
    install("acme-later", "acme_later", RAIN.replace('Rain")', 'Rain", api=3, tiled=True)'))
    later = plugin("acme-later")
    assert (later.status, later.components) == ("incompatible", ())
    assert later.reason.endswith(
        "API 3; this texprior has 1 to 2: install a newer texprior, or an older version of the plugin"
    )


OLD = """
from texprior.plugin import Degradation, Metric, hookimpl
@hookimpl
def texprior_degradations():
    return [Degradation("dim", "{module}:Dim", tags=("deterministic",)), Degradation("rain", "{module}:Rain")]
@hookimpl
def texprior_metrics():
    return [Metric("m", "{module}:M")]
"""


def test_records_of_the_first_api_are_translated_with_one_warning_for_the_plugin(install):
    install("acme-old", "acme_old", OLD)
    old = plugin("acme-old")
    assert [getattr(c, "deterministic", None) for c in old.components] == [True, False, None]
    assert (old.status, old.reason, old.components[2].better) == ("loaded", "", "higher")
    assert old.warning == (
        "plugin acme-old uses plugin API 1, which still works; write api=2 and in degradation/dim deterministic=True "
        "instead of the tag 'deterministic'; in metric/m better= (not said, so 'higher' is assumed)"
    )


def test_only_the_old_plugins_that_an_experiment_uses_are_named(install):
    from texprior.config import resolve

    install("acme-old", "acme_old", OLD)
    registry = Registry.discover()
    (old,) = [p for p in registry.plugins if p.warning]
    assert registry.warnings_of(resolve({"name": "x"}, registry)) == []
    assert registry.warnings_of(resolve({"name": "x", "degradation": "dim", "metrics": ["m"]}, registry)) == [
        old.warning
    ]


def test_a_failed_plugin_that_is_required_gives_its_reason(install):
    from texprior.config import resolve

    install("acme-bad", "acme_bad", "raise RuntimeError('boom')")
    registry = Registry.discover()
    with pytest.raises(ConfigError, match=r"requires_plugins.0: plugin 'acme-bad' is failed: RuntimeError: boom$"):
        resolve({"name": "x", "requires_plugins": ["acme-bad>=1"]}, registry)


def test_other_processes_are_given_the_files(tmp_path):
    file = tmp_path / "my_file_idea.py"
    file.write_text(RAIN.replace("{module}", "my_file_idea"))
    registry = Registry.discover([file])
    assert registry.files == [str(file)]
    (of_file,) = [p for p in registry.plugins if p.file]
    assert of_file.version == f"sha256-{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}"
    in_memory = types.ModuleType("in_memory")
    in_memory.texprior_degradations = hookimpl(lambda: [Degradation("x", "x:X")])
    registry.register(in_memory)
    assert registry.files == [str(file)]
    again = Registry()
    again.register(sys.modules.pop("my_file_idea"))
    assert (again.files, again.plugins[0].version) == ([str(file)], of_file.version)


def test_a_packages_hash_covers_all_of_its_files(install, tmp_path):
    folder = tmp_path / "acme_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(RAIN.replace("{module}", "acme_package.rain"))
    (folder / "rain.py").write_text("Rain = 1\n")
    import importlib

    module = importlib.import_module("acme_package")
    registry = Registry()
    first = registry.register(module).version
    (folder / "rain.py").write_text("Rain = 2\n")
    assert registry.register(module).version != first
    assert registry.files == []
