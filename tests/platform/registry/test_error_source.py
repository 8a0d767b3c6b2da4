"""Which component is named when something raises."""

import pytest
import torch

from texprior.flow.decompose import decompose
from texprior.flow.degrade import degrade
from texprior.flow.sample import sample
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.registry.error_source import describe_error, find_source

SOURCE = """
import torch
from torch import nn
from texprior.flow.decompose import StructureFilter
from texprior.plugin import Decomposition, Degradation, Predictor, Sampler, hookimpl

@hookimpl
def texprior_degradations():
    return [Degradation(n, f"blame_idea:{n.title()}") for n in ("one", "two", "born", "nothing", "wants", "function")]

@hookimpl
def texprior_decompositions():
    return [Decomposition("none", "blame_idea:Layers")]

@hookimpl
def texprior_samplers():
    return [Sampler("calling", "blame_idea:Calling")]

@hookimpl
def texprior_predictors():
    return [Predictor("net", "blame_idea:Net")]

def helper(x):
    return x.no_such_attribute

class One:
    def __init__(self, options): pass
    def __call__(self, image, rng):
        return 1 / 0

class Two(One):
    def __call__(self, image, rng):
        return helper(image)

class Born:
    def __init__(self, options):
        raise OSError("no file")

class Nothing:
    def __init__(self, options): pass
    def __call__(self, image, rng):
        return None

class Layers(StructureFilter):
    def __init__(self, options): pass
    def structure(self, image):
        return None

class Wants:
    def __init__(self, options, more): pass

def Function(options):
    return lambda image, rng: 1 / 0

class Calling:
    def __init__(self, options): pass
    def __call__(self, denoise, x, sigmas, noise):
        return denoise(x, sigmas[0])

class Net(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(3, 3, 3))
    def forward(self, x):
        return self.inner(x)
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    file = tmp_path_factory.mktemp("blame") / "blame_idea.py"
    file.write_text(SOURCE)
    return Registry.discover([file])


def line(text):
    return next(i for i, row in enumerate(SOURCE.splitlines(), 1) if text in row)


def raised(action, kind=Exception):
    with pytest.raises(kind) as caught:
        action()
    return caught.value


def built(registry, kind, name):
    return registry.build(kind, Ref(name=name))


IMAGE = torch.zeros(1, 3, 8, 8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("one", f"degradation 'blame-idea/one' (VERSION) raised ZeroDivisionError: division by zero (at blame_idea.py, "
                f"line {line('return 1 / 0')})"),
        ("two", "degradation 'blame-idea/two' (VERSION) raised AttributeError: 'Tensor' object has no attribute "
                f"'no_such_attribute' (at blame_idea.py, line {line('return helper(image)')})"),
        ("function", "degradation 'blame-idea/function' (VERSION) raised ZeroDivisionError: division by zero (at "
                     f"blame_idea.py, line {line('lambda image')})"),
        ("nothing", "degradation 'blame-idea/nothing' (VERSION) does not fit its contract: the degraded picture is a "
                    "NoneType; expected a tensor of shape (3, 8, 8)"),
    ],
)  # fmt: skip
def test_a_component_that_raises_is_named(registry, name, expected):
    component = built(registry, "degradation", name)
    version = next(p.version for p in registry.plugins if p.distribution == "blame-idea")
    error = raised(lambda: degrade(IMAGE, component, 0, ["a"]))
    assert describe_error(error).startswith(expected.replace("VERSION", f"version {version}"))


@pytest.mark.parametrize(
    ("name", "what"), [("born", "raised OSError: no file"), ("wants", "does not fit its contract")]
)
def test_a_component_that_cannot_be_made_is_named(registry, name, what):
    built(registry, "degradation", "one")
    assert f"degradation 'blame-idea/{name}'" in describe_error(raised(lambda: built(registry, "degradation", name)))
    assert what in describe_error(raised(lambda: built(registry, "degradation", name)))


def test_the_innermost_component_is_named_not_the_one_that_called_it(registry):
    calling, net = built(registry, "sampler", "calling"), built(registry, "predictor", "net")
    wrong = torch.zeros(1, 5, 8, 8)
    error = raised(lambda: sample(lambda x, _sigma: net(x), calling, wrong, torch.tensor([1.0, 0.0]), lambda i: wrong))
    assert find_source(error).entry.qualified == "blame-idea/net"
    error = raised(lambda: sample(lambda x, _sigma: 1 / 0, calling, wrong, torch.tensor([1.0, 0.0]), lambda i: wrong))
    assert find_source(error).entry.qualified == "blame-idea/calling"


def test_a_contract_broken_in_a_method_of_the_platform_names_the_component(registry):
    error = raised(lambda: decompose(IMAGE, built(registry, "decomposition", "blame-idea/none")))
    assert find_source(error).entry.component.kind == "decomposition"


def test_an_error_of_the_platform_itself_names_no_component(registry):
    built(registry, "degradation", "one")
    error = raised(lambda: degrade(IMAGE, lambda image, rng: image, 0, []))
    assert find_source(error) is None
    assert describe_error(error).startswith("ValueError: zip()")


def test_the_command_line_names_it_in_a_sentence(registry, tmp_path, capsys, monkeypatch):
    from texprior.cli import main

    (tmp_path / "cli_idea.py").write_text(SOURCE.replace("blame_idea", "cli_idea"))
    small = "{bundled: {max_side: 64}}"
    (tmp_path / "x.yaml").write_text(
        f"name: x\nevents: []\nthreads: 1\nencoder: none\ndecomposition: cli-idea/none\ndata: {{train: {small}}}\n"
        "training: {prior: {patch: 32, budget: {images: 16}}}\n"
    )
    command = ["prior", "x.yaml", "--plugin", "cli_idea.py"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TEXPRIOR_RUNS", raising=False)
    assert main(command) == 1
    said = capsys.readouterr().err
    assert "error: decomposition 'cli-idea/none' (version sha256-" in said
    assert (
        ") raised TypeError: unsupported operand type(s) for -: 'Tensor' and 'NoneType' (at decompose.py, line" in said
    )
    assert said.endswith("; TEXPRIOR_DEBUG=1 shows the traceback\n")
    assert "Traceback" not in said
    monkeypatch.setenv("TEXPRIOR_DEBUG", "1")
    assert main(command) == 1
    assert "Traceback" in capsys.readouterr().err
