"""``texprior sweep`` on the tiny study: what trials share, who is best, and what a dry run counts."""

import pytest


def test_a_dry_run_of_a_sweep_counts_its_trials(texprior, in_study):
    answer = texprior(
        "sweep", in_study.file, "--trials", 3, "--prior", in_study.prior.json["prior"], "--dry-run", "--json"
    )
    predictor, adapter = answer.json["stages"]
    assert (predictor["stage"], predictor["times"], adapter["stage"], adapter["times"]) == (
        "predictor",
        1,
        "adapter",
        3,
    )
    assert adapter["expected_s"] == pytest.approx(3 * 32 / adapter["images_per_s"])
    (*stage_one, _, trials) = texprior("demo", "--quick", "--dry-run", "--json").json["stages"]
    assert [s["stage"] for s in stage_one] == ["prior"]
    assert trials["times"] == 4


def test_a_sweep_shares_the_prior_and_the_predictor_and_names_the_best(texprior, in_study):
    answer = texprior("sweep", in_study.file, "--set", "sweep.confirm.top=0", "--trials", "2", "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert answer.err.count("warning: training.adapter: the warm-up") == 1  # once, not for each trial
    assert found["prior"] == in_study.prior.json["prior"]
    assert found["predictor"] == in_study.adapt.json["predictor"]
    assert [t["state"] for t in found["trials"]] == ["finished", "finished"]
    assert {t["params"]["adapter.cga.kernel"] for t in found["trials"]} == {1, 3}
    best = max(found["trials"], key=lambda t: t["values"]["psnr_rgb"])
    assert found["best"] == best
    assert found["metrics"]["restored 2 calls"]["psnr_rgb"] == pytest.approx(best["values"]["psnr_rgb"], rel=1e-5)

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=found["parent_run"]["tracking_uri"])
    parent = client.get_run(found["parent_run"]["run_id"])
    assert parent.data.metrics["best.psnr_rgb"] == pytest.approx(best["values"]["psnr_rgb"])
    assert not any(name.startswith("selected.") for name in parent.data.metrics)  # nothing was confirmed
    assert found["selected"] == found["metrics"]
    assert parent.data.metrics["best.adapter.cga.kernel"] == best["params"]["adapter.cga.kernel"]
    query = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    trials = client.search_runs([parent.info.experiment_id], query)
    assert {tuple(r.data.params.items()) for r in trials} == {(("adapter.cga.kernel", k),) for k in ("1", "3")}
    assert {r.info.status for r in trials} == {"FINISHED"}
    for run in trials:
        number = int(run.data.tags["texprior.trial"])
        assert run.data.metrics["psnr_rgb"] == pytest.approx(found["trials"][number]["values"]["psnr_rgb"])

    again = texprior("sweep", in_study.file, "--set", "sweep.confirm.top=0", "--trials", "2", "--json")
    assert again.code == 0, again.err
    assert again.json["trials"] == found["trials"]
    assert again.json["model"] == found["model"]


def test_a_sweep_shows_what_its_best_trial_started_from(texprior, in_study):
    options = ["--set", "sweep.confirm.top=0", "--trials", "2"]
    found = texprior("sweep", in_study.file, *options, "--json").json
    own = f"trial {found['best']['number']}"
    assert list(found["methods"]) == ["degraded", "predictor", own]
    scored = texprior(
        "evaluate", in_study.file, "--model", found["model"], "--split", "val", "--set", "events=[]", "--json"
    )
    for method in ("degraded", "predictor"):
        expected = {name: mean["mean"] for name, mean in scored.json["metrics"][method].items()}
        assert found["methods"][method] == pytest.approx(expected, rel=1e-4)
    worse = found["methods"][own]["psnr_rgb"] < found["methods"]["predictor"]["psnr_rgb"]
    assert bool(found["warning"]) == worse

    shown = texprior("sweep", in_study.file, *options).out
    assert [line.split()[0] for line in shown.splitlines() if line.strip().startswith(("degraded ", "predictor "))] == [
        "degraded",
        "predictor",
    ]
    assert ("worse than its own predictor: psnr_rgb" in shown) == worse
