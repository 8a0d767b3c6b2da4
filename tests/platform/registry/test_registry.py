"""Discovery, isolation and naming of plugins, with distributions written to a temporary folder."""

import os
import platform
import random
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from texprior.errors import PluginError
from texprior.plugin import KINDS, Degradation, Options, Ref, hookimpl
from texprior.registry import Registry, canonical

HOOK = """
from texprior.plugin import Degradation, hookimpl
@hookimpl
def texprior_degradations():
    return [Degradation({arguments})]
"""
RAIN = HOOK.format(arguments="'rain', '{module}:Rain'")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """install(distribution, module, source): a distribution as an installer leaves it."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(distribution, module, source, point="main"):
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[texprior]\n{point} = {module}\n")
        (tmp_path / f"{module}.py").write_text(source.replace("{module}", module))

    yield write
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def plugin(registry, name):
    return next(p for p in registry.plugins if p.distribution == name)


def test_the_first_party_plugins_are_discovered_as_a_third_partys_are():
    own = plugin(Registry.discover(), "texprior")
    assert (own.status, own.reason) == ("loaded", "")
    assert {"ddim", "heun", "sdpa"} <= {c.name for c in own.components}
    assert {c.kind for c in own.components} <= set(KINDS)


@pytest.mark.parametrize(
    "module", ["texprior.plugin", "texprior.registry", "texprior.config", "texprior.config.search_space"]
)
def test_listing_and_validating_import_nothing_heavy(module):
    code = (
        f"import sys, {module}; from texprior.registry import Registry; r = Registry.discover();"
        "assert r.entries('sampler');"
        "print([m for m in ('torch', 'numpy', 'mlflow', 'optuna', 'cv2', 'albumentations') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_third_party_distribution_is_found_with_its_version(install):
    install("Acme_Rain", "acme_rain_a", RAIN)
    found = plugin(Registry.discover(), "acme-rain")
    assert (found.status, found.version, [c.name for c in found.components]) == ("loaded", "1.2", ["rain"])


def test_two_distributions_may_share_an_entry_points_name(install):
    install("acme-one", "acme_one", HOOK.format(arguments="'one', 'acme_one:Impl'"), point="main")
    install("acme-two", "acme_two", HOOK.format(arguments="'two', 'acme_two:Impl'"), point="main")
    registry = Registry.discover()
    assert registry.find("degradation", "one").qualified == "acme-one/one"
    assert registry.find("degradation", "two").qualified == "acme-two/two"


@pytest.mark.parametrize(
    ("source", "status", "reason"),
    [
        (
            "import no_such_package_anywhere",
            "failed",
            "ModuleNotFoundError: No module named 'no_such_package_anywhere'",
        ),
        ("raise RuntimeError('boom')", "failed", "RuntimeError: boom"),
        ("import sys; sys.exit(3)", "failed", "SystemExit: 3"),
        ("def broken(:", "failed", "SyntaxError"),
        (
            RAIN.replace("texprior_degradations", "texprior_degradation"),
            "failed",
            "there is no hook texprior_degradation; did you mean 'texprior_degradations'?",
        ),
        (RAIN.replace("()", "(config)", 1), "failed", "Argument(s) {'config'}"),
        (
            "from texprior.plugin import Weights\nWeights('net', 'HASH', 'MIT', 'acme.example')",
            "failed",
            "weights 'net': tensors_sha256 must be 64 hexadecimal digits, not 'HASH'; texprior.weights.content_hash",
        ),
        (
            HOOK.format(arguments="'rain', 'm:Rain', api=99"),
            "incompatible",
            "'rain' is written for plugin API 99; this",
        ),
        (
            HOOK.format(arguments="'rain', 'm:Rain', api=0"),
            "incompatible",
            "'rain' is written for plugin API 0, which never was; write api=2 in its record",
        ),
        (HOOK.format(arguments="'rain', 'm:Rain', None, '', ('x',)"), "failed", "by position; write tags=('x',)"),
        (HOOK.format(arguments="'Big Rain', 'm:Rain'"), "failed", "'Big Rain' is not a valid component name"),
        (HOOK.format(arguments="'rain', 'm.Rain'"), "failed", "impl must be 'package.module:Class', not 'm.Rain'"),
        (HOOK.format(arguments="'rain', 'm:Rain', dict"), "failed", "options must be a class derived from"),
        (RAIN.replace("return [Degradation", "raise ValueError #"), "failed", "ValueError"),
        (RAIN.replace("return", "_ ="), "failed", "texprior_degradations must return a list of component records"),
        (RAIN.replace("texprior_degradations", "texprior_samplers"), "failed", "texprior_samplers must return Sampler"),
        (RAIN.replace("Rain')]", "Rain')] * 2"), "failed", "texprior_degradations returns two components named 'rain'"),
    ],
)
def test_a_plugin_that_does_not_load_says_why_and_the_others_work(install, source, status, reason):
    install("acme-bad", "acme_bad", source)
    install("acme-good", "acme_good", HOOK.format(arguments="'good', 'acme_good:Impl'"))
    registry = Registry.discover()
    bad = plugin(registry, "acme-bad")
    assert bad.status == status
    assert reason in bad.reason
    assert bad.components == ()
    assert plugin(registry, "texprior").status == plugin(registry, "acme-good").status == "loaded"
    with pytest.raises(PluginError) as caught:
        registry.find("degradation", "acme-bad/rain")
    assert f"plugin acme-bad is {status}: {bad.reason}" in str(caught.value)
    with pytest.raises(PluginError, match="note that plugin acme-bad is"):
        registry.find("degradation", "zzz")


def test_a_plugin_gives_all_of_its_components_or_none(install):
    good_then_bad = HOOK.format(arguments="'fine', 'm:Fine'") + "\n@hookimpl\ndef texprior_metrics():\n    1 / 0\n"
    install("acme-half", "acme_half", good_then_bad)
    half = plugin(Registry.discover(), "acme-half")
    assert (half.status, half.components) == ("failed", ())


def test_a_disabled_plugin_is_not_imported(install, monkeypatch):
    install("Acme.Rain", "acme_off", "raise SystemExit('imported')")
    monkeypatch.setenv("TEXPRIOR_DISABLE", " other, acme_rain ,")
    off = plugin(Registry.discover(), "acme-rain")
    assert (off.status, off.reason) == ("disabled", "disabled by TEXPRIOR_DISABLE")
    assert "acme_off" not in sys.modules


def test_a_damaged_distribution_stops_nothing(install, tmp_path):
    for name, points in (("no_name", "[texprior]\nmain = x\n"), ("garbled", "[texprior]\nno equals sign\n")):
        (tmp_path / f"{name}-1.0.dist-info").mkdir()
        (tmp_path / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(points)
    assert plugin(Registry.discover(), "texprior").status == "loaded"


def test_one_name_from_two_plugins_is_an_error_only_where_the_bare_name_is_used(install):
    install("acme-rain", "acme_rain_x", RAIN)
    install("beta-rain", "beta_rain_x", RAIN)
    registry = Registry([p for p in Registry.discover().plugins if p.distribution != "texprior"])
    with pytest.raises(PluginError, match=r"several plugins; name one of: acme-rain/rain, beta-rain/rain$"):
        registry.find("degradation", "rain")
    assert registry.find("degradation", "beta-rain/rain").plugin.distribution == "beta-rain"
    assert registry.find("degradation", "Beta_Rain/rain").plugin.distribution == "beta-rain"


def test_a_misspelt_name_gets_a_suggestion_and_an_unknown_one_the_list():
    registry = Registry.discover()
    with pytest.raises(PluginError, match=r"there is no sampler 'dimm'; did you mean 'ddim'\?$"):
        registry.find("sampler", "dimm")
    with pytest.raises(PluginError, match=r"there is no sampler 'zzz'; known are: ddim, .*heun"):
        registry.find("sampler", "zzz")
    with pytest.raises(PluginError, match="known are: none"):
        Registry().find("sampler", "ddim")


ONE_FILE = (
    RAIN
    + """
