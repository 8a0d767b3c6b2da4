"""``texprior plugins check``: tables, JSON, exit codes, options and expectations."""

import sys

import pytest

PLUGIN = """
from typing import Annotated

from pydantic import Field

from texprior.plugin import Degradation, Options, hookimpl


class DimOptions(Options):
    by: Annotated[float, Field(ge=0, le=1)]


class Dim:
    def __init__(self, options):
        self.by = options.by

    def __call__(self, image_CHW, rng):
        import torch

        return image_CHW * (1 - self.by * torch.rand((), generator=rng))


class Bright(Dim):
    def __call__(self, image_CHW, rng):
        return super().__call__(image_CHW, rng) + 1


@hookimpl
def texprior_degradations():
    return [
        Degradation("dim", "acme_dim:Dim", DimOptions, "Dims."),
        Degradation("bright", "acme_dim:Bright", DimOptions, "Brightens."),
    ]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "acme_dim.py"
    path.write_text(PLUGIN, encoding="utf-8")
    yield path
    sys.modules.pop("acme_dim", None)


def test_a_component_that_passes(texprior):
    answer = texprior("plugins", "check", "sampler/ddim")
    assert answer.code == 0, answer.out + answer.err
    assert "sampler/ddim   sampler.order           passed" in answer.out
    assert "order 0.99 fitted, 1 declared" in answer.out
    assert answer.out.splitlines()[-1] == "23 passed, 0 failed, 0 expected, 1 not run"


def test_json_holds_rules_fixes_and_counts(texprior):
    answer = texprior("plugins", "check", "sampler/texprior/heun", "--json")
    assert answer.code == 0
    (component,) = answer.json["components"]
    assert (component["kind"], component["name"], component["qualified"]) == ("sampler", "heun", "texprior/heun")
    checks = {c["id"]: c for c in component["checks"]}
    assert component["run"] == sum(c["status"] != "not run" for c in checks.values()) >= component["floor"] == 18
    assert checks["sampler.order"]["status"] == "passed"
    assert checks["sampler.order"]["rule"].startswith("The error falls at the declared order")
    assert checks["sampler.order"]["fix"].startswith("Declare the global order")
    assert answer.json["failed"] == 0


def test_the_components_of_a_file_with_options_and_an_expectation(texprior, file):
    both = "{degradation/dim: {by: 0.5}, degradation/bright: {by: 0.5}}"
    failed = texprior("plugins", "check", file, "--options", both, "-q")
    assert failed.code == 1
    assert "degradation/bright degradation.picture failed: 64x48 px: values from 1" in failed.out
    assert "rule: The degraded picture has the shape of the clean one" in failed.out
    assert "fix: Pad and crop inside" in failed.out
    shown = [line.split()[1:] for line in failed.out.splitlines() if line.startswith(" degradation/")]
    assert shown == [["degradation.picture", "failed"]]
    assert "not run: any.entry-module (a single file or a registered module is imported only if" in failed.out
    excuse = "degradation/bright:degradation.picture=it is meant to"
    expected = texprior("plugins", "check", file, "--options", both, "--expect", excuse)
    assert expected.code == 0, expected.out
    assert "degradation/bright degradation.picture expected: it is meant to (64x48 px" in expected.out
    passes = texprior("plugins", "check", file, "--options", both, "--expect", "degradation/dim:any.json=why not")
    assert passes.code == 1
    assert "expected to fail (why not), but it passes" in passes.out


def test_one_component_of_a_file(texprior, file):
    one = texprior("plugins", "check", "degradation/dim", "--plugin", file, "--options", "{by: 0.5}")
    assert one.code == 0, one.out
    without = texprior("plugins", "check", "degradation/dim", "--plugin", file)
    assert without.code == 1
    assert "any.floor failed: checks that ran: 2, the floor of kind degradation is 15" in without.out
    assert "(option 'by' has no default: pass a value for it, or give its Field examples)" in without.out


def test_a_distribution_that_did_not_load_says_why(texprior, tmp_path, monkeypatch):
    info = tmp_path / "acme_broken-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-broken\nVersion: 1.2\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[texprior]\nacme = acme_broken\n", encoding="utf-8")
    (tmp_path / "acme_broken.py").write_text("import no_such_module\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    answer = texprior("plugins", "check", "Acme.Broken")
    assert (answer.code, answer.out) == (2, "")
    assert "plugin acme-broken is failed: ModuleNotFoundError: No module named 'no_such_module'" in answer.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["acme-nothing"], "there is no plugin distribution 'acme-nothing'; there are: "),
        (["sampler/dimm"], "did you mean 'ddim'"),
        (["smapler/ddim"], "is not KIND/NAME, such as adapter/cga"),
        (["missing.py"], "there is no such file"),
        (["sampler/ddim", "--expect", "sampler.ordr=x"], "did you mean 'sampler.order'"),
        (["sampler/ddim", "--expect", "sampler.order"], "expected CHECK=REASON"),
        (["sampler/ddim", "--expect", "sampler.order="], "say why, in a sentence"),
        (["sampler/ddim", "--options", "[1"], "this is not valid YAML"),
        (["sampler/ddim", "--options", "eta"], "expected a mapping of options"),
        (["sampler/ddim", "--options", "{eat: 1}"], "sampler.ddim.eat: unknown key; did you mean 'eta'?"),
        (["texprior", "--options", "{eta: 1}"], "several components are checked"),
        (["adapter/cga", "--denoiser", "unett"], "there is no denoiser 'unett'; did you mean 'unet'?"),
        (["sampler/ddim", "--nothing"], "No such option"),
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_code_2(texprior, arguments, reason):
    answer = texprior("plugins", "check", *arguments)
    assert (answer.code, answer.out) == (2, ""), answer.err
    assert reason in answer.err
