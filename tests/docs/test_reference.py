"""The reference is complete: every hook, argument and contract is documented as it is, and none that is gone."""

import ast
import dataclasses
import importlib
import inspect
import re

import pytest

from texprior import plugin
from texprior.plugin import HOOK_OF_KIND, KINDS, Component, Hooks, Tune, Weights

CONTRACTS = {
    "dataset": "flow.image:PictureSet",
    "degradation": "flow.degrade:Degrader",
    "predictor": "flow.predict:InitialPredictor",
    "decomposition": "flow.decompose:Decomposer",
    "encoder": "flow.prior:SemanticEncoder",
    "denoiser": "flow.prior:DenoiserNet",
    "attention": "flow.prior:AttentionBackend",
    "adapter": "flow.adapt:DenoiserAdapter",
    "noise_levels": "flow.schedule:NoiseLevels",
    "schedule": "flow.schedule:LevelSchedule",
    "augmentation": "flow.augment:PatchAugmentation",
    "objective": "flow.objective:Objective",
    "optimizer": "flow.optimize:OptimizerFactory",
    "lr_decay": "flow.optimize:LearningRateDecay",
    "process": "flow.process:DiffusionProcess",
    "sampler": "flow.sample:LayerSampler",
    "metric": "flow.measure:ImageMetric",
    "events": "track:Observer",
    "launcher": "flow.launch:Launcher",
}


@pytest.fixture(scope="module")
def hooks(repository):
    return (repository / "docs" / "hooks.md").read_text(encoding="utf-8")


def rows(page, heading):
    """The cells of the table below a heading, or below the first header cell of this text."""
    part = page[page.index(heading) :]
    lines = re.search(r"\n(\|.*\|\n)+", part).group(0).strip().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def names(record):
    return [f.name for f in dataclasses.fields(record)]


def test_every_hook_is_documented_with_its_record_and_its_page(hooks):
    found = {row[0].strip("`"): (row[1].strip("`"), row[2]) for row in rows(hooks, "## One hook for each kind")}
    real = {hook for hook, _ in inspect.getmembers(Hooks, inspect.isfunction)}
    assert set(found) == real == {hook for hook, _ in HOOK_OF_KIND.values()}
    for kind, (hook, record) in HOOK_OF_KIND.items():
        assert found[hook] == (record.__name__, f"[{kind}](kinds/{kind}.md)")


def test_hooks_take_no_argument():
    for hook, _ in HOOK_OF_KIND.values():
        assert list(inspect.signature(getattr(Hooks, hook)).parameters) == ["self"]


def test_every_argument_of_every_record_is_documented(hooks):
    shared = [row[0].strip("`") for row in rows(hooks, "## The arguments of every record")]
    assert shared == names(Component)
    own = {(row[1].strip("`"), row[0].strip("`")) for row in rows(hooks, "## What some records declare beyond that")}
    real = {(r.__name__, n) for _, r in HOOK_OF_KIND.values() for n in names(r) if n not in names(Component)}
    assert own == real


def test_every_default_of_every_record_is_documented(hooks):
    shared = [("Component", row[0], row[3]) for row in rows(hooks, "## The arguments of every record")]
    own = [(row[1].strip("`"), row[0], row[4]) for row in rows(hooks, "## What some records declare beyond that")]
    for record, argument, default in [*shared, *own]:
        (field,) = [f for f in dataclasses.fields(getattr(plugin, record)) if f.name == argument.strip("`")]
        words = {dataclasses.MISSING: "required", "": "empty", (): "none", plugin.Options: "`Options`"}
        # a direction has no default from API 2 on
        word = "required" if argument == "`better`" else words.get(field.default) or f"{field.default}"
        assert default.replace("`", "").replace('"', "").startswith(word.strip("`")), (record, argument, default)


@pytest.mark.parametrize(("record", "header"), [(Tune, "argument of `Tune`"), (Weights, "argument of `Weights`")])
def test_every_argument_of_tune_and_weights_is_documented(hooks, record, header):
    table = hooks[hooks.index(f"\n| {header}") :]
    assert [row[0].strip("`") for row in rows(table, "")] == names(record)


def test_the_choices_of_an_argument_are_the_real_ones(hooks):
    own = {(row[1].strip("`"), row[0].strip("`")): row[2] for row in rows(hooks, "declare beyond that")}
    for (record, name), kind in own.items():
        annotation = getattr(plugin, record).__annotations__[name]
        choices = re.findall(r"'(\w+)'", annotation)
        assert re.findall(r'"(\w+)"', kind) == choices, (record, name)


def test_every_kind_has_a_page(repository):
    folder = repository / "docs" / "kinds"
    assert {p.stem for p in folder.glob("*.md")} == {*KINDS, "index"}
    assert set(CONTRACTS) == set(KINDS) - {"command"}
    index = (folder / "index.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"[{kind}]({kind}.md)" not in index] == []


def test_a_command_s_contract_is_click_s(repository):
    page = (repository / "docs" / "kinds" / "command.md").read_text(encoding="utf-8")
    assert "Contract: `click.Command`" in page


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "command"])
def test_a_kinds_contract_is_documented_as_it_is(repository, kind):
    page = (repository / "docs" / "kinds" / f"{kind}.md").read_text(encoding="utf-8")
    module, _, name = CONTRACTS[kind].partition(":")
    assert f"texprior.{module}.{name}" in page
    documented = ast.parse(re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1)).body
    assert documented[0].name == name
    for node in documented:
        compare(node, getattr(importlib.import_module(f"texprior.{module}"), node.name))


def compare(documented, real):
    """A contract as a page has it, and as it is: methods with the names and types of their arguments, attributes."""
    methods = {node.name: node for node in documented.body if isinstance(node, ast.FunctionDef)}
    own = {n: f for n, f in vars(real).items() if inspect.isfunction(f) and n not in ("__init__", "__subclasshook__")}
    own = {n: f for n, f in own.items() if not n.startswith("_") or n == "__call__"}
    assert set(methods) == set(own)
    for method, node in methods.items():
        signature = inspect.signature(own[method])
        assert [a.arg for a in node.args.args] == list(signature.parameters), method
        documented_types = [ast.unparse(a.annotation) for a in node.args.args[1:]]
        assert documented_types == [p.annotation for p in list(signature.parameters.values())[1:]], method
        assert ast.unparse(node.returns) == signature.return_annotation, method
    attributes = {node.target.id: ast.unparse(node.annotation) for node in documented.body if hasattr(node, "target")}
    annotated = vars(real).get("__annotations__", {})
    # a NamedTuple holds its annotations as references
    written = {k: getattr(v, "__forward_arg__", v) for k, v in annotated.items()}
    assert attributes == {k: v for k, v in written.items() if not k.startswith("_")}
