"""``texprior plugins``, with plugins that work and that do not."""

import sys

import pytest
import yaml

PLUGIN = '''
from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Degradation, Options, Tune, hookimpl


class HazeOptions(Options):
    """Options."""

    density: Annotated[float, Field(ge=0, le=1, description="how dense"), Tune(0.01, 0.3, log=True)] = 0.05
    colour: Annotated[Literal["white", "grey"], Field(description="of the air"), Tune()] = "white"
    depth: Annotated[str, Field(description="a depth map")]


@hookimpl
def texprior_degradations():
    return [Degradation("mist", "acme_haze:Haze", HazeOptions, "Haze.", tags=("air",), citation="@misc{haze}")]
'''


@pytest.fixture
def haze(tmp_path):
    path = tmp_path / "acme_haze.py"
    path.write_text(PLUGIN, encoding="utf-8")
    yield path
    sys.modules.pop("acme_haze", None)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the path with a distribution whose plugin does not import."""
    info = tmp_path / "site" / "acme_broken-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-broken\nVersion: 1.2\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[texprior]\nacme = acme_broken\n", encoding="utf-8")
    (tmp_path / "site" / "acme_broken.py").write_text("import no_such_module\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


def test_the_list_as_json_holds_every_field(texprior, haze):
    answer = texprior("plugins", "list", "--plugin", haze, "--json")
    assert answer.code == 0, answer.err
    (found,) = [c for c in answer.json if c["name"] == "mist"]
    version = found.pop("version")
    assert version.startswith("sha256-")
    options = {o["name"]: o for o in found.pop("options")}
    assert found == {
        "warnings": [],
        "kind": "degradation",
        "name": "mist",
        "qualified": "acme-haze/mist",
        "distribution": "acme-haze",
        "status": "loaded",
        "reason": "",
        "summary": "Haze.",
        "declares": {"deterministic": False, "directional": False, "requires": [], "weights": [], "api": 1},
        "tags": ["air"],
        "citation": "@misc{haze}",
    }
    assert options["density"] == {
        "name": "density",
        "type": "float",
        "range": "≥ 0, ≤ 1",
        "default": 0.05,
        "required": False,
        "search": "0.01 to 0.3, log",
        "description": "how dense",
    }
    assert (options["colour"]["type"], options["colour"]["search"]) == ("white | grey", "white, grey")
    assert (options["depth"]["required"], options["depth"]["default"]) == (True, None)


MARKED_WRONG = (
    PLUGIN.replace("Tune(0.01, 0.3, log=True)", "Tune(log=True)")
    + """

class Air(Options):
    \"\"\"Nested.\"\"\"

    thick: Annotated[float, Field(ge=0, le=1), Tune()] = 0.5


class NestedOptions(Options):
    \"\"\"Options.\"\"\"

    air: Air = Air()
    step: int = 1


@hookimpl
def texprior_decompositions():
    return [Decomposition("nested", "acme_haze:Nested", NestedOptions)]
