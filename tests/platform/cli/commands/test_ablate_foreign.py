"""``texprior ablate`` with a folder that another program restored: a row beside the arms, in every table."""

import csv
from pathlib import Path

import pytest

SAMPLED = {"grid": {"sampling.steps": [1, 2]}, "seeds": [0], "metric": "psnr_rgb", "against": "texture_ratio_gauss2"}


@pytest.fixture
def theirs(texprior, pictures, tmp_path):
    """What a program does that returns its input: the degraded pictures of val, as the ablation has them."""
    defocus = "{defocus: {radius: 2.0, noise: 2.0}}"
    made = texprior("degrade", pictures / "val", "--with", defocus, "-o", tmp_path / "theirs")
    assert made.code == 0, made.err
    return tmp_path / "theirs"


def test_a_folder_is_a_row_with_its_difference_and_scores_as_the_same_pictures_do(texprior, in_study, write, theirs):
    foreign = {**SAMPLED, "model": str(in_study.model), "foreign": {"their <method>": str(theirs)}}
    answer = texprior("ablate", write(ablation=foreign), "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    with (Path(found["report"]).parent / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["arm"], row["metric"]): row for row in csv.DictReader(file)}
    row = rows["their <method>", "psnr_rgb"]
    # it is the degraded picture, so it scores as the report's own row of degraded pictures does
    cell = next(Path(c["folder"]) for c in found["cells"])
    with (cell / "scores.csv").open(encoding="utf-8", newline="") as file:
        own = [
            float(r["value"]) for r in csv.DictReader(file) if (r["method"], r["metric"]) == ("degraded", "psnr_rgb")
        ]
    assert float(row["mean"]) == pytest.approx(sum(own) / len(own), abs=1e-4)
    baseline = rows[found["baseline"], "psnr_rgb"]
    assert float(row["difference"]) == pytest.approx(float(row["mean"]) - float(baseline["mean"]), abs=1e-4)
    assert "their <method>" in found["ranking"]
    assert any("their <method>: pictures from files" in caveat for caveat in found["caveats"])
    page = Path(found["report"]).read_text(encoding="utf-8")
    assert "their &lt;method&gt;" in page
    # it is no arm that could be trained: the winner's experiment is that of an arm
    assert (Path(found["report"]).parent / "best.yaml").is_file()
    again = texprior("ablate", write(ablation=foreign), "--json")
    assert again.json["table"] == found["table"]


def test_a_name_of_an_arm_and_a_missing_picture_start_nothing(texprior, in_study, write, theirs, tmp_path):
    described = {**SAMPLED, "model": str(in_study.model)}
    twins = texprior("ablate", write(ablation={**described, "foreign": {"steps=1": str(theirs)}}), "--dry-run")
    assert twins.code == 2
    assert "there are two arms 'steps=1'" in twins.err
    next(theirs.glob("*.png")).unlink()
    for options in ([], ["--dry-run"]):
        missing = texprior("ablate", write(ablation={**described, "foreign": {"theirs": str(theirs)}}), *options)
        assert missing.code == 2
        assert "ablation.foreign.theirs" in missing.err
        assert "1 of 2 pictures of val are missing" in missing.err
