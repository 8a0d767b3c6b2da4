"""What every metric promises: scores per image, the declared direction, sentences where pictures do not fit."""

import hashlib
from pathlib import Path

import pytest
import torch

import texprior_plugins.metric
from texprior import weights
from texprior.errors import ConfigError, ImageError
from texprior.flow.measure import measure
from texprior_plugins.metric import CEILING_DB, texprior_metrics

RECORDS = {record.name: record for record in texprior_metrics()}
BEST = {"psnr": CEILING_DB, "ssim": 1.0, "lpips_alex": 0.0, "texture_ratio": 1.0}
each = pytest.mark.parametrize("name", RECORDS)


def badness(name, scores):
    """Grows as a picture gets worse, by the direction that the record declares."""
    return {"higher": -scores, "lower": scores, "one": (scores - 1).abs()}[RECORDS[name].better]


@each
def test_a_score_depends_on_its_own_picture_alone(build, photographs, noise, name):
    metric, restored = build(name), photographs + 0.03 * noise
    together = metric(restored, photographs)
    alone = torch.cat([metric(restored[i : i + 1], photographs[i : i + 1]) for i in range(3)])
    assert together.shape == (3,)
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(metric(restored.flip(0), photographs.flip(0)), together.flip(0), rtol=1e-6, atol=1e-6)


@each
def test_more_noise_is_worse(build, photographs, noise, name):
    metric = build(name)
    levels = [metric(photographs + sigma * noise, photographs) for sigma in (0.02, 0.05, 0.1, 0.2)]
    worse = torch.stack([badness(name, scores) for scores in levels]).diff(dim=0)
    assert (worse > 0).all()


@pytest.mark.parametrize("name", BEST)
def test_the_reference_itself_is_best(build, photographs, noise, name):
    metric = build(name)
    itself = metric(photographs, photographs)
    torch.testing.assert_close(itself.double(), torch.full((3,), BEST[name]).double(), rtol=1e-12, atol=1e-12)
    assert (badness(name, itself) < badness(name, metric(photographs + 0.004 * noise, photographs))).all()


@each
def test_pictures_are_left_as_they_were(build, photographs, noise, name):
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
    assert (build("lpips_alex").key, build("niqe").key) == ("lpips_alex", "niqe")


def test_niqe_needs_no_reference(build, photographs):
    scores = measure(photographs, None, {"niqe": build("niqe")})
    assert scores["niqe"].dtype is torch.float64
    torch.testing.assert_close(scores["niqe"], build("niqe")(photographs, photographs))
    assert not RECORDS["niqe"].reference


@pytest.mark.parametrize("name", BEST)
def test_a_missing_or_unfit_reference_is_a_sentence(build, photographs, name):
    with pytest.raises(ConfigError, match="compares with a reference and was given none"):
        build(name)(photographs, None)
    with pytest.raises(ImageError, match="picture and reference differ in shape"):
        build(name)(photographs, photographs[..., :-1])


@pytest.mark.parametrize(
    ("name", "options", "minimum"),
    [
        ("psnr", {"crop": 4}, 9),
        ("ssim", {}, 11),
        ("lpips_alex", {}, 31),
        ("niqe", {}, 96),
        ("texture_ratio", {"sigma": 3.0}, 13),
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


@pytest.mark.parametrize("record", [w for r in RECORDS.values() for w in r.weights], ids=lambda w: w.name)
def test_shipped_parameters_are_packaged_and_of_the_recorded_content(monkeypatch, tmp_path, record):
    monkeypatch.setenv("TEXPRIOR_WEIGHTS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.content_hash(weights.load(record)) == record.tensors_sha256


def test_notice_names_every_shipped_file_with_its_hash():
    plugins = Path(texprior_plugins.metric.__file__).parents[1]
    notice = (Path(__file__).parents[3] / "NOTICE").read_text()
    shipped = sorted(plugins.rglob("*.safetensors"))
    assert len(shipped) >= 3
    for file in shipped:
        assert f"plugins/texprior_plugins/{file.relative_to(plugins).as_posix()}" in notice
        assert hashlib.sha256(file.read_bytes()).hexdigest() in notice
