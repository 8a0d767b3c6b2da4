"""texprior ablate on the tiny study: 2 arms x 2 seeds, its numbers redone from the CSV, and what goes wrong."""

import base64
import csv
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy import stats

GRID = {
    "grid": {"decomposition": ["guided", "l0"]},
    "seeds": [0, 1],
    "metric": "psnr_rgb",
    "predictor_alone": False,
}
PICKY = """
from texprior.plugin import Decomposition, hookimpl

class Picky:
    def __init__(self, options):
        pass

    def __call__(self, image):
        import os

        from texprior.flow.decompose import Layers

        if image.shape[-1] > 64 and "PATIENT" not in os.environ:
            raise ValueError("too wide for me")
        return Layers(image / 2, image / 2)

@hookimpl
def texprior_decompositions():
    return [Decomposition("picky", "picky:Picky", summary="Fails on whole photographs.")]
"""


def client_of(found):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=found["run"]["tracking_uri"])


def runs_of(found, stage):
    """An ablation's runs of a stage in MLflow, by name; each name is there once."""
    query = f"tags.`texprior.ablation` = '{found['ablation']}' and tags.`texprior.stage` = '{stage}'"
    runs = client_of(found).search_runs([found["run"]["experiment_id"]], query)
    named = {run.info.run_name: run for run in runs}
    assert len(named) == len(runs)
    return named


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def file(study):
    """The tiny study with an ablation; its prior and predictor of seed 0 are trained already."""
    described = yaml.safe_load(study.file.read_text(encoding="utf-8"))
    path = study.file.with_name("ablation.yaml")
    path.write_text(
        yaml.safe_dump({**described, "ablation": {**GRID, "question": "Which <filter>?"}}), encoding="utf-8"
    )
    return path


