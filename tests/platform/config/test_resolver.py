"""An experiment's file: what it may say, how it is composed, and the sentences where it is wrong."""

import re
import types
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import Field

from texprior.config import Experiment, component_paths, get_path, load, merge, parse_override, resolve, with_overrides
from texprior.errors import ConfigError
from texprior.plugin import HOOK_OF_KIND, Options, Tune, hookimpl
from texprior.registry import Plugin, Registry


class Wide(Options):
    width: Annotated[int, Field(ge=1, le=64), Tune()] = 32
    rate: Annotated[float, Field(gt=0, le=1), Tune(0.01, 1.0, log=True)] = 0.1
    mode: Annotated[Literal["add", "scale"], Tune()] = "add"


NAMES = {
    "degradation": ["defocus", "rain"],
    "decomposition": ["guided", "l0"],
    "encoder": ["mobilenet_v2"],
    "denoiser": ["unet"],
    "predictor": ["unet"],
    "adapter": ["cga", "sft"],
    "sampler": ["ddim", "heun"],
    "metric": ["psnr", "ssim", "lpips_alex", "niqe", "texture_ratio"],
    "dataset": ["bundled", "folder"],
    "attention": ["sdpa"],
    "events": ["mlflow"],
}


@pytest.fixture(scope="module")
def registry():
    """Components of the default names, without their implementations; adapters have options."""
    module = types.ModuleType("stand_in")
    for kind, names in NAMES.items():
        hook, record = HOOK_OF_KIND[kind]
        options = Wide if kind == "adapter" else Options
        records = [record(name, "nowhere:Impl", options) for name in names]
        setattr(module, hook, hookimpl(lambda records=records: records, specname=hook))
    found = Registry()
    found.register(module)
    return found