class Rain:
    def __init__(self, options, **context):
        self.context = context
"""
)


def test_a_file_is_a_plugin_whose_version_is_its_content(install, tmp_path):
    file = tmp_path / "my_idea.py"
    file.write_text(ONE_FILE.replace("{module}", "my_idea"))
    registry = Registry.discover([file])
    first = plugin(registry, "my-idea").version
    assert first.startswith("sha256-")
    rain = registry.build("degradation", Ref.model_validate("my-idea/rain"), size=3)
    assert rain.context == {"size": 3}
    file.write_text(file.read_text() + "\n# changed\n")
    assert registry.register(file).version != first
    assert [p.distribution for p in registry.plugins].count("my-idea") == 1


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("random.py", RAIN, "would hide the module 'random'"),
        ("wave.py", RAIN, "would hide the module 'wave'"),
        ("my-idea.py", RAIN, "named like a Python module"),
        ("my_idea.txt", RAIN, "named like a Python module"),
        ("my_broken_idea.py", "1 / 0", "plugin my-broken-idea failed: ZeroDivisionError"),
    ],
)
def test_a_file_that_does_not_load_is_refused_and_leaves_no_trace(tmp_path, name, content, reason):
    (tmp_path / name).write_text(content)
    registry, before = Registry(), dict(sys.modules)
    with pytest.raises(PluginError, match=reason):
        registry.register(tmp_path / name)
    assert registry.plugins == []
    assert sys.modules["random"] is before["random"]
    assert "my_broken_idea" not in sys.modules
    with pytest.raises(PluginError, match="there is no such file"):
        registry.register(tmp_path / "missing.py")


def notebook(name="notebook_plugin", **records):
    module = types.ModuleType(name)
    module.texprior_degradations = hookimpl(lambda: [Degradation(n, i) for n, i in records.items()])
    return module


def test_a_module_can_be_registered_again_but_never_replaces_a_distribution():
    registry = Registry()
    registry.register(notebook(rain="m:Rain"))
    registry.register(notebook(snow="m:Snow"))
    assert [e.qualified for e in registry.entries()] == ["notebook-plugin/snow"]
    installed = Registry.discover()
    with pytest.raises(PluginError, match="texprior is installed under this name"):
        installed.register(notebook("texprior", rain="m:Rain"))
    assert installed.find("sampler", "ddim")


def test_building_leaves_the_global_random_numbers_alone_and_depends_on_the_seed_alone(install, tmp_path):
    source = """