"""
)


def test_a_wrong_tune_mark_is_shown_in_its_place_and_hides_nothing(texprior, haze):
    haze.write_text(MARKED_WRONG.replace("import Degradation", "import Decomposition, Degradation"), encoding="utf-8")
    answer = texprior("plugins", "list", "--plugin", haze, "--json")
    assert answer.code == 0, answer.err
    (found,) = [c for c in answer.json if c["qualified"] == "acme-haze/mist"]
    searches = {o["name"]: o["search"] for o in found["options"]}
    assert searches == {"density": "wrong: log needs low > 0, not 0", "colour": "white, grey", "depth": ""}
    shown = texprior("plugins", "show", "decomposition/nested", "--plugin", haze, "--json").json
    assert [(o["name"], o["search"]) for o in shown["options"]] == [("air.thick", "0.0 to 1.0"), ("step", "")]
    assert yaml.safe_load(shown["snippet"]) == {"decomposition": {"nested": {"air": {"thick": 0.5}, "step": 1}}}


def test_a_piped_table_has_no_blanks_at_the_ends_of_its_lines(texprior):
    lines = texprior("plugins", "list").out.splitlines()
    assert len(lines) > 100
    assert not [line for line in lines if line != line.rstrip()]
    assert any("residual-shift" in line for line in lines)


def test_one_kind_alone(texprior):
    kinds = {c["kind"] for c in texprior("plugins", "list", "--kind", "adapter", "--json").json}
    assert kinds == {"adapter"}


def test_components_are_searched_by_tags(texprior):
    def names(*tags):
        return {c["name"] for c in texprior("plugins", "list", *(p for t in tags for p in ("--tag", t)), "--json").json}

    assert names("control") == {"full", "frozen", "scratch", "none"}
    assert names("paired", "real") == {"raindrop", "lol", "dpdd", "sidd"}
    unknown = texprior("plugins", "list", "--kind", "metric", "--tag", "perceptal")
    assert (unknown.code, unknown.out) == (2, "")
    assert "no component has the tag 'perceptal'; did you mean 'perceptual'?" in unknown.err


def test_a_plugin_that_does_not_load_is_listed_and_the_rest_work(texprior, site):
    answer = texprior("plugins", "list", "--json")
    assert answer.code == 0
    (bad,) = [c for c in answer.json if c["status"] != "loaded"]
    assert bad["kind"] is None
    assert (bad["distribution"], bad["version"], bad["status"]) == ("acme-broken", "1.2", "failed")
    assert "No module named 'no_such_module'" in bad["reason"]
    assert "failed: ModuleNotFoundError" in texprior("plugins", "list").out
    doctor = texprior("doctor", "--json")
    assert doctor.code == 1
    (wrong,) = doctor.json["wrong"]
    assert "plugin acme-broken is failed" in wrong


def test_naming_a_component_of_a_failed_plugin_gives_its_reason(texprior, site):
    answer = texprior("plugins", "show", "degradation/acme-broken/rain")
    assert (answer.code, answer.out) == (2, "")
    assert "plugin acme-broken is failed: ModuleNotFoundError" in answer.err


@pytest.mark.parametrize(
    "component", ["adapter/cga", "metric/ssim", "sampler/ddim", "dataset/bundled", "events/mlflow", "objective/huber"]
)
def test_a_snippet_can_be_pasted_into_an_experiment(texprior, tmp_path, component):
    answer = texprior("plugins", "show", component, "--json")
    assert answer.code == 0, answer.err
    file = tmp_path / "pasted.yaml"
    file.write_text("name: pasted\n" + answer.json["snippet"], encoding="utf-8")
    from texprior import config
    from texprior.registry import Registry

    resolved = config.load(file, Registry.discover())
    kind, name = component.split("/")
    found = [ref for _, k, ref in config.refs_of(resolved) if k == kind and ref.name == name]
    ((_, options),) = yaml.safe_load(yaml.safe_dump(found[0].model_dump())).items()
    expected = {o["name"]: o["default"] for o in answer.json["options"]}
    assert options == expected
    assert answer.json["snippet"] in texprior("plugins", "show", component).out


def test_a_component_of_every_kind_is_shown(texprior):
    from texprior.registry import Registry

    first = {entry.component.kind: entry.qualified for entry in reversed(Registry.discover().entries())}
    assert len(first) >= 19
    for kind, name in first.items():
        answer = texprior("plugins", "show", f"{kind}/{name}")
        assert answer.code == 0, f"{kind}/{name}: {answer.err}"


def test_options_that_name_components_say_of_which_kind(texprior):
    answer = texprior("plugins", "show", "degradation/choice", "--json")
    options = {o["name"]: (o["type"], o["range"], o["required"]) for o in answer.json["options"]}
    assert options["of"] == ("list of degradations", "length ≥ 1, length ≤ 64", True)
    assert options["weights"] == ("list of float (each ≥ 0.0, ≤ 1000000.0) or null", "", False)
    assert "of: REQUIRED" in answer.json["snippet"]


def test_the_citation_alone(texprior, haze):
    answer = texprior("plugins", "show", "degradation/mist", "--plugin", haze, "--bibtex")
    assert (answer.code, answer.out) == (0, "@misc{haze}\n")
    none = texprior("plugins", "show", "encoder/none", "--bibtex")
    assert (none.code, none.out) == (2, "")


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("none", "several components are called 'none'"),
        ("cgb", "'cgb' is neither KIND/NAME"),
        ("adaptor/cga", "the kinds are: degradation"),
        ("adapter/cgb", "did you mean 'cga'?"),
    ],
)
def test_what_cannot_be_shown(texprior, name, fragment):
    answer = texprior("plugins", "show", name)
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err


def test_show_takes_a_name_that_one_component_has(texprior):
    whole, bare = (texprior("plugins", "show", name, "--json") for name in ("dataset/paired", "paired"))
    assert (whole.code, bare.code) == (0, 0), bare.err
    assert whole.json == bare.json
    several = texprior("plugins", "show", "none")
    assert several.code != 0
    assert "several components are called 'none'; name one of decomposition/none, encoder/none" in several.err
    unknown = texprior("plugins", "show", "pairde")
    assert unknown.code != 0
    assert "did you mean 'paired'?" in unknown.err


@pytest.mark.parametrize(
    ("component", "lines"),
    [
        ("metric/ssim", ["key: ssim_y_gauss11", "better: higher", "reference: yes", "scope: image", "api: 2"]),
        ("metric/lpips_vgg", ["key: lpips_vgg", "better: lower", "weights: lpips_vgg"]),
        ("metric/pyiqa", ["key: not known here: it depends on the option name", "requires: pyiqa"]),
        ("sampler/heun", ["order: 2", "deterministic: yes", "stochastic: yes"]),
        ("decomposition/bilateral", ["strength: sigma_range", "local: yes", "slow: yes", "tags: edge-preserving"]),
        ("decomposition/none", ["local: no", "slow: no"]),
        ("adapter/scratch", ["identity: no", "cacheable: no", "tags: control"]),
        ("dataset/folder", ["own_pictures: yes", "licence: that of the pictures in the folder"]),
        ("events/mlflow", ["tracker: yes"]),
        ("predictor/unet", ["local: yes"]),
    ],
)
def test_show_says_what_a_component_declares(texprior, monkeypatch, tmp_path, component, lines):
    monkeypatch.setenv("TEXPRIOR_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shown = texprior("plugins", "show", component).out.splitlines()
    assert [line for line in lines if line not in shown] == []
    declared = texprior("plugins", "show", component, "--json").json
    kind, key = component.partition("/")[0], lines[0].partition("key: ")[2]
    assert declared.get("key") == ((key if " " not in key else None) if kind == "metric" else None)
    assert declared["declares"]["api"] == 2


def test_a_plugin_of_an_older_api_is_one_warning_in_list_show_check_and_doctor(texprior, haze):
    haze.write_text(PLUGIN.replace('("air",)', '("deterministic",)'), encoding="utf-8")
    sentence = (
        "plugin acme-haze uses plugin API 1, which still works; "
        "write api=2 and in degradation/mist deterministic=True instead of the tag 'deterministic'"
    )
    show = ("show", "degradation/mist", "--plugin", haze)
    for command in (("list", "--plugin", haze), show, ("check", haze, "--options", "{depth: map}")):
        answer = texprior("plugins", *command)
        assert (answer.out + answer.err).count(f"warning: {sentence}\n") == 1, command
    assert texprior("plugins", *show, "--json").json["warnings"] == [sentence]
    (plugin,) = [p for p in texprior("doctor", "--plugin", haze, "--json").json["plugins"] if p["reason"]]
    assert (plugin["status"], plugin["reason"]) == ("loaded", sentence)


def test_a_misspelt_tag_is_a_warning_in_list_and_check(texprior, tmp_path):
    file = tmp_path / "acme_tag.py"
    source = PLUGIN.replace("acme_haze:Haze", "acme_tag:Haze").replace('tags=("air",)', 'tags=("air", "determinstic")')
    file.write_text(source, encoding="utf-8")
    sentence = "degradation/mist: tag 'determinstic' is a word that nothing reads; did you mean deterministic=True?"
    listed = texprior("plugins", "list", "--plugin", file)
    assert f"warning: {sentence}\n" in listed.err
    (found,) = [c for c in texprior("plugins", "list", "--plugin", file, "--json").json if c["name"] == "mist"]
    assert found["warnings"] == [sentence]
    checked = texprior("plugins", "check", file, "--options", "{depth: map}")
    assert f"warning: {sentence}\n" in checked.out
    sys.modules.pop("acme_tag", None)


@pytest.mark.parametrize(("name", "declares"), [
    ("sampler/heun", {"order": 2}),
    ("adapter/cga", {"identity": "bitwise"}),
    ("decomposition/guided", {"strength": "eps"}),
    ("metric/psnr", {"better": "higher", "reference": True, "scope": "image"}),
    ("metric/lpips_alex", {"better": "lower", "reference": True, "scope": "image", "weights": ["lpips_alex"]}),
    ("encoder/timm", {"requires": ["timm"]}),
])  # fmt: skip
def test_show_says_what_the_record_declares(texprior, name, declares):
    found = texprior("plugins", "show", name, "--json").json
    assert {name: found["declares"][name] for name in declares} == declares
    lines = texprior("plugins", "show", name).out.splitlines()
    shown = {True: "yes", ("lpips_alex",): "lpips_alex", ("timm",): "timm"}
    texts = [f"{k}: {shown.get(tuple(v) if isinstance(v, list) else v, v)}" for k, v in declares.items()]
    assert [text for text in texts if text not in lines] == []


def test_show_says_the_key_by_which_experiments_choose_a_metric(texprior):
    assert texprior("plugins", "show", "metric/psnr", "--json").json["key"] == "psnr_rgb"
    assert "\nkey: ssim_y_gauss11" in texprior("plugins", "show", "ssim").out
    assert "key" not in texprior("plugins", "show", "adapter/cga", "--json").json