@pytest.fixture
def write(tmp_path):
    def to_file(text, name="e.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return to_file


@pytest.fixture
def complaint(write, registry):
    """The message about a file's text, with the folder left out."""

    def message(text, *overrides):
        path = write(text)
        with pytest.raises(ConfigError) as caught:
            load(path, registry, overrides)
        assert caught.value.exit_code == 2
        assert "Traceback" not in str(caught.value)
        return str(caught.value).replace(str(path.parent) + "/", "")

    return message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\nsampling:\n  stepz: 3", "e.yaml:3: sampling.stepz: unknown key; did you mean 'steps'?"),
        ("name: x\n\nadaptor: cga", "e.yaml:3: adaptor: unknown key; did you mean 'adapter'?"),
        ("name: x\nadapter:\n  cga:\n    widht: 3",
         "e.yaml:4: adapter.cga.widht: unknown key; did you mean 'width'?"),
        ("name: x\nsampling: {steps: many}",
         "e.yaml:2: sampling.steps: input should be a valid integer, unable to parse string as an integer "
         "(got 'many')"),
        ("name: x\nsampling: 3",
         "e.yaml:2: sampling: input should be a valid dictionary or instance of Sampling (got 3)"),
        ("name: x\nsampling:\n  steps: 0",
         "e.yaml:3: sampling.steps: input should be greater than or equal to 1 (got 0)"),
        ("name: x\nadapter:\n  cga: {width: 65}",
         "e.yaml:3: adapter.cga.width: input should be less than or equal to 64 (got 65)"),
        ("name: x\nsampling: {schedule: linear}",
         "e.yaml:2: sampling.schedule: input should be 'karras', 'exponential', 'ddpm-linear', 'cosine' or "
         "'training-quantiles' (got 'linear')"),
        ("name: x\nsampling: {sigma_max: .inf}",
         "e.yaml:2: sampling.sigma_max: input should be a finite number (got inf)"),
        ("name: x\ndiffusion: {noise_mean: .nan}",
         "e.yaml:2: diffusion.noise_mean: input should be a finite number (got nan)"),
        ("seed: 1", "e.yaml: name: this key is required"),
        ("name: x\nadapter: cgaa", "e.yaml:2: adapter: there is no adapter 'cgaa'; did you mean 'cga'?"),
        ("name: x\nmetrics:\n  - psnr\n  - psnrr",
         "e.yaml:4: metrics.1: there is no metric 'psnrr'; did you mean 'psnr'?"),
        ("name: x\nadapter: {cga: {}, sft: {}}",
         "e.yaml:2: adapter: expected a component's name, or one name with its options: {name: {option: value}} "
         "(got {'cga': {}, 'sft': {}})"),
        ("name: x\n1: 2", "e.yaml:2: 1: keys should be strings (got 1)"),
        ("name: x\nseed: 1\nseed: 2", "e.yaml:3: seed: this key was already given at e.yaml:2"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line_its_path_and_a_suggestion(complaint, text, expected):
    assert complaint(text) == expected


def test_a_rule_between_two_keys_is_told_at_their_section(complaint):
    said = complaint("name: x\nsampling: {sigma_min: 30}")
    assert said.startswith("e.yaml:2: sampling: sigma_min 30.0 must be smaller than sigma_max 20.0")
    said = complaint("name: x\nsampling: {schedule: ddpm-linear, sigma_max: 200}")
    assert "sampling: sigma_max 200.0 is beyond the ddpm-linear schedule, which ends at 157.4" in said
    said = complaint("name: x\ntraining:\n  prior: {microbatch: 3}")
    assert said.startswith("e.yaml:3: training.prior: microbatch 3 does not divide batch 16")


def test_everything_that_is_wrong_is_told_at_once(complaint):
    said = complaint("name: x\nsampling: {steps: 0, stepz: 1}\nseed: a").splitlines()
    assert [line.split(": ")[1] for line in said] == ["seed", "sampling.steps", "sampling.stepz"]
    assert len(complaint("name: x\nadapter: nope\nencoder: nope").splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "e.yaml: an experiment is a mapping of keys to values, such as 'name: defocus'"),
        ("# nothing", "e.yaml: an experiment is a mapping"),
        ("- a\n- b", "e.yaml: an experiment is a mapping"),
        ("just words", "e.yaml: an experiment is a mapping"),
        ("name: [", "e.yaml: line 1: "),
        ("name: x\n\tseed: 1", "e.yaml: line 2: found character '\\t' that cannot start any token"),
        ("name: x\nseed: 2024-13-45", "e.yaml: line 2: 2024-13-45: month must be in 1..12"),
        ("name: x\nmetrics: [psnr, !!int abc]", "e.yaml: line 2: abc: invalid literal for int()"),
        ("name: &a [*a]", "e.yaml: the file is nested too deeply, or an anchor contains itself"),
        ("name: " + "[" * 5000, "e.yaml: the file is nested too deeply, or an anchor contains itself"),
        ("name: \0", "e.yaml: "),
        ("extends: e.yaml\nname: x", "e.yaml: the files of 'extends' form a circle: e.yaml -> e.yaml"),
        ("extends: 3\nname: x", "e.yaml:1: extends: expected a file or a list of files (got 3)"),
        ("name: x\nextends:", "e.yaml:2: extends: expected a file or a list of files (got None)"),
        ("extends: none.yaml\nname: x", "none.yaml: there is no such experiment file"),
    ],
)
def test_a_file_that_is_no_experiment_gives_a_sentence(complaint, text, expected):
    assert complaint(text).startswith(expected)


def test_a_path_that_cannot_be_read_gives_a_sentence(tmp_path, registry):
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    for name, reason in (("none.yaml", "there is no such"), (".", "cannot be read"), ("latin.yaml", "cannot be read")):
        with pytest.raises(ConfigError, match=reason):
            load(tmp_path / name, registry)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!!python/object/new:os.mkdir"])
def test_tags_run_no_code(complaint, tmp_path, tag):
    target = tmp_path / "made"
    said = complaint(f"name: x\nseed: {tag} ['{target}']")
    assert said.startswith("e.yaml: line 2: could not determine a constructor for the tag")
    with pytest.raises(ConfigError, match=r"the value is not valid YAML .*could not determine a constructor"):
        parse_override(f"seed={tag} ['{target}']")
    assert not target.exists()


