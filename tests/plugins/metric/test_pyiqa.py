"""pyiqa's metrics: a sentence where the package is not, its own scores where it is (make test-extras)."""

import sys

import pytest
import torch
from pydantic import ValidationError

from texprior.errors import ConfigError, ImageError
from texprior.flow.measure import direction, measure, needs_reference
from texprior_plugins.metric import PyiqaOptions, texprior_metrics

RECORD = next(record for record in texprior_metrics() if record.name == "pyiqa")


@pytest.fixture
def installed():
    """The package; skipped where it cannot be imported, as beside a torch without torchvision."""
    return pytest.importorskip("pyiqa", reason="the extra pyiqa is not installed", exc_type=ImportError)


def test_a_missing_package_is_a_sentence(build, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(ConfigError, match=r"metric pyiqa needs the package pyiqa, .* install texprior\[pyiqa\]"):
        build("pyiqa", name="psnr")


@pytest.mark.parametrize("name", ["", "PSNR", "a/b", "../x", "clipiqa "])
def test_a_name_is_one_word(name):
    with pytest.raises(ValidationError):
        PyiqaOptions(name=name)


@pytest.mark.parametrize(
    ("name", "ours", "options", "tolerance"),
    [
        ("psnr", "psnr", {}, 1e-4),
        ("ssim", "ssim", {"space": "yiq_rounded"}, 1e-3),
        ("ms_ssim", "ms_ssim", {"space": "yiq_rounded"}, 1e-3),
    ],
)
def test_its_metrics_of_a_closed_form_are_ours(installed, build, photographs, noise, name, ours, options, tolerance):
    reference = (photographs * 255).round() / 255
    restored = ((photographs + 0.05 * noise).clamp(0, 1) * 255).round() / 255
    metric = build("pyiqa", name=name)
    assert metric.key == f"pyiqa_{name}"
    assert (direction(metric, RECORD), needs_reference(metric, RECORD)) == ("higher", True)
    scores = measure(restored, reference, {metric.key: metric})[metric.key]
    torch.testing.assert_close(scores, build(ours, **options)(restored, reference), rtol=tolerance, atol=0)


def test_it_is_what_pyiqa_says(installed, build, photographs, noise):
    """GMSD is better when it is lower; a score depends on its own picture alone."""
    metric, restored = build("pyiqa", name="gmsd"), (photographs + 0.05 * noise).clamp(0, 1)
    assert direction(metric, RECORD) == "lower"
    scores = metric(restored, photographs)
    package = installed.create_metric("gmsd", device="cpu")
    torch.testing.assert_close(scores, package(restored, photographs).double().reshape(3), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(metric(restored[:1], photographs[:1]), scores[:1], rtol=1e-6, atol=0)
    assert (metric(photographs, photographs) < scores).all()


def test_what_it_does_not_have_and_what_scores_no_picture_are_sentences(installed, build, photographs):
    with pytest.raises(ConfigError, match=r"there is no metric 'nique' in pyiqa; known are: .*niqe"):
        build("pyiqa", name="nique")
    with pytest.raises(ConfigError, match="pyiqa: 'fid' "):
        build("pyiqa", name="fid")
    with pytest.raises(ImageError, match="picture and reference differ in shape"):
        build("pyiqa", name="psnr")(photographs, photographs[..., :-1])
    with pytest.raises(ConfigError, match="pyiqa_psnr needs a reference"):
        build("pyiqa", name="psnr")(photographs, None)
