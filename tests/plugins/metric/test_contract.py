"""What every metric promises: scores per image, the declared direction, sentences where pictures do not fit."""

import hashlib
import importlib
from pathlib import Path

import pytest
import torch

import texprior_plugins.metric
from texprior import weights
from texprior.errors import ConfigError, ImageError
from texprior.flow.measure import measure
from texprior_plugins.metric import CEILING_DB, texprior_metrics

RECORDS = {record.name: record for record in texprior_metrics()}
BEST = {
    "psnr": CEILING_DB,
    "band_psnr": CEILING_DB,
    "ssim": 1.0,
    "ms_ssim": 1.0,
    "lpips_alex": 0.0,
    "lpips_vgg": 0.0,
    "dists": 0.0,
    "texture_ratio": 1.0,
}
WITHOUT_REFERENCE = ("niqe", "brisque")
each = pytest.mark.parametrize("name", [*BEST, *WITHOUT_REFERENCE])


def badness(name, scores):
    """Grows as a picture gets worse, by the direction that the record declares."""
    return {"higher": -scores, "lower": scores, "one": (scores - 1).abs()}[RECORDS[name].better]


def test_every_metric_that_scores_pictures_here_is_held_to_the_contract():
    """Scope set has tests of its own, and pyiqa's where it is installed."""
    scored = {name for name, record in RECORDS.items() if record.scope == "image"}
    assert scored - {"pyiqa"} == {*BEST, *WITHOUT_REFERENCE}
    assert {name for name in scored if not RECORDS[name].reference} == set(WITHOUT_REFERENCE)


@each
def test_a_score_depends_on_its_own_picture_alone(build, shown, name):
    metric, (photographs, noise) = build(name), shown(name)
    restored = photographs + 0.03 * noise
    together = metric(restored, photographs)
    alone = torch.cat([metric(restored[i : i + 1], photographs[i : i + 1]) for i in range(3)])
    assert together.shape == (3,)
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(metric(restored.flip(0), photographs.flip(0)), together.flip(0), rtol=1e-6, atol=1e-6)


@each
def test_more_noise_is_worse(build, shown, name):
    metric, (photographs, noise) = build(name), shown(name)
    levels = [metric(photographs + sigma * noise, photographs) for sigma in (0.02, 0.05, 0.1, 0.2)]
    worse = torch.stack([badness(name, scores) for scores in levels]).diff(dim=0)
    assert (worse > 0).all()


@pytest.mark.parametrize("name", BEST)
def test_the_reference_itself_is_best(build, shown, name):
    metric, (photographs, noise) = build(name), shown(name)
    itself = metric(photographs, photographs)
    torch.testing.assert_close(itself.double(), torch.full((3,), BEST[name]).double(), rtol=1e-12, atol=1e-12)
    assert (badness(name, itself) < badness(name, metric(photographs + 0.004 * noise, photographs))).all()


@each
def test_pictures_are_left_as_they_were(build, shown, name):
    photographs, noise = shown(name)
    restored, reference = photographs + 0.03 * noise, photographs.clone()
    before = restored.clone()
    build(name)(restored, reference)
    assert torch.equal(restored, before)
    assert torch.equal(reference, photographs)


def test_keys_say_colour_space_and_window(build):
    assert build("psnr").key == "psnr_rgb"
    assert build("psnr", space="y", crop=4).key == "psnr_y_crop4"
    assert build("ssim").key == "ssim_y_gauss11"
    assert build("ssim", space="yiq_rounded").key == "ssim_yiq_rounded_gauss11"
    assert build("texture_ratio").key == "texture_ratio_gauss2"
    assert build("texture_ratio", sigma=1.5).key == "texture_ratio_gauss1.5"
    assert build("ms_ssim").key == "ms_ssim_y_gauss11"
    assert build("ms_ssim", space="rgb").key == "ms_ssim_rgb_gauss11"
    assert build("band_psnr").key == "psnr_texture_rgb_gauss2"
    assert build("band_psnr", band="structure", space="y", sigma=3).key == "psnr_structure_y_gauss3"
    assert build("kernel_distance_mobilenet_v2").key == "kernel_distance_mobilenet_v2_14"
    for name in ("lpips_alex", "lpips_vgg", "dists", *WITHOUT_REFERENCE):
        assert build(name).key == name


@pytest.mark.parametrize("name", WITHOUT_REFERENCE)
def test_what_needs_no_reference_ignores_it(build, photographs, name):
    scores = measure(photographs, None, {name: build(name)})[name]
    assert scores.dtype is torch.float64
    torch.testing.assert_close(scores, build(name)(photographs, photographs.flip(0)))


@each
def test_scores_are_those_of_double_precision_pictures(build, shown, name):
    """A float32 picture holds its values to 6e-8; a score in half precision would be off by percents."""
    metric, (photographs, noise) = build(name), shown(name)
    restored = photographs + 0.03 * noise
    single, double = metric(restored, photographs), metric(restored.double(), photographs.double())
    torch.testing.assert_close(single.double(), double.double(), rtol=1e-5, atol=1e-6)


