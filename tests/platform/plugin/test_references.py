"""Components that name components: resolved, built, recorded and searched like those of the experiment itself."""

import re
import sys
import types
from typing import Annotated

import pytest
from pydantic import Field

from texprior.config import load, resolve, with_overrides
from texprior.config.dotted_paths import get_path, merge
from texprior.config.resolver import ComponentPaths
from texprior.errors import ConfigError, PluginError
from texprior.plugin import Degradation, Kind, Options, Ref, Tune, hookimpl
from texprior.plugin.references import check_references, kinds_of, refs_of
from texprior.registry import Registry
from texprior.runtime.run_record import component_tags

SOURCE = """
from typing import Annotated
from pydantic import Field
from texprior.plugin import Adapter, Degradation, Kind, Options, Ref, Tune, hookimpl


class BlurOptions(Options):
    radius: Annotated[float, Field(ge=0, le=9), Tune(0, 4)] = 2.0


class RowOptions(Options):
    steps: Annotated[list[Ref], Kind("degradation"), Field(min_length=1)]
    last: Annotated[Ref | None, Kind("degradation")] = None


class WideOptions(Options):
    width: Annotated[int, Field(ge=1, le=64), Tune()] = 8


class StackOptions(Options):
    parts: Annotated[list[Ref], Kind("adapter")]
    gain: Annotated[float, Field(ge=0, le=1), Tune()] = 1.0
    through: Annotated[Ref, Kind("degradation")] = Ref(name="blur")


class Made:
    def __init__(self, options, **given):
        import torch

        self.options, self.given, self.weight = options, given, float(torch.rand(()))


def named(record, **options):
    return [record(name, f"{__name__}:Made", kind, citation=f"@misc{{{name}}}") for name, kind in options.items()]


@hookimpl
def texprior_degradations():
    return named(Degradation, blur=BlurOptions, row=RowOptions)


@hookimpl
def texprior_adapters():
    return named(Adapter, wide=WideOptions, stack=StackOptions)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "nested_parts.py"
    path.write_text(SOURCE)
    yield path
    sys.modules.pop("nested_parts", None)


@pytest.fixture(scope="module")
def registry(file):
    return Registry.discover([file])


ROW = {"row": {"steps": ["blur", {"row": {"steps": [{"blur": {"radius": 3}}], "last": "blur"}}]}}
STACK = {"stack": {"parts": [{"wide": {"width": 4}}, "wide"]}}


def test_options_of_what_is_named_are_written_out(registry):
    found = resolve({"name": "x", "degradation": ROW}, registry).model_dump(mode="json")["degradation"]
    blur = {"blur": {"radius": 2.0}}
    inner = {"row": {"steps": [{"blur": {"radius": 3.0}}], "last": blur}}
    assert found == {"row": {"steps": [blur, inner], "last": None}}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("[blur, {blur: {radius: 10}}]",
         "e.yaml:4: degradation.row.steps.1.blur.radius: input should be less than or equal to 9 (got 10)"),
        ("\n      - blur\n      - row:\n          steps: [{blur: {radios: 1}}]",
         "e.yaml:7: degradation.row.steps.1.row.steps.0.blur.radios: unknown key; did you mean 'radius'?"),
        ("[blur, blurr]", "e.yaml:4: degradation.row.steps.1: there is no degradation 'blurr'; did you mean 'blur'?"),
        ("[wide]", "e.yaml:4: degradation.row.steps.0: there is no degradation 'wide'; known are: "),
        ("[3]", "e.yaml:4: degradation.row.steps.0: expected a component's name, or one name with its options"),
        ("[]", "e.yaml:4: degradation.row.steps: list should have at least 1 item after validation, not 0 (got [])"),
        ("blur", "e.yaml:4: degradation.row.steps: input should be a valid list (got 'blur')"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_them_is_said_with_line_and_path(registry, tmp_path, steps, expected):
    path = tmp_path / "e.yaml"
    path.write_text(f"name: x\ndegradation:\n  row:\n    steps: {steps}\n")
    with pytest.raises(ConfigError) as caught:
        load(path, registry)
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(expected)


def test_everything_that_is_wrong_in_them_is_told_at_once(registry):
    with pytest.raises(ConfigError) as caught:
        resolve({"name": "x", "degradation": {"row": {"steps": ["x1", "x2"], "last": "x3"}}}, registry)
    paths = re.findall(r"degradation\.row\.\S+(?=:)", str(caught.value))
    assert paths == [f"degradation.row.{at}" for at in ("steps.0", "steps.1", "last")]


@pytest.mark.parametrize(
    ("override", "path", "expected"),
    [
        ("degradation.row.steps.0.blur.radius=1", "degradation.row.steps.0", {"blur": {"radius": 1.0}}),
        ("degradation.row.steps.1.row.steps.0=blur", "degradation.row.steps.1.row.steps.0", {"blur": {"radius": 3.0}}),
        ("degradation.row.steps.1=blur", "degradation.row.steps.1", {"blur": {"radius": 2.0}}),
        ("degradation.row.last={row: {steps: [blur]}}", "degradation.row.last.row.last", None),
    ],
)
def test_they_are_overridden_by_the_path_that_errors_name(registry, override, path, expected):
    resolved = resolve({"name": "x", "degradation": ROW}, registry, [override])
    assert get_path(resolved.model_dump(mode="json"), path) == expected


def test_a_list_of_the_experiment_is_overridden_in_the_same_way(registry):
    resolved = resolve({"name": "x", "metrics": ["psnr", "ssim"]}, registry, ["metrics.1=niqe"])
    assert [ref.name for ref in resolved.metrics] == ["psnr", "niqe"]


def test_a_number_beyond_a_list_is_refused(registry):
    with pytest.raises(
        ConfigError, match=r"degradation\.row\.steps: input should be a valid list \(got \{'7': 'blur'\}\)"
    ):
        resolve({"name": "x", "degradation": ROW}, registry, ["degradation.row.steps.7=blur"])


def test_components_are_merged_where_they_are_named(registry):
    paths = ComponentPaths(registry)
    here = ("adapter", "metrics.0", "degradation.row.last", "degradation.row.steps.1.row.steps.0", "data.train")
    assert [path for path in here if path not in paths] == []
    nowhere = ("adapter.wide", "adapter.wide.width", "sampling.steps", "degradation.nope.steps", "training.prior", "x")
    assert [path for path in nowhere if path in paths] == []
    below, over = {"row": {"last": {"blur": {"radius": 1}}}}, {"row": {"last": {"row": {"steps": ["blur"]}}}}
    assert merge({"degradation": below}, {"degradation": over}, paths) == {"degradation": over}


def test_they_are_built_first_and_handed_over(registry):
    made = registry.build("degradation", Ref.model_validate(ROW), seed=5)
    first, second = made.given["steps"]
    assert made.given["last"] is None
    assert (first.options.radius, first.given) == (2.0, {})
    assert [step.options.radius for step in second.given["steps"]] == [3.0]
    assert second.given["last"].options.radius == 2.0


def test_initial_weights_depend_on_seed_and_place(registry):
    row = Ref.model_validate({"row": {"steps": ["blur", "blur"], "last": "blur"}})

    def weights(seed):
        made = registry.build("degradation", row, seed=seed)
        return [part.weight for part in (*made.given["steps"], made.given["last"], made)]

    assert weights(1) == weights(1)
    assert len({*weights(1), *weights(2)}) == 8
    alone = registry.build("degradation", Ref(name="blur"), seed=1)
    assert alone.weight == weights(1)[-1]  # as before there were parts: (seed, kind) of what is named first


def test_what_a_kind_is_built_with_goes_to_parts_of_the_same_kind(registry):
    made = registry.build("adapter", Ref.model_validate(STACK), blocks="the blocks")
    assert made.given["blocks"] == "the blocks"
    assert [part.given for part in made.given["parts"]] == [{"blocks": "the blocks"}] * 2
    assert made.given["through"].given == {}


def test_they_are_recorded_with_their_versions_and_in_what_identifies_data(registry):
    e = resolve({"name": "x", "degradation": ROW, "adapter": STACK}, registry)
    tags = component_tags(e, registry)
    version = next(p.version for p in registry.plugins if p.distribution == "nested-parts")
    at = "texprior.component.degradation.row.steps.1.row.last"
    assert tags[at] == f"nested-parts/blur=={version} (API 1)"
    assert tags["texprior.component.adapter.stack.parts.1"].startswith("nested-parts/wide==")
    assert tags["texprior.component.adapter.stack.through"].startswith("nested-parts/blur==")
    other = resolve({"name": "x", "degradation": ROW}, registry, ["degradation.row.steps.0.blur.radius=1"])
    assert e.hash("degradation") != other.hash("degradation")
    paths = [path for path, _, _ in registry.components_of(e) if path.startswith("degradation")]
    inner = [f"degradation.row.steps.1{rest}" for rest in ("", ".row.steps.0", ".row.last")]
    assert paths == ["degradation", "degradation.row.steps.0", *inner]


def test_a_sweep_searches_their_options(registry):
    e = resolve({"name": "x", "adapter": STACK, "sweep": {"space": {"adapter": ["stack", "wide"]}}}, registry)
    brought = {"stack.gain", "stack.parts.0.wide.width", "stack.parts.1.wide.width", "stack.through.blur.radius"}
    assert set(e.sweep.space) == {"adapter", "adapter.wide.width", *(f"adapter.{path}" for path in brought)}
    trial = with_overrides(e, {"adapter": "stack", "adapter.stack.parts.1.wide.width": 5}, registry)
    assert [part["wide"]["width"] for part in trial.adapter.options["parts"]] == [4, 5]
    path = "adapter.stack.parts.0.wide.width"
    given = resolve({"name": "x", "adapter": STACK, "sweep": {"space": {path: [1, 2]}}}, registry)
    assert given.sweep.space == {path: [1, 2]}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("adapter.stack.parts.0.wide.size", "there is no 'size' in 'adapter.stack.parts.0.wide'; known are: width"),
        ("adapter.stack.parts.0.blur.radius", "'adapter.stack.parts.0' is never 'blur' here; known are: wide"),
        (
            "adapter.stack.through",
            "this component is in another component's options; search the options of the component itself",
        ),
    ],
)
def test_what_cannot_be_searched_in_them(registry, path, reason):
    with pytest.raises(ConfigError, match=re.escape(reason)):
        resolve({"name": "x", "adapter": STACK, "sweep": {"space": {path: [1]}}}, registry)


class Part(Options):
    inner: Annotated[Ref, Kind("degradation")] = Ref(name="blur")


def made_of(annotation):
    return type("Wrong", (Options,), {"__annotations__": {"x": annotation}, "__module__": __name__})


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (Annotated[Ref, Kind("degradatoin")], "option 'x' is marked with the unknown kind 'degradatoin'"),
        (list[Ref], "option 'x' names a component; mark it with its kind: Annotated[Ref, Kind('degradation')]"),
        (Part, "option 'x.inner' names a component inside a nested model; declare it in the component's own options"),
    ],
)
def test_options_that_name_components_in_another_way_are_a_plugins_fault(annotation, reason):
    module = types.ModuleType("wrong_parts")
    module.texprior_degradations = hookimpl(
        lambda: [Degradation("wrong", "x:X", made_of(annotation))], specname="texprior_degradations"
    )
    with pytest.raises(PluginError, match=re.escape(f"'wrong': {reason}")):
        Registry().register(module)
    assert check_references(Part, {"degradation"}) == ""


def test_a_model_tells_what_it_names():
    class Both(Options):
        one: Annotated[Ref, Kind("adapter")] = Ref(name="wide")
        none: Annotated[Ref | None, Kind("sampler")] = None
        many: Annotated[list[Ref], Kind("metric")] = Field([Ref(name="psnr"), Ref(name="ssim")])
        number: Annotated[int, Field(ge=1), Tune()] = 3

    assert kinds_of(Both) == {"one": "adapter", "none": "sampler", "many": "metric"}
    found = [(path, kind, ref.name) for path, kind, ref in refs_of(Both(), "at.")]
    assert found == [("at.one", "adapter", "wide"), ("at.many.0", "metric", "psnr"), ("at.many.1", "metric", "ssim")]
