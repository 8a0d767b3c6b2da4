"""The pages that are made from the code are up to date, and what they say of identity is what the hashes do."""

import json
import typing

import pytest

from texprior import config
from texprior.cli import components_page, settings_page
from texprior.cli.settings_page import READ_BY, STAGE, identity_of, read_by, sections, settings_of
from texprior.config.schema import Experiment
from texprior.registry import Registry
from texprior.runtime.identity import cell_digest
from texprior.runtime.run_record import flatten_paths
from texprior.runtime.session import Session
from texprior.sweeps.study import study_name
from texprior.training.adapter import adapter_parents
from texprior.training.folders import ADAPTER_PARTS, training_place
from texprior.training.predictor import predictor_place
from texprior.training.prior import prior_place

DOCUMENTED = {s.path: s for path, model in sections(Experiment) for s in settings_of(path, model)}
SETTINGS = [
    path.replace("STAGE", stage)
    for path in DOCUMENTED
    for stage in (("prior", "predictor", "adapter") if path.startswith(STAGE) else ("",))
]
STAGES = ("prior", "predictor", "adapter")
SMALL = {"bundled": {"max_side": 64}}
OTHER = {
    "name": "other", "device": "cpu", "threads": 1, "requires_plugins": ["texprior>=0"], "prior": "folder",
    "match_texture_std": 0.05,
    "data.prior": SMALL, "data.train": SMALL, "data.val": SMALL, "data.test": SMALL, "data.degraded_bits": 12,
    "training.folds": 2, "data.workers": 2, "data.augmentations": ["mirror"], "diffusion.noise_levels": "cosmap",
    "decomposition": "gaussian", "encoder": "none", "denoiser": {"unet": {"width": 16}}, "attention": "reference",
    "degradation": "rain", "predictor": "unet", "adapter": "sft", "metrics": ["psnr", "lpips_alex"], "events": [],
    "diffusion.process": "picture",
    "sampling.sampler": "heun", "sampling.schedule": "exponential",
    "evaluation.limit": 3, "evaluation.steps": [8], "evaluation.choose_by": "psnr_rgb",
    "evaluation.texture_strengths": [0.5], "sweep.space": {"adapter": ["sft"]}, "sweep.metric": "psnr_rgb",
    "sweep.also": ["calls"], "sweep.sampler": "RandomSampler", "sweep.pruner": "NopPruner", "sweep.rungs": [0.5],
    "ablation.question": "why?", "ablation.model": "folder", "ablation.grid": {"seed": [1, 2]},
    "ablation.arms": {"plain": {}}, "ablation.foreign": {"theirs": "folder"},
    "ablation.baseline": "plain", "ablation.seeds": [4],
    "ablation.metric": "psnr_rgb", "ablation.against": "psnr_rgb",
    **{f"training.{stage}.decay": "cosine" for stage in STAGES},
    **{f"training.{stage}.objective": "l1" for stage in STAGES},
    **{f"training.{stage}.optimizer": {"torch": {"name": "Adam"}} for stage in STAGES},
}  # fmt: skip
"""Setting -> another valid value, where ``other_value`` cannot make one."""
ALONG = {
    "sampling.start": {"process.base": "estimate-structure"},
    "ablation.baseline": {"ablation.arms": {"plain": {}}},
    **{f"training.{stage}.decay_norms": {f"training.{stage}.weight_decay": 0.1} for stage in STAGES},
}
"""Setting -> the settings that its other value needs."""


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.mark.parametrize(("page", "made"), [
    ("settings.md", lambda _registry: settings_page.settings_page()),
    ("components.md", components_page.components_page),
])  # fmt: skip
def test_the_page_is_what_the_code_says(repository, registry, page, made):
    stored = (repository / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert stored == made(registry), f"docs/reference/{page} is out of date: make reference"


def test_every_setting_is_on_the_page_and_has_a_meaning():
    written = flatten_paths(Experiment(name="x").model_dump(mode="json"))
    assert [path for path in written if not any(f"{path}.".startswith(f"{s}.") for s in SETTINGS)] == []
    assert [path for path, setting in DOCUMENTED.items() if len(setting.meaning) < 10] == []


def test_every_setting_has_a_reader_and_every_entry_of_the_readers_is_used():
    used = {max((p for p in READ_BY if f"{path}.".startswith(f"{p}.")), key=len) for path in DOCUMENTED}
    assert used == set(READ_BY)


@pytest.mark.parametrize("path", DOCUMENTED)
def test_what_a_setting_is_part_of_also_reads_it(path):
    trainings = {"prior", "predictor", "adapter", "STAGE"} & set(identity_of(path))
    # Stage II reads other settings of this section, which is hashed as a whole
    hashed_only = {"adapter"} if path == "diffusion.alpha_max" else set()
    assert trainings - hashed_only <= set(read_by(path))


def other_value(path, start):
    """Another valid value than the default."""
    setting, default = DOCUMENTED[general(path)], config.get_path(DEFAULTS, path)
    if path in OTHER or path.endswith(("start_from", "seconds", "microbatch")):
        return OTHER.get(path, {"start_from": start, "seconds": 5, "microbatch": 8}.get(path.rpartition(".")[2]))
    choices = [c for t in typing.get_args(setting.field.annotation) for c in (typing.get_args(t) or (t,))]
    if default in choices or isinstance(default, str) or default is None:
        return next(c for c in choices if isinstance(c, (str, int)) and c != default)
    if isinstance(default, bool):
        return not default
    return default + 16 if isinstance(default, int) else default / 2 or 0.25


DEFAULTS = Experiment(name="x").model_dump(mode="json")


def general(path):
    stage = path.removeprefix("training.").partition(".")[0]
    return path.replace(f"training.{stage}", STAGE) if stage in ("prior", "predictor", "adapter") else path


@pytest.fixture(scope="module")
def digests(registry, tmp_path_factory):
    """A function from settings to the hashes by which stored work is found; and a folder with weights."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "predictor.safetensors").write_bytes(b"weights")

    def of(settings):
        overrides = [f"{path}={json.dumps(value)}" for path, value in settings.items()]
        experiment = config.resolve({"name": "x", "events": []}, registry, overrides)
        session = Session.start(experiment, registry, root=folder)
        parents = adapter_parents(session, "0" * 64, folder)
        return {
            "prior": prior_place(session).digest,
            "predictor": predictor_place(session).digest,
            "adapter": training_place(session, "model", ADAPTER_PARTS, experiment.training.adapter, parents).digest,
            "scores": cell_digest(session, [], ""),
            "study": study_name(experiment.model_copy(update={"name": "x"})),
        }

    return folder, of


@pytest.mark.parametrize(("path", "decay"), [
    *((path, "constant") for path in SETTINGS),
    *((path, "cosine") for path in SETTINGS if path.endswith("budget.images")),
])  # fmt: skip
def test_a_setting_is_part_of_the_identity_that_the_page_says(digests, path, decay):
    folder, of = digests
    stage = path.split(".")[1] if STAGE in general(path) else ""
    before = {f"training.{stage}.decay": decay} if stage else {}
    before |= ALONG.get(path, {})
    a, b = of(before), of({**before, path: other_value(path, str(folder))})
    said = [text.replace("STAGE", stage) for text in identity_of(general(path))]
    holds = ["depends on the budget"] * (decay != "constant") + ["`weight_decay`"] * path.endswith("decay_norms")
    sure = {text.partition(" ")[0] for text in said if " " not in text or any(words in text for words in holds)}
    assert {work for work in a if a[work] != b[work]} == sure