@each
def test_nothing_runs_in_double_precision_on_a_device_without_it(build, shown, name, monkeypatch):
    """Apple's devices have no float64: there the metric works on the CPU, or in float32."""
    metric, (photographs, noise) = build(name), shown(name)
    restored = photographs + 0.03 * noise
    expected, moved = metric(restored, photographs), []
    plain_cpu = torch.Tensor.cpu
    monkeypatch.setattr("texprior_plugins.metric._precision.lacks_double", lambda _device: True)
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: moved.append(tensor.shape) or plain_cpu(tensor))
    torch.testing.assert_close(metric(restored, photographs), expected, rtol=0, atol=0)
    learned = name in ("lpips_alex", "lpips_vgg", "dists")
    assert learned == (expected.dtype is torch.float32)
    assert learned == (moved == [])


@pytest.mark.parametrize("name", BEST)
def test_a_missing_or_unfit_reference_is_a_sentence(build, shown, name):
    photographs, _ = shown(name)
    with pytest.raises(ConfigError, match="needs a reference picture, and none was passed; niqe needs no reference"):
        build(name)(photographs, None)
    with pytest.raises(ImageError, match="picture and reference differ in shape"):
        build(name)(photographs, photographs[..., :-1])


@pytest.mark.parametrize(
    ("name", "options", "minimum"),
    [
        ("psnr", {"crop": 4}, 9),
        ("ssim", {}, 11),
        ("ms_ssim", {}, 161),
        ("lpips_alex", {}, 31),
        ("lpips_vgg", {}, 16),
        ("dists", {}, 16),
        ("niqe", {}, 96),
        ("brisque", {}, 14),
        ("texture_ratio", {"sigma": 3.0}, 13),
        ("band_psnr", {"sigma": 3.0}, 13),
    ],
)
def test_the_smallest_picture_works_and_a_smaller_one_is_a_sentence(build, photographs, noise, name, options, minimum):
    metric, restored = build(name, **options), photographs + 0.03 * noise
    fits, narrow = (..., slice(minimum), slice(minimum + 1)), (..., slice(minimum + 1), slice(minimum - 1))
    assert metric(restored[fits], photographs[fits]).isfinite().all()
    with pytest.raises(ImageError, match=rf"{minimum - 1}x{minimum + 1} px is too small, .* {minimum} px or more"):
        metric(restored[narrow], photographs[narrow])


@each
def test_grey_tensors_are_refused(build, photographs, name):
    with pytest.raises(ImageError, match=r"\(B, 3, H, W\) are needed"):
        build(name)(photographs[:, :1], photographs[:, :1])


PACKAGED = {w.name: w for r in RECORDS.values() for w in r.weights if w.packaged}


@pytest.mark.parametrize("record", PACKAGED.values(), ids=PACKAGED)
def test_shipped_parameters_are_packaged_and_of_the_recorded_content(monkeypatch, tmp_path, record):
    monkeypatch.setenv("TEXPRIOR_WEIGHTS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.content_hash(weights.load(record)) == record.tensors_sha256


def test_notice_names_every_shipped_file_with_its_hash():
    plugins = Path(texprior_plugins.metric.__file__).parents[1]
    notice = (Path(__file__).parents[3] / "NOTICE").read_text()
    shipped = sorted(plugins.rglob("*.safetensors"))
    assert len(shipped) >= 4
    for file in shipped:
        assert f"plugins/texprior_plugins/{file.relative_to(plugins).as_posix()}" in notice
        assert hashlib.sha256(file.read_bytes()).hexdigest() in notice


PREPARED = ("lpips_alex", "lpips_vgg", "dists", "texture_ratio")


@pytest.mark.parametrize("kept_px", [0, 2**20])
@pytest.mark.parametrize("name", PREPARED)
def test_a_prepared_reference_changes_no_bit_of_a_score(build, shown, name, kept_px, monkeypatch):
    """Whether its activations are kept or, as those of a large picture, computed again."""
    metric, (photographs, noise) = build(name), shown(name)
    monkeypatch.setattr("texprior_plugins.metric._precision.KEPT_PX", kept_px)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scoring = metric.against(photographs)
        for level in (0.2, 0.02):
            restored = photographs + level * noise
            assert torch.equal(scoring(restored), metric(restored, photographs))
    with pytest.raises(ImageError, match="differ in shape"):
        scoring(photographs[..., 1:])


@pytest.mark.parametrize(("name", "convolutions"), [("lpips_alex", 5), ("lpips_vgg", 13), ("dists", 13)])
def test_each_version_costs_one_pass_of_the_trunk(build, shown, name, convolutions, monkeypatch):
    metric, (photographs, noise) = build(name), shown(name)
    scoring, seen, convolve = metric.against(photographs), [], torch.nn.functional.conv2d

    def counted(image, weight, bias=None, *more, **named):
        seen.append(bias is not None)  # heads and poolings have none
        return convolve(image, weight, bias, *more, **named)

    monkeypatch.setattr(torch.nn.functional, "conv2d", counted)
    for level in (0.1, 0.2):
        scoring(photographs + level * noise)
    assert sum(seen) == 2 * convolutions


def test_every_metric_with_a_prepared_reference_is_held_to_it():
    assert {r.name for r in RECORDS.values() if "against" in vars_of(r)} == set(PREPARED)


def vars_of(record):
    module, _, name = record.impl.partition(":")
    return dir(getattr(importlib.import_module(module), name))
