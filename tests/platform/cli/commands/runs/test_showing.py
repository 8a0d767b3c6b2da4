"""``texprior runs show``."""


def test_a_run_with_what_differs_from_the_defaults(ask, recorded):
    shown = ask("show", recorded.ids["second"], "--json").json
    assert {d["path"]: d["value"] for d in shown["settings"]} == {"denoiser.unet.width": "16", "sampling.steps": "7"}
    assert shown["note"] == "note of second"
    assert shown["files"].startswith(str(recorded.folder))
    text = ask("show", "second").out
    assert "denoiser.unet.width" in text
    assert "restored 4 calls/psnr_rgb" in text
    assert "note of second" in text
    assert "not recorded" in shown["command"]


def test_the_folder_of_a_training_and_its_command(texprior, recorded, runs):
    folder = runs / "study" / "id-prior-a"
    folder.mkdir(parents=True)
    shown = texprior("runs", "show", folder, "--store", recorded.address, "--json").json
    assert (shown["folder"], shown["command"]) == (str(folder), "texprior prior x.yaml")
    assert shown["settings"] == []
    assert "every setting has its default" in texprior("runs", "show", folder, "--store", recorded.address).out


def test_a_trial_shows_its_whole_experiment_and_a_sweep_counts_its_trials(ask):
    shown = ask("show", "trial 0", "--json").json
    assert [(d["path"], d["value"]) for d in shown["settings"]] == [("adapter.cga.kernel", "1")]
    assert ask("show", "sweep", "--json").json["children"] == 2


def test_a_run_of_another_program_is_shown_with_what_it_has(ask):
    answer = ask("show", "foreign")
    assert answer.code == 0
    assert "this run is of another program" in answer.err
    assert "accuracy" in answer.out
    shown = ask("show", "foreign", "--json").json
    assert (shown["settings"], shown["metrics"]) == (
        [{"path": "lr", "value": "0.1", "default": None}],
        {"accuracy": 0.9},
    )