@pytest.fixture(scope="module")
def ablation(texprior, study, file):
    """What the command answered, from nothing to the report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXPRIOR_RUNS", str(study.runs))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        answer = texprior("ablate", file, "--json")
    assert answer.code == 0, answer.err
    return answer


def test_work_in_common_is_done_once(ablation, study):
    assert ablation.err.count("warning: training.adapter: the warm-up") == 1  # once, not for each cell
    cells = ablation.json["cells"]
    assert [(c["arm"], c["seed"], c["status"]) for c in cells] == [
        ("guided", 0, "finished"),
        ("l0", 0, "finished"),
        ("guided", 1, "finished"),
        ("l0", 1, "finished"),
    ]
    # the predictor of a seed serves both arms, and what the study had trained was not trained again
    kept = {
        kind: len(list((study.runs / "tiny").glob(f"{kind}-*/{kind}.safetensors"))) for kind in ("prior", "predictor")
    }
    assert kept == {"prior": 4, "predictor": 2}
    assert f"prior: {study.prior.json['prior']} is trained already" in ablation.err
    assert f"predictor: {study.adapt.json['predictor']} is trained already" in ablation.err
    assert cells[0]["model"] == study.model.name
    assert cells[0]["images"] == {"prior": 64, "predictor": 64, "adapter": 32}


def test_the_numbers_are_those_of_the_scores(ablation):
    found, folder = ablation.json, Path(ablation.json["folder"])
    scored = defaultdict(dict)
    for row in rows(folder / "scores.csv"):
        if row["method"].startswith("restored") and row["metric"] == "psnr_rgb":
            scored[row["arm"], int(row["seed"])][row["picture"]] = float(row["value"])
    pictures = found["pictures"]["psnr_rgb"]
    assert sorted(pictures) == ["chelsea.png", "china.png"]
    table = {arm: np.array([[scored[arm, s][p] for p in pictures] for s in (0, 1)]) for arm in ("guided", "l0")}
    l0, guided = (found["table"]["psnr_rgb"][arm] for arm in ("l0", "guided"))
    differences = table["l0"].mean(0) - table["guided"].mean(0)
    for arm, shown in (("l0", l0), ("guided", guided)):
        assert shown["mean"] == pytest.approx(table[arm].mean())
        assert shown["seed_sd"] == pytest.approx(table[arm].mean(1).std(ddof=1))
        assert shown["standard_error"] == pytest.approx(table[arm].mean(0).std(ddof=1) / 2**0.5)
        assert shown["trainings"] == 2
    assert guided["difference"] is None
    assert l0["difference"]["mean"] == pytest.approx(-differences.mean(), abs=1e-6)  # as a loss
    assert l0["difference"]["wins"] == (differences > 0).sum()
    (summary,) = [r for r in rows(folder / "summary.csv") if (r["arm"], r["metric"]) == ("l0", "psnr_rgb")]
    # t by its formula: the variances of two pictures and of two trainings of each arm, one degree of freedom each
    parts = np.array([v.var(ddof=1) / 2 for v in (differences, table["l0"].mean(1), table["guided"].mean(1))])
    p = 2 * stats.t.sf(abs(differences.mean()) / parts.sum() ** 0.5, parts.sum() ** 2 / (parts**2).sum())
    written = [float(summary[name]) for name in ("difference", "p", "p_holm", "p_pictures")]
    of_pictures = stats.wilcoxon(differences).pvalue
    assert written == pytest.approx([differences.mean(), p, p, of_pictures], rel=1e-2, abs=1e-6)
    assert [l0["difference"][name] for name in ("p", "p_holm", "p_pictures")] == pytest.approx(
        [p, p, of_pictures], 1e-2
    )
    assert (summary["low"], summary["high"], l0["difference"]["low"]) == ("nan", "nan", None)  # of two pictures
    assert (summary["pictures"], summary["trainings"], summary["separated"]) == ("2", "2", "false")
    assert summary["not_tested"] == l0["difference"]["not_tested"] == ""
    assert found["answer"] == "By psnr_rgb (higher is better): l0 is not separated from guided."


def test_the_report_is_one_file_with_everything_in_it(ablation):
    folder = Path(ablation.json["folder"])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert ablation.json["answer"] in page
    assert "Which &lt;filter&gt;?" in page
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []
    assert "{:#.4g}".format(ablation.json["table"]["psnr_rgb"]["l0"]["mean"]) in page
    assert "With 4 trainings in an arm and the baseline together and one arm to test, a difference" in page
    assert "With 2 pictures the test is right only if differences are normally distributed." in page
    assert "texprior ablate" in page or "pytest" in page  # the command as it was typed
    pictures = [base64.b64decode(found) for found in re.findall(r'"data:image/png;base64,([^"]*)"', page)]
    assert len(pictures) == 2 * (1 + 4)  # of each picture the whole, degraded, two arms, reference
    for name in ("forest.png", "strips.png", "grid.png"):
        assert Image.open(folder / name).width > 300


def test_the_crops_show_what_the_cells_restored(ablation):
    cell = Path(ablation.json["cells"][0]["folder"])
    kept = sorted(p.name for p in (cell / "restored").iterdir())
    assert kept == ["chelsea.png.png", "china.png.png"]
    assert Image.open(cell / "restored" / kept[0]).size == (120, 100)


def test_mlflow_holds_a_flat_run_for_each_arm_with_its_cells_below(ablation):
    found = ablation.json
    arms = runs_of(found, "arm")
    assert set(arms) == {"guided", "l0"}
    assert all("mlflow.parentRunId" not in run.data.tags for run in arms.values())
    assert arms["guided"].data.params == {"decomposition.guided.radius": "8", "decomposition.guided.eps": "0.01"}
    assert arms["l0"].data.metrics["mean/psnr_rgb"] == pytest.approx(found["table"]["psnr_rgb"]["l0"]["mean"])
    difference = found["table"]["psnr_rgb"]["l0"]["difference"]
    assert arms["l0"].data.metrics["diff/psnr_rgb"] == pytest.approx(-difference["mean"])
    cells = runs_of(found, "cell")
    assert set(cells) == {f"{a}, seed {s}" for a in ("guided", "l0") for s in (0, 1)}
    for run in cells.values():
        assert run.data.tags["mlflow.parentRunId"] == arms[run.data.tags["texprior.arm"]].info.run_id
        assert "texprior.component.decomposition" in run.data.tags
    assert {run.info.status for run in (*arms.values(), *cells.values())} == {"FINISHED"}
    (whole,) = runs_of(found, "ablation").values()
    assert whole.info.run_id == found["run"]["run_id"]
    best = found["ranking"][0]
    assert whole.data.params["arm"] == best
    assert whole.data.metrics["winner/psnr_rgb"] == pytest.approx(found["table"]["psnr_rgb"][best]["mean"])
    assert found["answer"] in whole.data.tags["mlflow.note.content"]
    assert {"report.html", "scores.csv", "summary.csv", "best.yaml"} <= {
        file.path for file in client_of(found).list_artifacts(whole.info.run_id)
    }
    assert f"/#/experiments/{found['run']['experiment_id']}/runs?" in found["compare"]


def test_the_same_command_again_does_nothing(texprior, in_study, file, ablation):
    before = {
        p: p.stat().st_mtime_ns for p in (in_study.runs / "tiny").rglob("*") if p.is_file() and p.suffix != ".lock"
    }
    again = texprior("ablate", file, "--json")
    assert again.json == ablation.json
    assert "cell" not in again.err
    assert before == {p: p.stat().st_mtime_ns for p in before}
    dry = texprior("ablate", file, "--dry-run", "--json").json
    assert {cell["status"] for cell in dry["cells"]} == {"finished"}
    assert dry["stages"] == []


def test_a_script_finds_what_the_command_did(in_study, file, ablation):
    import texprior as package

    done = package.load(file, quiet=True).ablate()
    assert done.results.ranking() == ablation.json["ranking"]
    assert done.run == ablation.json["run"]
    assert done.failed == []


def test_a_cell_of_another_experiment_is_not_taken_for_this_one(texprior, in_study, file, ablation):
    cell = Path(ablation.json["cells"][3]["folder"])
    (cell / "config.yaml").write_text((cell / "config.yaml").read_text().replace("steps: 2", "steps: 3"))
    again = texprior("ablate", file, "--json")
    assert again.code == 0, again.err
    assert again.err.count("l0, seed 1") == 2  # begun and finished: this cell alone
    assert "guided, seed" not in again.err
    assert again.json["table"] == ablation.json["table"]


def test_a_dry_run_counts_what_is_shared(texprior, write, runs):
    answer = texprior("ablate", write(ablation=GRID), "--dry-run", "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["arms"] == {"guided": {"decomposition": "guided"}, "l0": {"decomposition": "l0"}}
    stages = {stage["stage"]: stage for stage in found["stages"]}
    assert {name: stage["times"] for name, stage in stages.items() if stage["trainable"]} == {
        "prior": 4,
        "predictor": 2,
        "adapter": 4,
    }
    # 3 photographs: of 4 priors once, of 4 adapters in one version each; 2 pictures judged by 4 cells
    assert (stages["photographs"]["budget_images"], stages["evaluations"]["budget_images"]) == (4 * 3 + 4 * 3, 8)
    assert {cell["status"] for cell in found["cells"]} == {"pending"}
    assert not runs.exists()


def test_a_dry_run_counts_no_training_twice(texprior, write, runs):
    """Arms that differ in Stage II's process share the priors; those that differ in sampling the adapters too."""
    grid = {"process.concat": ["initial-structure", "degraded"], "sampling.steps": [1, 2]}
    answer = texprior(
        "ablate", write(ablation={"grid": grid, "seeds": [0, 1], "metric": "psnr_rgb"}), "--dry-run", "--json"
    )
    assert answer.code == 0, answer.err
    assert len(answer.json["cells"]) == 8
    stages = {stage["stage"]: stage for stage in answer.json["stages"]}
    assert {name: stage["times"] for name, stage in stages.items() if stage["trainable"]} == {
        "prior": 2,
        "predictor": 2,
        "adapter": 4,
    }
    # 3 photographs for each of 2 priors and 4 adapters, 2 judged by each of 8 cells
    assert (stages["photographs"]["budget_images"], stages["evaluations"]["budget_images"]) == (2 * 3 + 4 * 3, 16)


