"""``texprior sweep`` on the tiny study: what trials share, who is best, and what a dry run counts."""

import optuna
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
    for scratch, first in ((["--from-scratch"], ["prior"]), ([], [])):
        (*stage_one, _, trials) = texprior("demo", "--quick", *scratch, "--dry-run", "--json").json["stages"]
        assert [s["stage"] for s in stage_one] == first
        assert trials["times"] == 4


def test_a_sweep_shares_the_prior_and_the_predictor_and_names_the_best(texprior, in_study):
    answer = texprior("sweep", in_study.file, "--set", "sweep.confirm.top=0", "--trials", "2", "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    # nothing is said of the best trial's model, which this very sweep has trained
    assert "is trained already" not in answer.err.rpartition(": finished")[2]
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


def test_the_status_shows_who_runs_what_and_a_lost_trial_is_freed(texprior, in_study, tmp_path):
    """A trial of a worker elsewhere, which nobody can see, is shown, freed, and run here by the same command."""
    storage = f"sqlite:///{tmp_path}/sweep.db"
    command = ("sweep", in_study.file, "--set", "sweep.confirm.top=0", "--storage", storage)
    absent = texprior(*command, "--status")
    assert (absent.code, "holds no study" in absent.err) == (2, True)
    started = texprior(*command, "--trials", "1", "--json")
    assert started.code == 0, started.err
    first = started.json
    study = optuna.load_study(study_name=first["study"], storage=storage)
    (other,) = {1, 3} - {first["best"]["params"]["adapter.cga.kernel"]}
    study.enqueue_trial({"adapter.cga.kernel": other})
    trial = study.ask()
    trial.set_user_attr("worker", {"host": "node3", "pid": 4711, "boot": "its own", "utc": "2026-01-01T00:00:00+00:00"})
    trial.suggest_categorical("adapter.cga.kernel", [1, 3])

    shown = texprior(*command, "--status").out
    assert "process 4711 on node3" in " ".join(shown.split())
    assert "2 of 2 trials, 0 waiting in the queue" in shown
    assert "1 of 2 trials done (1 finished, 1 running); about " in shown
    status = texprior(*command, "--status", "--json").json
    assert [(t["trial"]["state"], t["holder"]) for t in status["trials"]] == [
        ("finished", ""),
        ("running", "process 4711 on node3"),
    ]
    assert status["trials"][1]["sign"].startswith("last sign of life ")
    assert status["counted"] == 2
    took = status["trials"][0]["trial"]["seconds"]
    assert status["left_s"] == pytest.approx(took / 2)  # the running trial is half done

    freed = texprior(*command, "--free", "1")
    assert (freed.code, freed.err) == (0, "trial 1 is taken from process 4711 on node3, and queued again\n")
    assert "1 of 2 trials, 1 waiting in the queue" in freed.out
    assert "1 of 2 trials done (1 finished, 1 waiting); no worker is running" in freed.out
    again = texprior(*command, "--free", "1")
    assert (again.code, again.err.startswith("error: --free 1: it is fail, not running")) == (2, True)

    found = texprior(*command, "--trials", "2", "--json").json
    assert [t["state"] for t in found["trials"]] == ["finished", "interrupted", "finished"]
    assert found["trials"][2]["params"] == found["trials"][1]["params"]


def test_failed_trials_are_run_again_on_request(texprior, in_study, tmp_path):
    """One failed trial is put into the study; without the flag it stays, with it the same values are run again."""
    storage = f"journal:{tmp_path}/sweep.log"
    command = ("sweep", in_study.file, "--set", "sweep.confirm.top=0", "--storage", storage, "--trials", "2", "--json")
    first = texprior(*command[:-2], "1", "--json").json
    log = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(f"{tmp_path}/sweep.log"))
    study = optuna.load_study(study_name=first["study"], storage=log)
    # not those of the first trial, which would make it a duplicate
    params = {"adapter.cga.kernel": 4 - first["trials"][0]["params"]["adapter.cga.kernel"]}
    study.enqueue_trial(params)
    trial = study.ask()
    trial.suggest_categorical("adapter.cga.kernel", [1, 3])
    trial.set_user_attr("reason", "OSError: the data were not mounted")
    log.set_trial_state_values(trial._trial_id, optuna.trial.TrialState.FAIL)

    stays = texprior(*command)
    assert [t["state"] for t in stays.json["trials"]] == ["finished", "failed"]
    again = texprior(*command, "--retry-failed")
    assert "failed trials that are run again: 1\n" in again.err
    last = again.json["trials"][-1]
    assert [t["state"] for t in again.json["trials"][:2]] == ["finished", "failed"]
    assert (last["params"], last["state"]) == (params, "finished")


def test_studies_of_one_name_in_two_storages_share_no_files(texprior, in_study, tmp_path):
    command = ("sweep", in_study.file, "--set", "sweep.confirm.top=0", "--trials", "1", "--json")
    for name in ("a", "b"):
        assert texprior(*command, "--set", "name=twice", "--storage", f"sqlite:///{tmp_path}/{name}.db").code == 0
    folders = sorted((in_study.runs / "twice").glob("sweep-*"))
    assert len(folders) == 2
    assert all((folder / "trial-0" / "scores.csv").is_file() for folder in folders)


def test_gpus_that_no_worker_can_have_are_refused_before_anything_is_trained(texprior, write, runs, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    answer = texprior("sweep", write(), "--workers", 2, "--gpus-per-worker", 2)
    assert (answer.code, answer.out) == (2, "")
    assert "--gpus-per-worker 2: this process sees 1 GPU, too few for one worker" in answer.err
    assert not list(runs.glob("tiny/*"))
