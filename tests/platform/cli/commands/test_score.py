"""``texprior score`` on folders of pictures: numbers that can be redone, what is left out, and what is refused."""

import csv
import io
import math

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folders(tmp_path):
    """References of value 100, and two folders that are off by known numbers of levels; one lacks a picture."""
    rng = np.random.default_rng(0)

    def save(name, level, numbers, suffix="png", size=(64, 72)):
        (tmp_path / name / "sub").mkdir(parents=True)
        for n in numbers:
            Image.fromarray(np.full((*size, 3), level + n, dtype=np.uint8)).save(
                tmp_path / name / "sub" / f"{n}.{suffix}"
            )
        return tmp_path / name

    for n in range(2):  # photographs for a metric that needs no reference
        (tmp_path / "noise").mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)).save(tmp_path / "noise" / f"{n}.png")
    return save("gt", 100, range(8)), save("near", 110, range(8), "bmp"), save("far", 120, range(7))


def psnr(levels):
    return 20 * math.log10(255 / levels)


def test_scores_and_paired_differences_are_those_of_the_common_pictures(texprior, folders, tmp_path):
    gt, near, far = folders
    options = ["--reference", gt, "--metric", "psnr", "-o", tmp_path / "all.csv", "--json"]
    answer = texprior("score", near, f"theirs={far}", *options)
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["baseline"] == "near"
    assert found["left_out"] == {"sub/7": ["theirs"]}
    assert {name: row["psnr_rgb"]["mean"] for name, row in found["metrics"].items()} == pytest.approx(
        {"near": psnr(10), "theirs": psnr(20)}
    )
    paired = found["against_baseline"]["theirs"]["psnr_rgb"]
    assert paired["difference"]["mean"] == pytest.approx(psnr(20) - psnr(10))
    assert (paired["wins"], paired["difference"]["pictures"]) == (0, 7)
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["method"], row["picture"]) for row in rows} == {
        (m, f"sub/{n}") for m in ("near", "theirs") for n in range(7)
    }


def test_the_tables_say_the_same_in_each_form(texprior, folders):
    gt, near, far = folders
    call = ["score", near, far, "--baseline", "far", "--reference", gt, "--metric", "psnr"]
    markdown = texprior(*call, "--format", "markdown").out
    assert f"| near | 7 | **{psnr(10):.4g}** ± 0 | {psnr(10) - psnr(20):.4g} ±" in markdown
    (_, row) = csv.DictReader(io.StringIO(texprior(*call, "--format", "csv").out))
    assert float(row["psnr_rgb"]) == pytest.approx(psnr(20), abs=1e-3)
    assert r"\toprule" in texprior(*call, "--format", "latex").out
    assert "Minus far, picture by picture" in texprior(*call).out


def test_without_a_reference_only_metrics_that_need_none_are_used(texprior, folders, tmp_path):
    answer = texprior("score", tmp_path / "noise", "--json")
    assert answer.code == 0, answer.err
    assert set(answer.json["better"]) == {"niqe", "brisque"}
    refused = texprior("score", tmp_path / "noise", "--metric", "psnr")
    assert refused.code == 2
    assert "needs a reference; give --reference" in refused.err


def test_a_picture_of_another_size_is_named_and_the_others_are_scored(texprior, folders, tmp_path):
    gt, near, _ = folders
    Image.fromarray(np.zeros((64, 70, 3), np.uint8)).save(near / "sub" / "3.bmp")
    answer = texprior("score", near, "--reference", gt, "--metric", "psnr", "--json")
    assert answer.code == 1
    assert answer.json["metrics"]["near"]["psnr_rgb"]["pictures"] == 7
    assert "sub/3: the pictures must have one size: reference 72 x 64 px, near 70 x 64 px" in answer.err


@pytest.mark.parametrize(("arguments", "said"), [
    (["nowhere"], "nowhere: there is no such folder"),
    (["{near}", "{near}"], "two folders are named 'near'; give one a name"),
    (["{near}", "--baseline", "x"], "--baseline x: there is no such folder here; they are near"),
    (["{near}", "--metric", "psrn"], "'psnr'"),
    (["{near}", "{noise}", "--metric", "niqe"], "no picture is in all of near, noise"),
])  # fmt: skip
def test_bad_input_is_a_sentence(texprior, folders, tmp_path, arguments, said):
    answer = texprior("score", *(text.format(near=folders[1], noise=tmp_path / "noise") for text in arguments))
    assert answer.code == 2
    assert said in answer.err


def test_names_that_differ_in_their_suffixes_only_are_refused(texprior, folders):
    _, near, _ = folders
    Image.fromarray(np.zeros((64, 72, 3), np.uint8)).save(near / "sub" / "3.png")
    answer = texprior("score", near, "--metric", "niqe")
    assert answer.code == 2
    assert "differ in their suffixes only" in answer.err


def test_no_picture_and_no_folder_is_overwritten_and_nothing_is_scored_first(texprior, folders):
    gt, near, _ = folders
    picture, reference = near / "sub" / "0.bmp", gt / "sub" / "0.png"
    for target, said in (
        (picture, "one of the pictures"),
        (reference, "one of the pictures"),
        (gt, "this is a folder"),
    ):
        before = target.read_bytes() if target.is_file() else b""
        answer = texprior("score", near, "--reference", gt, "--metric", "psnr", "-o", target)
        assert answer.code == 2
        assert said in answer.err
        assert "scored" not in answer.err
        assert (target.read_bytes() if target.is_file() else b"") == before


def test_a_folder_with_the_name_of_the_reference_is_compared_as_itself(texprior, folders, monkeypatch):
    """A picture that it lacks is left out, as for any other folder."""
    gt, near, far = folders
    monkeypatch.chdir(gt.parent)
    answer = texprior("score", near, f"gt={far.resolve()}/.", "--reference", "gt", "--metric", "psnr", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["left_out"] == {"sub/7": ["gt"]}


def test_a_folder_without_a_name_is_refused(texprior, folders):
    _, near, _ = folders
    answer = texprior("score", f"={near}")
    assert answer.code == 2
    assert "a folder needs a name before '='" in answer.err


def test_every_form_says_how_many_pictures_a_metric_leaves_out(texprior, folders):
    """MS-SSIM needs 161 px: one of three pictures is too small for it, and its mean is over two."""
    noise = folders[0].parent / "noise"
    Image.fromarray(np.full((64, 64, 3), 9, dtype=np.uint8)).save(noise / "small.png")
    call = ["score", noise, "--reference", noise, "--metric", "psnr", "--metric", "ms_ssim", "--format"]
    for form in ("markdown", "latex"):
        answer = texprior(*call, form)
        assert answer.code == 0, answer.err
        assert "leaves out 1 of the pictures" in answer.out
    row = next(csv.DictReader(io.StringIO(texprior(*call, "csv").out)))
    assert row["pictures"] == "3"
    assert [value for name, value in row.items() if name.startswith("ms_ssim") and name.endswith(" pictures")] == ["2"]
