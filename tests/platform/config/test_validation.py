"""What is wrong in an experiment is said in a sentence with file, line and path."""

import re

import pytest

from texprior.config import load, resolve
from texprior.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\nsampling:\n  stepz: 3", "e.yaml:3: sampling.stepz: unknown key; did you mean 'steps'?"),
        ("name: x\n\nadaptor: cga", "e.yaml:3: adaptor: unknown key; did you mean 'adapter'?"),
        ("name: x\nadapter:\n  cga:\n    widht: 3",
         "e.yaml:4: adapter.cga.widht: unknown key; did you mean 'width'?"),
        ("name: x\nsampling: {steps: many}",
         "e.yaml:2: sampling.steps: input should be a valid integer, unable to parse string as an integer "
         "(got 'many')"),
        ("name: x\nsampling: 3",
         "e.yaml:2: sampling: this is a section, with the settings sampler, steps, schedule, spacing, sigma_min, "
         "sigma_max, rho, start, condition_noise, guidance, guidance_from, coarse_from, coarse_px, texture_strength, "
        "samples, self_ensemble, tile, halo, features_mb, amp (got 3); "
         "write sampling.steps=3"),
        ("name: x\ntraining: {prior: {budget: 800}}",
         "e.yaml:2: training.prior.budget: this is a section, with the settings images, seconds (got 800); "
         "write training.prior.budget.images=800"),
        ("name: x\nsampling:\n  steps: 0",
         "e.yaml:3: sampling.steps: input should be greater than or equal to 1 (got 0)"),
        ("name: x\nadapter:\n  cga: {width: 65}",
         "e.yaml:3: adapter.cga.width: input should be less than or equal to 64 (got 65)"),
        ("name: x\nsampling: {schedule: linear}",
         "e.yaml:2: sampling.schedule: there is no schedule 'linear'; did you mean 'ddpm-linear'?"),
        ("name: x\nsampling: {sigma_max: .inf}",
         "e.yaml:2: sampling.sigma_max: input should be a finite number (got inf)"),
        ("name: x\ndiffusion: {noise_mean: .nan}",
         "e.yaml:2: diffusion.noise_mean: input should be a finite number (got nan)"),
        ("name: my study",
         "e.yaml:1: name: write letters, digits, '.', '_' and '-', beginning with a letter or a digit "
         "(got 'my study')"),
        ("name: x\ndevice: gpu", "e.yaml:2: device: write auto, cpu, mps, cuda or cuda:N (got 'gpu')"),
        ("seed: 1", "e.yaml: name: this key is required"),
        ("name: x\nadapter: cgaa", "e.yaml:2: adapter: there is no adapter 'cgaa'; did you mean 'cga'?"),
        ("name: x\nmetrics:\n  - psnr\n  - psnrr",
         "e.yaml:4: metrics.1: there is no metric 'psnrr'; did you mean 'psnr'?"),
        ("name: x\nadapter: {cga: {}, sft: {}}",
         "e.yaml:2: adapter: expected a component's name, or one name with its options: {name: {option: value}} "
         "(got {'cga': {}, 'sft': {}})"),
        ("name: x\nsampling:\n  start: estimate",
         "e.yaml:3: sampling.start: 'estimate' starts at the layer of y_eps, which is 0 with 'process.base: estimate', "
         "so that it does the same as 'noise'; set 'process.base: estimate-structure', or 'sampling.start: noise'"),
        ("name: x\n1: 2", "e.yaml:2: 1: keys should be strings (got 1)"),
        ("name: x\nseed: 1\nseed: 2", "e.yaml:3: seed: this key was already given at e.yaml:2"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line_its_path_and_a_suggestion(complaint, text, expected):
    assert complaint(text) == expected


def test_everything_that_is_wrong_is_told_at_once(complaint):
    said = complaint("name: x\nsampling: {steps: 0, stepz: 1}\nseed: a").splitlines()
    assert [line.split(": ")[1] for line in said] == ["seed", "sampling.steps", "sampling.stepz"]
    assert len(complaint("name: x\nadapter: nope\nencoder: nope").splitlines()) == 2


@pytest.mark.parametrize("name", ["Range", "Ref", "a[1]"])
def test_an_arm_keeps_its_name_in_an_error_even_if_it_looks_like_a_type(registry, tmp_path, name):
    file = tmp_path / "x.yaml"
    file.write_text(f"name: x\nablation:\n  arms:\n    {name}: 3\n")
    with pytest.raises(ConfigError, match=rf"x\.yaml:4: ablation\.arms\.{re.escape(name)}: "):
        load(file, registry)


def test_a_warm_start_over_the_structure_is_fine_and_a_stored_one_is_read(registry):
    choice = {"name": "x", "sampling": {"start": "estimate"}}
    assert resolve(choice | {"process": {"base": "estimate-structure"}}, registry).sampling.start == "estimate"
    assert resolve(choice, registry, stored=True).sampling.start == "estimate"
    with pytest.raises(ConfigError, match="does the same as 'noise'"):
        resolve({"name": "x"}, registry, ["sampling.start=estimate"], stored=True)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("adapter={cga: {widht: 3}}", "adapter.cga.widht: unknown key; did you mean 'width'?"),
        ("sampling={steps: 0}", "sampling.steps: input should be greater than or equal to 1 (got 0)"),
        ("metrics=[psnr, {ssim: {windw: 3}}]", "metrics.1.ssim.windw: unknown key"),
        ("training.prior={budget: 800}", "training.prior.budget: this is a section"),
    ],
)
def test_an_error_inside_an_override_names_the_override(registry, tmp_path, override, said):
    """Also where the file has a line for a path between the override's and the error's."""
    file = tmp_path / "e.yaml"
    text = "name: x\nadapter:\n  cga:\n    width: 8\nsampling: {steps: 2}\nmetrics: [psnr, {ssim: {}}]\n"
    file.write_text(f"{text}training:\n  prior:\n    budget: {{images: 64}}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load(file, registry, [override])
    assert str(error.value).startswith(f"--set {override}: {said}")


def test_what_an_override_leaves_to_the_file_is_still_the_files(registry, tmp_path):
    file = tmp_path / "e.yaml"
    file.write_text("name: x\nadapter:\n  cga:\n    width: 65\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"e\.yaml:4: adapter\.cga\.width"):
        load(file, registry, ["adapter={cga: {kernel: 3}}"])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("training.prior.microbatch=3", "training.prior: microbatch 3 does not divide batch 8"),
        ("process.base=estimate", "sampling.start: 'estimate' starts at the layer of y_eps"),
    ],
)
def test_an_override_that_does_not_fit_a_setting_of_the_file_is_named_before_it(registry, tmp_path, override, said):
    file = tmp_path / "e.yaml"
    text = "name: x\ntraining:\n  prior: {batch: 8}\nprocess: {base: estimate-structure}\n"
    file.write_text(f"{text}sampling:\n  start: estimate\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load(file, registry, [override])
    first, _, rest = str(error.value).partition(" (with ")
    assert first == f"--set {override}"
    assert re.match(rf"\S+e\.yaml:\d+\): {re.escape(said)}", rest), error.value
