"""``texprior prior`` and ``texprior adapt`` on the tiny study: what is stored, found again, and measured dry."""

import json
import math
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from safetensors import safe_open


def test_the_folders_hold_what_a_resume_and_a_reader_need(study):
    prior, model = Path(study.prior.json["prior"]), study.model
    assert {p.name for p in prior.iterdir()} == {
        "README.md",
        "checkpoint.safetensors",
        "config.yaml",
        "held_out.json",
        "prior.safetensors",
    }
    assert {"adapter.safetensors", "predictor.safetensors", "config.yaml", "README.md"} <= {
        p.name for p in model.iterdir()
    }
    with safe_open(prior / "prior.safetensors", "pt") as file:
        assert json.loads(file.metadata()["texprior"])["images_seen"] == 64


def test_a_second_run_takes_what_is_there(texprior, in_study):
    answer = texprior("prior", in_study.file, "--json")
    assert answer.json == in_study.prior.json
    assert "is trained already" in answer.err


def test_adapt_without_a_trained_prior_says_how_to_get_one(texprior, in_study):
    answer = texprior("adapt", in_study.file, "--set", "training.prior.budget.images=72")
    assert answer.code == 2
    assert "own prior is not trained yet" in answer.err
    assert "texprior prior" in answer.err


def test_a_dry_run_measures_and_leaves_no_trace(texprior, write, runs):
    prior = texprior("prior", write(), "--dry-run", "--json")
    stage_two = texprior("adapt", write(), "--dry-run", "--json")
    assert (prior.code, stage_two.code) == (0, 0), prior.err + stage_two.err
    (first,) = prior.json["stages"]
    second, third = stage_two.json["stages"]
    assert [s["stage"] for s in (first, second, third)] == ["prior", "predictor", "adapter"]
    assert first["trainable"] == first["parameters"]  # net S is none
    assert third["parameters"] == third["trainable"] + first["parameters"] + second["parameters"]
    for stage, budget in ((first, 64), (second, 64), (third, 32)):
        assert stage["budget_images"] == budget
        assert stage["expected_s"] == pytest.approx(budget / stage["images_per_s"])
        assert stage["memory_mb"] > 50
    assert prior.json["experiment"]["denoiser"]["unet"]["width"] == 8
    assert not runs.exists()


def test_a_dry_run_counts_the_parameters_of_the_trained_files(texprior, in_study):
    (stage,) = texprior("prior", in_study.file, "--dry-run", "--json").json["stages"]
    with safe_open(Path(in_study.prior.json["prior"]) / "prior.safetensors", "pt") as file:
        stored = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 (no mapping)
    assert stage["parameters"] == stored


@pytest.mark.parametrize("command", ["adapt", "sweep"])
@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_what_an_experiment_says_and_its_prior_does_not_have_is_refused(texprior, in_study, command, options):
    said = ["--set", "decomposition=l0", "--set", "diffusion.condition_blur=2", "--prior", in_study.prior.json["prior"]]
    answer = texprior(command, in_study.file, *said, *options)
    assert (answer.code, answer.out) == (2, "")
    assert "these 2 settings differ" in answer.err
    assert 'decomposition: the prior has "guided", the experiment "l0"' in answer.err
    assert "diffusion.condition_blur: the prior has 0.0, the experiment 2.0" in answer.err
    assert "train another prior" in answer.err