def test_a_dry_run_counts_the_predictors_of_folds(texprior, write, runs):
    """Two seeds of a predictor that both arms share, and of two that leave out a fold; one adapter for each cell."""
    ablation = {"arms": {"seen": {}, "folds": {"training.folds": 2}}, "baseline": "seen", "seeds": [0, 1]}
    answer = texprior("ablate", write(ablation={**ablation, "metric": "psnr_rgb"}), "--dry-run", "--json")
    assert answer.code == 0, answer.err
    rows = {stage["stage"]: stage for stage in answer.json["stages"] if stage["trainable"]}
    assert {name: row["times"] for name, row in rows.items()} == {"prior": 2, "predictor": 6, "adapter": 4}
    row = rows["predictor"]
    assert row["expected_s"] == pytest.approx(6 * row["budget_images"] / row["images_per_s"])
    assert [training["stage"] for training in answer.json["trainings"]].count("predictor") == 6


def test_a_dry_run_finds_adapters_that_are_trained(texprior, in_study, ablation):
    """An arm that differs from a finished one in sampling alone is judged, and nothing is trained for it."""
    more = {**GRID, "grid": {**GRID["grid"], "sampling.steps": [2, 1]}}
    path = in_study.file.with_name("more.yaml")
    described = yaml.safe_load(in_study.file.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**described, "ablation": more}), encoding="utf-8")
    answer = texprior("ablate", path, "--dry-run", "--json")
    assert answer.code == 0, answer.err
    assert [cell["status"] for cell in answer.json["cells"]].count("pending") == 4
    assert [stage["stage"] for stage in answer.json["stages"]] == ["evaluations"]
    assert {training["state"] for training in answer.json["trainings"]} == {"reused"}