def test_a_file_extends_others_and_says_where_things_came_from(write, registry, complaint):
    write("name: base\nseed: 1\nadapter: {cga: {width: 8, rate: 0.5}}\nsampling: {steps: 9, rho: 5}", "base.yaml")
    write("seed: 2\nsampling: {steps: 3}\nmetrics: [psnr]", "sub/other.yaml")
    path = write("extends: [base.yaml, sub/other.yaml]\nname: x\nadapter: {cga: {width: 16}}")
    e = load(path, registry)
    assert (e.name, e.seed, e.sampling.steps, e.sampling.rho) == ("x", 2, 3, 5.0)
    assert e.adapter.options == {"width": 16, "rate": 0.5, "mode": "add"}
    assert [m.name for m in e.metrics] == ["psnr"]
    write("name: base\nsampling:\n  steps: -1", "bad.yaml")
    assert complaint("extends: bad.yaml").startswith("bad.yaml:3: sampling.steps: ")


def test_a_circle_of_files_is_told(write, complaint):
    write("extends: e.yaml", "b.yaml")
    assert complaint("extends: b.yaml") == "e.yaml: the files of 'extends' form a circle: e.yaml -> b.yaml -> e.yaml"


@pytest.mark.parametrize(
    ("below", "over", "expected"),
    [
        ({"cga": {"width": 8}}, {"cga": {"rate": 1}}, {"cga": {"width": 8, "rate": 1}}),
        ({"cga": {"width": 8}}, "cga", {"cga": {"width": 8}}),
        ({"cga": {"width": 8}}, "sft", {"sft": {}}),
        ({"cga": {"width": 8}}, {"sft": {"rate": 1}}, {"sft": {"rate": 1}}),
        ("cga", {"cga": {"width": 8}}, {"cga": {"width": 8}}),
    ],
)
def test_a_component_of_another_name_replaces_and_of_the_same_name_merges(below, over, expected):
    assert merge({"adapter": below}, {"adapter": over}, component_paths()) == {"adapter": expected}
    nested = merge({"data": {"train": below}}, {"data": {"train": over}}, component_paths())
    assert nested == {"data": {"train": expected}}


def test_merging_changes_neither_side():
    below, over = {"sampling": {"steps": 1}}, {"sampling": {"rho": 2}}
    assert merge(below, over, component_paths()) == {"sampling": {"steps": 1, "rho": 2}}
    assert (below, over) == ({"sampling": {"steps": 1}}, {"sampling": {"rho": 2}})


def test_overrides_follow_the_files_grammar(write, registry, complaint):
    path = write("name: x\nadapter: {cga: {width: 8}}\ndegradation: rain")
    e = load(path, registry, ["adapter.cga.rate=0.5", "sampling.steps=7", "metrics=[psnr]", "degradation=null"])
    assert e.adapter.options == {"width": 8, "rate": 0.5, "mode": "add"}
    assert (e.sampling.steps, [m.name for m in e.metrics], e.degradation) == (7, ["psnr"], None)
    e = load(path, registry, ["adapter=sft", "adapter.sft.width=3", "training.prior.lr=1e-4"])
    assert (e.adapter.name, e.adapter.options["width"], e.training.prior.lr) == ("sft", 3, 1e-4)
    assert e.training.prior.budget == Experiment(name="x").training.prior.budget
    said = complaint("name: x\nsampling: {steps: 2}", "sampling.steps=0")
    assert said.startswith("--set sampling.steps=0: sampling.steps: input should be greater than or equal to 1")


@pytest.mark.parametrize("text", ["sampling.steps", "=3", "a=[", "", "seed=2024-13-45"])
def test_an_override_of_another_form_gives_a_sentence(text):
    with pytest.raises(ConfigError, match=f"^--set {text.replace('[', '.')}: ") as caught:
        parse_override(text)
    assert caught.value.exit_code == 2