def test_what_an_experiment_leaves_open_is_the_priors_also_in_the_dry_run(texprior, in_study, write, pictures):
    file = write(events=[])
    described = yaml.safe_load(file.read_text(encoding="utf-8"))
    del described["denoiser"], described["encoder"]  # the defaults are wider, and mobilenet_v2
    file.write_text(yaml.safe_dump(described), encoding="utf-8")
    answer = texprior("adapt", file, "--prior", in_study.prior.json["prior"], "--dry-run", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["experiment"]["denoiser"]["unet"]["width"] == 8
    assert answer.json["experiment"]["encoder"] == {"none": {}}


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
@pytest.mark.parametrize("command", ["adapt", "sweep", "ablate"])
def test_no_training_starts_on_splits_that_cannot_be_used(texprior, write, runs, command, options):
    """The photographs of folder/val are clean and no degradation is named; each command says so before it trains."""
    arms = {"grid": {"adapter.cga.width": [4, 8]}, "seeds": [0]}
    answer = texprior(command, write(degradation=None, ablation=arms), *options)
    assert (answer.code, answer.out) == (2, "")
    assert "brings clean pictures only" in answer.err
    assert "name a degradation" in answer.err
    assert not list(runs.rglob("*.safetensors"))


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
@pytest.mark.parametrize("command", ["sweep", "ablate"])
def test_a_split_that_is_not_set_is_no_default_of_another_data_set(texprior, write, runs, pictures, command, options):
    arms = {"grid": {"adapter.cga.width": [4, 8]}, "seeds": [0]}
    data = {"train": {"folder": {"path": str(pictures / "train")}}}
    answer = texprior(command, write(data=data, ablation=arms), *options)
    assert (answer.code, answer.out) == (2, "")
    assert "data.val is not set, and data.train is 'folder'" in answer.err
    assert not list(runs.rglob("*.safetensors"))


def test_a_dry_run_says_what_is_reused_trained_here_and_missing(texprior, in_study, write):
    def states(*command):
        answer = texprior(*command, "--dry-run", "--json")
        assert answer.code == 0, answer.err
        return {one["stage"]: (one["state"], one["folder"]) for one in answer.json["trainings"]}

    prior, predictor = in_study.prior.json["prior"], in_study.adapt.json["predictor"]
    assert states("prior", in_study.file) == {"prior": ("reused", prior)}
    every = {"prior": ("reused", prior), "predictor": ("reused", predictor), "adapter": ("reused", str(in_study.model))}
    assert states("adapt", in_study.file) == every

    other = states("adapt", in_study.file, "--set", "seed=77")
    assert [state for state, _ in other.values()] == ["missing", "trained here", "trained here"]
    assert other["adapter"][1] is None  # its folder depends on the prior's content
    wider = states("adapt", in_study.file, "--set", "adapter.cga.width=12")
    assert [state for state, _ in wider.values()] == ["reused", "reused", "trained here"]
    said = texprior("adapt", in_study.file, "--set", "predictor.unet.width=16", "--dry-run").out
    name = Path(predictor).name
    assert f"it differs from {name}: predictor.unet.width: 8 -> 16" in said
    swept = texprior("sweep", in_study.file, "--trials", 3, "--dry-run")
    assert f"prior: reused, {prior}\n" in swept.out
    assert "adapter: trained here, 32 images, 3 times\n" in swept.out


def test_a_dry_run_says_what_cannot_be_concluded(texprior, in_study):
    few = "data.val has 2 pictures: no interval below 6 pictures"
    arms = ["--set", "ablation.grid={adapter.cga.width: [12, 20]}", "--set", "ablation.seeds=[0]"]
    arms += ["--set", "ablation.predictor_alone=false"]
    ablated = texprior("ablate", in_study.file, *arms, "--dry-run", "--json")
    assert ablated.code == 0, ablated.err
    assert ablated.json["notes"][0] == few
    assert "with one training of each arm no difference is tested" in ablated.json["notes"][1]
    states = [(one["stage"], one["state"]) for one in ablated.json["trainings"]]
    assert states == [("prior", "reused"), ("predictor", "reused"), *[("adapter", "trained here")] * 2]
    swept = texprior("sweep", in_study.file, "--set", "sweep.confirm.top=0", "--dry-run", "--json")
    assert swept.json["notes"][0] == few
    assert "sweep.confirm.top is 0" in swept.json["notes"][1]


DIM = """
from texprior.plugin import Degradation, hookimpl

class Dim:
    def __init__(self, options):
        pass

    def __call__(self, image_CHW, rng):
        return 0.5 * image_CHW

@hookimpl
def texprior_degradations():
    return [Degradation("dim", "train_dim:Dim", tags=("deterministic",))]
"""


@pytest.fixture
def short(write, runs, tmp_path):
    """An experiment of 8 images a training that uses a single-file plugin: its file, and the plugin's."""
    plugin = tmp_path / "train_dim.py"
    plugin.write_text(DIM)
    stages = {stage: {"budget": {"images": 8}, "batch": 8, "patch": 32} for stage in ("prior", "predictor", "adapter")}
    yield write(degradation="dim", training=stages), plugin
    sys.modules.pop("train_dim", None)


def test_the_command_that_adapt_suggests_trains_the_prior_that_it_needs(texprior, short):
    """With all options that were given; without them it would train another prior, and the failure would stay."""
    file, plugin = short
    options = ["--set", "seed=1", "--set", "diffusion.noise_mean=-1", "--plugin", plugin, "--device", "cpu"]
    assert texprior("prior", file, "--plugin", plugin).code == 0
    answer = texprior("adapt", file, *options)
    assert answer.code == 2
    assert "it differs from prior-" in answer.err
    assert "seed: 0 -> 1; diffusion.noise_mean: -0.5 -> -1.0" in answer.err
    _, command, _ = answer.err.split("`")
    _, *arguments = shlex.split(command)
    assert texprior(*arguments).code == 0
    assert texprior("adapt", file, *options).code == 0


def test_an_edit_of_a_plugin_says_why_it_is_trained_again_and_a_comment_trains_nothing(texprior, short):
    file, plugin = short
    for command in ("prior", "adapt"):
        first = texprior(command, file, "--plugin", plugin, "--json")
        assert first.code == 0
    assert "this training is new" not in first.err
    plugin.write_text(f"# a comment{DIM}")
    assert texprior("adapt", file, "--plugin", plugin, "--json").json == first.json
    plugin.write_text(DIM.replace("0.5", "0.25"))
    edited = texprior("adapt", file, "--plugin", plugin, "--json")
    name = Path(first.json["predictor"]).name
    changed = "the program of degradation train-dim/dim changed"
    assert f"predictor: this training is new; it differs from {name}: {changed}\n" in edited.err
    assert f"{Path(first.json['model']).name}: {changed}; another predictor\n" in edited.err
    assert edited.json["prior"] == first.json["prior"]
    assert edited.json["model"] != first.json["model"]


def test_adapt_records_where_the_prior_is_now(texprior, short, pictures, tmp_path):
    file, plugin = short
    prior = Path(texprior("prior", file, "--plugin", plugin, "--json").json["prior"])
    model = texprior("adapt", file, "--plugin", plugin, "--json").json["model"]
    weights = (Path(model) / "adapter.safetensors").read_bytes()
    prior.rename(tmp_path / "far")
    restore = ["restore", pictures / "test", "--plugin", plugin, "--model", model, "-o", tmp_path / "out"]
    answer = texprior(*restore)
    assert answer.code == 2
    assert "no prior is there; name its folder with --prior" in answer.err
    again = texprior("adapt", file, "--plugin", plugin, "--prior", tmp_path / "far", "--json")
    assert again.json["model"] == model
    assert texprior(*restore).code == 0
    # the hash of the weights names what is scored with them
    assert (Path(model) / "adapter.safetensors").read_bytes() == weights


LATE = (
    "training.prior: the warm-up (1,600 images) is not shorter than the budget (64): the learning rate still rises at "
    "the end, where it is 4% of lr; set training.prior.warmup_images well below the budget"
)


def test_a_warm_up_as_long_as_the_budget_is_a_note_of_the_dry_run_and_a_warning_of_the_training(texprior, write):
    dry = texprior("prior", write(), "--dry-run", "--json")
    assert dry.json["notes"] == [LATE]
    assert f"note: {LATE}" in texprior("prior", write(), "--dry-run").out
    assert f"warning: {LATE}" in texprior("prior", write()).err
    # nothing is trained any more
    assert texprior("prior", write(), "--dry-run", "--json").json["notes"] == []


def test_a_short_warm_up_and_a_predictor_without_training_are_no_note(texprior, write):
    short = [f"training.{stage}.warmup_images=16" for stage in ("prior", "adapter")]
    answer = texprior("adapt", write(predictor="identity"), "--dry-run", "--json", "--set", short[0], "--set", short[1])
    assert answer.json["notes"] == []
    stages = texprior("adapt", write(), "--dry-run", "--json").json["notes"]
    assert [note.partition(":")[0] for note in stages] == ["training.predictor", "training.adapter"]


SIDEWAYS = (
    "data.augmentations: 'dihedral' turns patches, and degradation 'rain' has a direction: half of the trained patches "
    "show it falling sideways; set data.augmentations: [mirror]"
)


def test_rain_in_turned_patches_is_a_note_of_the_dry_run_and_one_warning_of_the_trainings(texprior, write):
    rain = write(degradation="rain")
    assert SIDEWAYS in texprior("adapt", rain, "--dry-run", "--json").json["notes"]
    assert "has a direction" not in texprior("prior", rain).err
    # the predictor and the adapter see rain
    assert texprior("adapt", rain).err.count(f"warning: {SIDEWAYS}") == 1