@pytest.mark.parametrize(
    ("ablation", "said"),
    [
        ({"grid": {"denoiser.unet.heads": [1, 3]}}, "ablation: arm 'heads=3': "),
        ({"grid": {"decomposition": ["guided", "l00"]}}, "ablation: arm 'l00': decomposition: there is no"),
        ({**GRID, "metric": "lpips_alex"}, "ablation.metric: the experiment does not measure 'lpips_alex'; known are"),
        ({**GRID, "metric": "psnr_rbg"}, "did you mean 'psnr_rgb'?"),
        ({"arms": {"own": {}, "same": {"data.cache_mb": 99}}}, "arm 'same' differs from arm 'own' in nothing that"),
        ({**GRID, "baseline": "guide"}, "ablation.baseline: there is no arm 'guide'; did you mean 'guided'?"),
        ({}, "ablation: there is nothing to compare"),
        (
            {"arms": {"own": {}, "lost": {"data.train": {"folder": {"path": "nowhere"}}}}},
            "ablation: arm 'lost': ",
        ),
    ],
)
def test_a_grid_that_cannot_work_is_refused_before_anything_starts(texprior, write, runs, ablation, said):
    answer = texprior("ablate", write(ablation=ablation))
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert not runs.exists()


def test_a_strength_out_of_reach_is_refused_by_name(texprior, write, runs):
    answer = texprior("ablate", write(ablation=GRID, match_texture_std=0.4))
    assert (answer.code, answer.out) == (2, "")
    for arm in ("guided", "l0"):
        assert f"ablation: arm '{arm}': decomposition '{arm}': no strength gives a texture of" in answer.err
    assert not list(runs.rglob("*.safetensors"))
    without = texprior(
        "ablate", write(ablation={"grid": {"decomposition": ["guided", "none"]}}, match_texture_std=0.05)
    )
    assert without.code == 2
    assert "ablation: arm 'none': match_texture_std: " in without.err