def test_an_override_is_read_as_yaml():
    assert parse_override("a.b=3") == ("a.b", 3)
    assert parse_override("a=x=y") == ("a", "x=y")
    assert parse_override("a={b: [1, two]}") == ("a", {"b": [1, "two"]})
    assert parse_override("a=") == ("a", None)


def test_the_resolved_file_is_enough_to_run_it_again(write, registry):
    text = "name: x\nadapter: {cga: {width: 8}}\nsweep: {space: {adapter: [cga, sft], training.adapter.lr: [0.1, 0.2]}}"
    e = load(write(text), registry, ["sampling.steps=2"])
    again = load(write(e.to_yaml(), "resolved.yaml"), registry)
    assert again == e
    assert again.hash() == e.hash()
    assert again.to_yaml() == e.to_yaml()
    written = yaml.safe_load(e.to_yaml())
    assert written["adapter"] == {"cga": {"width": 8, "rate": 0.1, "mode": "add"}}
    assert {f"adapter.{a}.{o}" for a in ("cga", "sft") for o in ("width", "rate", "mode")} < set(e.sweep.space)


def test_the_hash_follows_the_content_and_only_the_named_parts(registry):
    e, same = resolve({"name": "x"}, registry), resolve({"sampling": {"steps": 4}, "name": "x"}, registry)
    other = with_overrides(e, {"sampling.steps": 5}, registry)
    assert e.hash() == same.hash() != other.hash()
    assert e.hash("data", "training.prior") == other.hash("data", "training.prior")
    assert e.hash("sampling") != other.hash("sampling")
    assert len(e.hash()) == 10
    assert int(e.hash(), 16) >= 0


def test_a_trials_values_are_set_by_path(registry):
    e = with_overrides(resolve({"name": "x"}, registry), {"adapter": "sft", "adapter.sft.width": 5}, registry)
    assert (e.adapter.name, e.adapter.options["width"]) == ("sft", 5)
    assert get_path(e.model_dump(mode="json"), "adapter.sft.width") == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acme-rain>=0.1", "plugin 'acme-rain' is not loaded; pip install 'acme-rain>=0.1'"),
        ("not a name", "'not a name' is not a valid requirement; write it as 'acme-rain>=0.1'"),
        ("stand-in>=1", "plugin 'stand-in' is unversioned, but 'stand-in>=1' is required"),
        ("acme-snow>=1.3", "plugin 'acme-snow' is 1.2, but 'acme-snow>=1.3' is required"),
    ],
)
def test_a_required_plugin_that_is_missing_is_told(write, registry, text, expected):
    with_snow = Registry([*registry.plugins, Plugin("acme-snow", "1.2", "loaded")])
    path = write(f"name: x\nrequires_plugins:\n  - {text}")
    with pytest.raises(ConfigError) as caught:
        load(path, with_snow)
    assert str(caught.value) == f"{path}:3: requires_plugins.0: {expected}"


@pytest.mark.parametrize("text", ["Stand_In", "acme.snow>=1.2,<2"])
def test_a_required_plugin_that_is_there_is_fine(registry, text):
    with_snow = Registry([*registry.plugins, Plugin("acme-snow", "1.2", "loaded")])
    assert resolve({"name": "x", "requires_plugins": [text]}, with_snow).requires_plugins == [text]


def test_experiments_are_frozen(registry):
    e = resolve({"name": "x"}, registry)
    with pytest.raises(ValueError, match="frozen"):
        e.seed = 3


@pytest.mark.parametrize("name", ["Range", "Ref", "a[1]"])
def test_an_arm_keeps_its_name_in_an_error_even_if_it_looks_like_a_type(registry, tmp_path, name):
    file = tmp_path / "x.yaml"
    file.write_text(f"name: x\nablation:\n  arms:\n    {name}: 3\n")
    with pytest.raises(ConfigError, match=rf"x\.yaml:4: ablation\.arms\.{re.escape(name)}: "):
        load(file, registry)
