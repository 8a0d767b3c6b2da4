"""``texprior evaluate`` with a metric of scope set: one score for each method's pictures."""

import csv

import pytest
import torch
from PIL import Image

from texprior.flow.degrade import degraded_sample
from texprior.flow.image import Sample, load_image
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior_plugins.metric import KernelDistanceOptions
from texprior_plugins.metric.kernel_distance import KernelDistance

KEY = "kernel_distance_mobilenet_v2_4"


@pytest.fixture
def scenes(pictures, tmp_path):
    """Four pictures that no training has seen, 60 x 100 px."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for name in ("chelsea", "china"):
        with Image.open(pictures / "val" / f"{name}.png") as image:
            for side in (0, 60):
                image.crop((side, 0, side + 60, 100)).save(folder / f"{name}{side}.png")
    return folder


def test_the_score_of_a_method_is_that_of_its_pictures_as_a_set(texprior, in_study, scenes, tmp_path):
    metrics = f"metrics=[psnr, {{kernel_distance_mobilenet_v2: {{stages: {KEY[-1]}}}}}, niqe]"
    options = ["--split", "test", "--set", f"data.test={{folder: {{path: '{scenes}'}}}}", "--set", metrics]
    chosen = ["--texture-strengths", "0,1", "--set", "evaluation.choose_by=psnr_rgb", "--set", "events=[]"]
    command = ["evaluate", in_study.file, "--model", in_study.model, *options, *chosen, "-o", tmp_path / "out"]
    answer = texprior(*command, "--json")
    assert answer.code == 0, answer.err
    found = answer.json["metrics"]
    assert answer.json["better"] == {"psnr_rgb": "higher", KEY: "lower", "niqe": "lower"}

    # the degraded pictures, made again, as one set
    degradation = Registry.discover().build("degradation", Ref(name="defocus", options={"radius": 2.0, "noise": 2.0}))
    metric, files = KernelDistance(KernelDistanceOptions(stages=int(KEY[-1]))), sorted(scenes.iterdir())
    clean = [load_image(file) for file in files]
    degraded = [degraded_sample(Sample(f.name, c), degradation, 0)[None] for f, c in zip(files, clean, strict=True)]
    with torch.no_grad():
        rows = [torch.cat([metric.features(p) for p in part]) for part in (degraded, [c[None] for c in clean])]
    expected = metric.contributions(*rows)
    assert found["degraded"][KEY]["mean"] == pytest.approx(expected.mean().item(), rel=1e-4)
    assert found["degraded"][KEY]["standard_error"] == pytest.approx(expected.std().item() / 2, rel=1e-4)
    assert found["degraded"][KEY]["pictures"] == 4

    # 60 px are too few for niqe, which leaves the other metrics alone
    assert found["degraded"]["niqe"]["pictures"] == 0
    assert answer.err.count("no score of niqe") == 4
    assert found["degraded"]["psnr_rgb"]["pictures"] == 4

    # both halves choose the base alone, so that the set of the chosen ones is that of w = 0
    with (tmp_path / "out" / "scores.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert {float(r["texture_strength"]) for r in table if r["method"].endswith("w chosen")} == {0.0}
    base, whole = (next(m for m in found if m.endswith(f" w {w}")) for w in (0, 1))
    (mixed,) = (m for m in found if m.endswith("w chosen"))
    chosen, alone = (dict(found[method][KEY]) for method in (mixed, base))
    # four pictures are too few for an interval
    assert [row.pop(end) for row in (chosen, alone) for end in ("low", "high")] == [None] * 4
    assert chosen == pytest.approx(alone, rel=1e-9)
    assert found[whole][KEY]["mean"] != pytest.approx(found[base][KEY]["mean"], rel=1e-3)


def test_the_same_metric_twice_stops_the_evaluation(texprior, in_study, tmp_path):
    command = ["evaluate", in_study.file, "--model", in_study.model, "--split", "val", "-o", tmp_path / "out"]
    answer = texprior(*command, "--set", "metrics=[psnr, {psnr: {crop: 0}}]", "--set", "events=[]")
    assert (answer.code, answer.out) == (2, "")
    assert "metrics.1: psnr_rgb is named twice" in answer.err