def test_arms_matched_in_strength_have_textures_of_one_deviation(texprior, write, runs, pictures):
    from texprior.decompositions.comparison import compare_decompositions
    from texprior.plugin import Ref
    from texprior.registry import Registry
    from texprior.training.held_out import explained_alone

    ablation = {"grid": {"decomposition": ["gaussian", "bilateral"]}, "seeds": [0], "metric": "psnr_rgb"}
    answer = texprior("ablate", write(ablation=ablation, match_texture_std=0.05), "--json")
    assert answer.code == 0, answer.err
    for cell in answer.json["cells"]:
        assert cell["texture_std"] == pytest.approx(0.05, rel=0.012)
        ref, files = Ref.model_validate(cell["decomposition"]), sorted((pictures / "train").iterdir())
        ((row,), _) = compare_decompositions(Registry.discover(), [ref], files, ref)
        assert row.texture_std == pytest.approx(cell["texture_std"], rel=1e-3)
        assert row.r2 == pytest.approx(cell["texture_r2"], abs=1e-6)
    report = Path(answer.json["report"]).read_text(encoding="utf-8")
    assert ": sigma " in report
    assert "<th>R²</th><th>explained</th>" in report
    for cell in answer.json["cells"]:
        assert f'<td class="text">{cell["texture_r2"]:.2f}</td><td class="text">{cell["explained"]:.2f}</td>' in report
        assert cell["explained"] in [explained_alone(prior) for prior in runs.rglob("prior-*")]


def test_cells_that_are_found_bear_the_names_of_this_ablation_and_its_question(texprior, write, runs):
    grid = {"grid": {"decomposition": ["guided", "gaussian"]}, "seeds": [0], "metric": "psnr_rgb"}
    first = texprior("ablate", write(ablation=grid), "--json")
    assert first.code == 0, first.err
    again = texprior("ablate", write(ablation={**grid, "question": "Which one?"}), "--json")
    assert (again.code, again.json["report"]) == (0, first.json["report"])
    assert "Which one?" in Path(again.json["report"]).read_text(encoding="utf-8")
    # a report of other words, made in between, is not taken for the one of this command
    other = texprior("ablate", write(ablation={**grid, "question": "Another?"}), "--report", "--json")
    assert (other.code, other.json["report"]) == (0, first.json["report"])
    assert texprior("ablate", write(ablation={**grid, "question": "Which one?"}), "--json").code == 0
    assert "Which one?" in Path(again.json["report"]).read_text(encoding="utf-8")
    arms = {"blurred": {"decomposition": "gaussian"}, "kept": {"decomposition": "guided"}}
    named = texprior("ablate", write(ablation={**grid, "grid": {}, "arms": arms}), "--json")
    assert named.code == 0, named.err
    assert "cell 1" not in named.err
    assert [cell["arm"] for cell in named.json["cells"]] == ["blurred", "kept"]
    assert {c["folder"] for c in named.json["cells"]} == {c["folder"] for c in first.json["cells"]}


def test_arms_whose_names_differ_in_signs_alone_have_runs_of_their_own(texprior, write, runs):
    arms = {"radius>4": {"decomposition.guided.radius": 6}, "radius<4": {"decomposition.guided.radius": 2}}
    metric = "texture_ratio_gauss2"
    file = write(ablation={"arms": arms, "seeds": [0], "metric": metric}, events=["mlflow"])
    answer = texprior("ablate", file, "--json")
    assert answer.code == 0, answer.err
    found = runs_of(answer.json, "arm")
    radius = {name: run.data.params["decomposition.guided.radius"] for name, run in found.items()}
    assert radius == {"radius>4": "6", "radius<4": "2"}
    assert f"orderByKey=metrics.%60distance%2F{metric}%60&orderByAsc=true" in answer.json["compare"]  # 1 is best
    far = {name: run.data.metrics[f"distance/{metric}"] for name, run in found.items()}
    assert sorted(far, key=far.get) == answer.json["ranking"]


