"""The published values of five reference/distorted pairs (the IQA calibration set)."""

import csv

import pytest
import torch
from safetensors.torch import load_file

from texprior.flow.image import load_image

PAIRS = ("I03", "I04", "I06", "I08", "I19")


@pytest.fixture(scope="module")
def calibration(shared):
    """(distorted, reference, published scores by metric), pictures of 384 x 512 px."""
    folder = shared / "oracles" / "iqa_calibration"
    with (folder / "results_official.csv").open() as file:
        published = {row[0]: row[1:] for row in csv.reader(file)}
    assert [name.removesuffix(".bmp") for name in published["Method"]] == list(PAIRS)
    distorted, reference = (
        torch.stack([load_image(folder / side / f"{pair}.png") for pair in PAIRS])
        for side in ("distorted", "reference")
    )
    scores = {
        name: torch.tensor([float(v) for v in row]).double() for name, row in published.items() if name != "Method"
    }
    return distorted, reference, scores


@pytest.mark.parametrize(
    ("published", "name", "options", "absolute", "relative"),
    [
        # the published PSNR has two decimals, SSIM and LPIPS four
        ("psnr", "psnr", {}, 5e-3, 0),
        ("ssim", "ssim", {"space": "yiq_rounded"}, 1e-4, 0),
        ("lpips", "lpips_alex", {}, 2e-4, 0),
        ("niqe", "niqe", {}, 0, 6e-3),
        # of unknown borders between scales; the pairs without errors of low frequency agree to all four decimals
        ("ms_ssim", "ms_ssim", {"space": "yiq_rounded"}, 5e-3, 0),
    ],
)
def test_published_scores(calibration, build, published, name, options, absolute, relative):
    distorted, reference, scores = calibration
    ours = build(name, **options)(distorted, reference).double()
    torch.testing.assert_close(ours, scores[published], atol=absolute, rtol=relative)


def test_published_dists_of_the_first_pair(calibration, build):
    distorted, reference, scores = calibration
    ours = build("dists")(distorted[:1], reference[:1]).double()
    torch.testing.assert_close(ours, scores["dists"][:1], atol=5e-5, rtol=0)


def test_published_brisque(calibration, build):
    """I08 and I19 are flat in 2 % and 30 % of their pixels, where the release fits the filter's rounding errors.

    Five equal orders of its sums give 4.9 to 5.9 and 64 to 74 there. Here flat pixels have no sign and no side.
    """
    distorted, _, scores = calibration
    ours = build("brisque")(distorted)
    textured, flat = [0, 1, 2], [3, 4]
    torch.testing.assert_close(ours[textured], scores["brisque"][textured], atol=2e-3, rtol=0)
    torch.testing.assert_close(ours[flat], scores["brisque"][flat], atol=0.6, rtol=0.03)


def test_niqe_is_exact_where_nothing_is_flat_or_saturated(calibration, build):
    distorted, _, scores = calibration
    assert build("niqe")(distorted[1:2]).item() == pytest.approx(scores["niqe"][1].item(), rel=1e-7)


@pytest.mark.parametrize(("space", "expected"), [("y", 0.7353), ("rgb", 0.6732)])
def test_ssim_of_the_first_pair_in_other_spaces(calibration, build, space, expected):
    distorted, reference, _ = calibration
    assert build("ssim", space=space)(distorted[:1], reference[:1]).item() == pytest.approx(expected, abs=1e-4)


def test_float16_parameters_hardly_move_lpips(calibration, build, shared):
    distorted, reference, _ = calibration
    rounded, exact = build("lpips_alex"), build("lpips_alex")
    exact.tensors = exact.tensors | load_file(shared / "weights" / "lpips_alex.safetensors")
    torch.testing.assert_close(rounded(distorted, reference), exact(distorted, reference), atol=2e-4, rtol=0)