import random, numpy as np, torch
torch.manual_seed(5); np.random.seed(5); random.seed(5)
class Impl:
    def __init__(self, options):
        self.numbers = (torch.rand(1).item(), np.random.rand(), random.random())
"""
    (tmp_path / "drawing_impl.py").write_text(source)
    install("acme-draws", "acme_draws", HOOK.format(arguments="'draws', 'drawing_impl:Impl'"))
    registry, ref = Registry.discover(), Ref.model_validate("draws")
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    expected = (torch.rand(1).item(), np.random.rand(), random.random())
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    first = registry.build("degradation", ref, seed=1).numbers
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == expected
    assert registry.build("degradation", ref, seed=1).numbers == first
    assert registry.build("degradation", ref, seed=2).numbers != first


def test_an_implementation_that_cannot_be_imported_names_its_plugin():
    registry = Registry()
    registry.register(notebook(rain="no_such_module_x:Rain", snow="texprior.errors:Snow"))
    with pytest.raises(
        PluginError, match=r"'notebook-plugin/rain' cannot be loaded from no_such_module_x:Rain: Module"
    ):
        registry.build("degradation", Ref.model_validate("rain"))
    with pytest.raises(PluginError, match=r"'notebook-plugin/snow' cannot be loaded .* no attribute 'Snow'"):
        registry.build("degradation", Ref.model_validate("snow"))
    assert type(registry.options_of("degradation", Ref.model_validate("rain"))) is Options


def test_distribution_names_are_normalised():
    assert canonical(" Acme__Rain.x ") == "acme-rain-x"


def test_the_top_folders_do_not_shadow_the_standard_library(request):
    root = request.config.rootpath
    assert not (root / "platform" / "__init__.py").exists()
    assert not (root / "plugins" / "__init__.py").exists()
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.system())"],
        cwd=root, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == platform.system()


def test_an_observer_that_does_not_exist_is_called_one():
    with pytest.raises(PluginError, match=r"there is no observer of runs \(kind events\) 'jsonl'; known are: mlflow"):
        Registry.discover().find("events", "jsonl")


@pytest.mark.skipif(
    torch.cuda.is_available() or torch.backends.mps.is_available(), reason="other generators are seeded too"
)
def test_building_formats_no_stack_trace(monkeypatch):
    """torch.manual_seed does at each call, which costs more than building a sampler."""
    monkeypatch.setattr(torch, "manual_seed", lambda _seed: pytest.fail("torch.manual_seed was called"))
    Registry.discover().build("sampler", Ref(name="ddim"))
