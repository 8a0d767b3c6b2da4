"""A metric on the command line: its component, its component with options, or its key."""

import pytest

from texprior.cli.metric_names import parse_metric, recorded_key
from texprior.errors import TexpriorError
from texprior.plugin import Ref
from texprior.registry import Registry


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("psnr", "psnr_rgb"),
        ("psnr_rgb", "psnr_rgb"),
        ("psnr_y", "psnr_y"),
        ("ssim_rgb_gauss11", "ssim_rgb_gauss11"),
        ("psnr_structure_rgb_gauss2", "psnr_structure_rgb_gauss2"),
        ("texprior/psnr", "psnr_rgb"),
        ("{psnr: {space: y}}", "psnr_y"),
        ("niqe", "niqe"),
    ],
)
def test_each_form_means_the_metric_with_this_key(registry, text, key):
    assert registry.build("metric", parse_metric(registry, text, "--metric")).key == key


@pytest.mark.parametrize("text", ["psnr_rgbx", "psn", "{psnr: {space: z}}", "a-b", ""])
def test_what_is_no_metric_is_refused_as_before(registry, text):
    with pytest.raises(TexpriorError, match=r"psn|metric"):
        parse_metric(registry, text, "--metric")


def test_a_key_of_two_plugins_is_refused_by_name(registry, tmp_path):
    file = tmp_path / "twin_metrics.py"
    file.write_text(
        "from texprior.plugin import Metric, hookimpl\n\n@hookimpl\ndef texprior_metrics():\n"
        "    return [Metric('twin', 'twin_metrics:Twin', better='higher')]\n\n"
        "class Twin:\n    key = 'psnr_rgb'\n    def __init__(self, options): pass\n"
        "    def __call__(self, image, reference): return image.flatten(1).mean(1)\n"
    )
    with pytest.raises(TexpriorError, match=r"the key of several metrics; name one of .*twin"):
        parse_metric(Registry.discover([file]), "psnr_rgb", "--metric")


def test_a_component_means_the_one_of_its_keys_that_is_recorded(registry):
    assert recorded_key(registry, "psnr", ["psnr_y", "niqe"], "--where") == "psnr_y"
    assert recorded_key(registry, "psnr", ["niqe"], "--where") == "psnr"
    assert recorded_key(registry, "accuracy", ["accuracy"], "--where") == "accuracy"
    with pytest.raises(TexpriorError, match="'psnr' stands for psnr_rgb and for psnr_y there; name one"):
        recorded_key(registry, "psnr", ["psnr_y", "psnr_rgb"], "--where")


def test_a_study_that_is_named_by_the_component_is_that_of_the_key(texprior, write, runs):
    grid = {"grid": {"sampling.steps": [1, 2]}, "seeds": [0]}

    def ablation(metric, against):
        file = write(ablation={**grid, "metric": metric, "against": against})
        return texprior("ablate", file, "--status", "--json").json["ablation"]

    assert ablation("psnr", "texture_ratio") == ablation("psnr_rgb", None) == ablation("psnr_rgb", "psnr")

    def sweep(metric):
        return texprior("sweep", write(sweep={"space": {"adapter.cga.kernel": [1, 3]}, "metric": metric}), "--status")

    # there is no study: the sentence names the one that was looked for
    assert sweep("psnr").err == sweep("psnr_rgb").err
    assert "psnr_rgb" in sweep("psnr").err


@pytest.mark.parametrize(
    ("command", "section", "said"),
    [
        ("sweep", {"sweep": {"metric": "psnr", "space": {"adapter.cga.kernel": [1, 3]}}}, "sweep.metric: 'psnr'"),
        (
            "sweep",
            {"sweep": {"metric": "niqe", "also": ["psnr"], "space": {"adapter.cga.kernel": [1, 3]}}},
            "sweep.also: 'psnr'",
        ),
        ("ablate", {"ablation": {"arms": {"a": {}}, "metric": "psnr"}}, "ablation.metric: 'psnr'"),
        ("ablate", {"ablation": {"arms": {"a": {}}, "metric": "niqe", "against": "psnr"}}, "ablation.against: 'psnr'"),
    ],
)
def test_a_name_that_stands_for_two_keys_is_a_sentence(texprior, write, runs, command, section, said):
    metrics = [{"psnr": {"space": "rgb"}}, {"psnr": {"space": "y"}}, "niqe"]
    answer = texprior(command, write(metrics=metrics, **{"sweep": {"metric": "niqe"}, **section}), "--status")
    assert answer.code == 2
    assert f"{said} stands for psnr_rgb and for psnr_y here; name one of them" in answer.err


def test_two_objectives_that_are_one_are_refused(texprior, write, runs):
    sweep = {"metric": "psnr", "also": ["psnr_rgb"], "space": {"adapter.cga.kernel": [1, 3]}}
    assert "name an objective twice, as psnr_rgb, psnr_rgb" in texprior("sweep", write(sweep=sweep), "--status").err


def test_the_text_is_a_component_reference(registry):
    assert parse_metric(registry, "psnr_y", "--metric") == Ref(name="texprior/psnr", options={"space": "y"})