def test_one_training_is_not_tested_in_any_output(texprior, write, runs):
    grid = {"grid": {"decomposition": ["guided", "gaussian"]}, "seeds": [0], "metric": "psnr_rgb"}
    answer = texprior("ablate", write(ablation=grid, events=["mlflow"]), "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["answer"] == "By psnr_rgb (higher is better): gaussian is not tested: one training."
    difference = found["table"]["psnr_rgb"]["gaussian"]["difference"]
    assert (difference["p"], difference["p_holm"], difference["not_tested"]) == (None, None, "one training")
    folder = Path(found["folder"])
    (summary,) = [r for r in rows(folder / "summary.csv") if (r["arm"], r["metric"]) == ("gaussian", "psnr_rgb")]
    assert [summary[name] for name in ("p_holm", "separated", "not_tested")] == ["nan", "", "one training"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert '<td class="">not tested: one training</td>' in page
    assert found["answer"] in page
    # the terminal says what the report says a reader must know
    assert found["caveats"]
    terminal = texprior("ablate", write(ablation=grid, events=["mlflow"])).out
    for caveat in found["caveats"]:
        assert caveat in page
        assert f"note: {caveat}" in terminal
    arm = runs_of(found, "arm")["gaussian"]
    assert "diff/psnr_rgb" in arm.data.metrics
    assert not any(name.startswith("p_") for name in arm.data.metrics)
    (whole,) = runs_of(found, "ablation").values()
    assert "| not tested: one training |" in whole.data.tags["mlflow.note.content"]


def test_a_cell_that_fails_is_an_outcome_and_the_others_go_on(texprior, write, runs, tmp_path, monkeypatch):
    plugin = tmp_path / "picky.py"
    plugin.write_text(PICKY)
    ablation = {"grid": {"decomposition": ["guided", "picky"]}, "seeds": [0], "metric": "psnr_rgb"}
    file = write(ablation=ablation, events=["mlflow"])
    answer = texprior("ablate", file, "--plugin", plugin, "--json")
    assert answer.code == 1
    guided, picky = answer.json["cells"]
    assert (guided["status"], picky["status"]) == ("finished", "failed")
    assert picky["reason"] == "ValueError: too wide for me"
    assert "picky, seed 0 failed: ValueError: too wide for me" in answer.err
    page = Path(answer.json["report"]).read_text(encoding="utf-8")
    assert "Failed: picky, seed 0: ValueError: too wide for me" in page
    again = texprior("ablate", file, "--plugin", plugin, "--json")  # its failure stands
    assert (again.code, again.json["cells"]) == (1, answer.json["cells"])
    assert "cell 1" not in again.err
    tried = texprior("ablate", file, "--plugin", plugin, "--retry-failed", "--json")
    assert tried.code == 1
    assert "picky, seed 0: failed" in tried.err
    assert "guided, seed 0" not in tried.err
    before = runs_of(tried.json, "arm")
    assert {name: run.info.status for name, run in before.items()} == {"guided": "FINISHED", "picky": "FAILED"}
    assert before["picky"].data.tags["mlflow.note.content"] == "seed 0: ValueError: too wide for me"
    monkeypatch.setenv("PATIENT", "1")
    cured = texprior("ablate", file, "--plugin", plugin, "--retry-failed", "--json")
    assert cured.code == 0, cured.err
    after = runs_of(cured.json, "arm")  # the same two runs, told anew
    assert {name: run.info.run_id for name, run in after.items()} == {n: r.info.run_id for n, r in before.items()}
    assert {run.info.status for run in after.values()} == {"FINISHED"}
    assert after["picky"].data.tags["mlflow.note.content"] == ""
    assert after["picky"].data.metrics["mean/psnr_rgb"] == cured.json["table"]["psnr_rgb"]["picky"]["mean"]
    assert cured.json["run"]["run_id"] != tried.json["run"]["run_id"]


def test_gpus_that_no_worker_can_have_are_refused_before_anything_is_trained(texprior, write, runs, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    answer = texprior(
        "ablate", write(ablation={"grid": {"sampling.steps": [1, 2]}}), "--workers", 2, "--gpus-per-worker", 2
    )
    assert (answer.code, answer.out) == (2, "")
    assert "--gpus-per-worker 2: this process sees 1 GPU, too few for one worker" in answer.err
    assert not list(runs.glob("tiny/*"))
