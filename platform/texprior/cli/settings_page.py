"""Prints docs/reference/settings.md from the schema: ``python -m texprior.cli.settings_page``."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic.fields import FieldInfo

from texprior.cli.component_help import range_text, type_text, yaml_text
from texprior.config.dotted_paths import get_path
from texprior.config.schema import Budget, Experiment, Training, Trainings
from texprior.config.schema_studies import Range, Section
from texprior.config.search_dimension import unwrap_annotation
from texprior.plugin.added import all_before_values
from texprior.plugin.references import Ref, kind_of
from texprior.runtime.identity import experiment_identity, irrelevant_settings
from texprior.training.folders import ADAPTER_PARTS, PREDICTOR_PARTS, PRIOR_PARTS

STAGE = "training.STAGE"
"""Stands for training.prior, training.predictor and training.adapter, which have the same settings."""
_NETWORKS, _ALL = "prior adapter evaluate restore", "prior predictor adapter evaluate restore sweep ablate"
READ_BY: Mapping[str, str] = {
    "name": _ALL,
    "seed": "prior predictor adapter restore",
    "device": _ALL,
    "threads": _ALL,
    "requires_plugins": _ALL,
    "data.prior": "prior",
    "data.train": "prior predictor adapter",
    "data.val": "evaluate sweep ablate",
    "data.test": "evaluate ablate",
    "data.variants": "predictor adapter",
    "data.degraded_bits": "predictor adapter evaluate",
    "data.cache_mb": "prior predictor adapter",
    "data.disk_cache_mb": "prior predictor adapter evaluate",
    "data.workers": "prior predictor adapter",
    "data.patches_per_photograph": "prior predictor adapter",
    "data.augmentations": "prior predictor adapter",
    "prior": "adapter sweep ablate",
    "decomposition": _NETWORKS,
    "match_texture_std": "prior",
    "encoder": _NETWORKS,
    "denoiser": _NETWORKS,
    "attention": _NETWORKS,
    "diffusion": "prior adapter",
    "diffusion.condition_noise": _NETWORKS,
    "diffusion.condition_noise_max": _NETWORKS,
    "diffusion.condition_blur": _NETWORKS,
    "diffusion.alpha_max": "prior",
    "diffusion.process": _NETWORKS,
    "degradation": "predictor adapter evaluate",
    "predictor": "predictor adapter evaluate restore",
    "adapter": "adapter evaluate restore",
    "process": "adapter evaluate restore",
    "process.residual_scale": "adapter",
    STAGE: "STAGE",
    "training.folds": "adapter",
    "sampling": "evaluate restore",
    "sampling.tile": "adapter evaluate restore",
    "sampling.halo": "adapter evaluate restore",
    "metrics": "evaluate",
    "events": "prior predictor adapter evaluate sweep ablate",
    "evaluation": "evaluate",
    "sweep": "sweep",
    "sweep.metric": "evaluate sweep ablate",
    "ablation": "ablate",
}
"""Setting or section -> what reads it; the longest path counts. Sweeps and ablations also read what their trainings and
evaluations read."""
_DATA = ("data.train", "data.patches_per_photograph", "data.augmentations")
_DECIDES = {
    "prior": (*PRIOR_PARTS, *_DATA, "data.prior", "match_texture_std"),
    "predictor": (*PREDICTOR_PARTS, *_DATA),
    "adapter": (*ADAPTER_PARTS, *_DATA, "training.folds"),
}
"""Training -> the settings outside of its own section that are part of its identity."""
_WITH_DECAY = "STAGE (only with `weight_decay`)"
_STUDY = ("sweep.space", "sweep.metric", "sweep.also", "adapter")
"""Settings that name a study; the adapter does by its options, if ``sweep.space`` is empty."""
_HEAD = """\
# All settings

Made from the schema by `make reference`; do not edit this page. An experiment file may hold these settings, and no
others. [The experiment file](../experiments.md) explains how they work together. The options of components have [a
page of their own](components.md): the path of an option is the setting, the name of the component, and the option,
such as `adapter.cga.width`.

- **type, range**: `null` is that of YAML. A component is written as its name, or as its name with
  options.
- **read by**: the trainings of `prior`, `predictor` and `adapter`, and the steps `evaluate` and `restore`. `sweep`
  and `ablate` run trainings and evaluations, so they use what these read; they are named only if they read a
  setting themselves.
- **identity of**: the work that is done again if the setting changes, because its value is part of the hash that
  names the folder or study ([equal experiments share their
  work](../experiments.md#equal-experiments-share-their-work)). A new prior or predictor also makes a new adapter.
  `scores` are the cells of an ablation, `study` is the study of a sweep, whose trials start again. All folders are
  below that of the experiment's `name`. Other settings without an entry never cause work to be done again.
"""


@dataclass(frozen=True)
class Setting:
    """A setting of the experiment, as the schema declares it."""

    path: str
    field: FieldInfo
    meaning: str
    default: str


def settings_page() -> str:
    """Returns the page in Markdown: a table for each section of an experiment."""
    tables = [_section(path, model) for path, model in sections(Experiment)]
    ranges = _section("a range in sweep.space", Range)
    return "\n".join([_HEAD, *tables, ranges])


def sections(model: type[Section], path: str = "") -> Iterator[tuple[str, type[Section]]]:
    """Yields path and model of each section, the outermost first; the three trainings are one section."""
    yield path, model
    if model is Trainings:
        yield from sections(Training, STAGE)
        return
    for name, info in model.model_fields.items():
        if inner := _section_in(info):
            yield from sections(inner, f"{path}.{name}".lstrip("."))


def settings_of(path: str, model: type[Section]) -> list[Setting]:
    """Lists the settings of a section, without the sections in it."""
    meanings, fields = field_docs(model), model.model_fields.items()
    below = path if model is not Range else ""
    return [
        Setting(f"{below}.{name}".lstrip("."), info, meanings[name], _default(f"{below}.{name}".lstrip("."), info))
        for name, info in fields
        if not _section_in(info)
    ]


def field_docs(model: type[Section]) -> dict[str, str]:
    """Returns field -> the docstring below it in the source, in Markdown."""
    (body,) = ast.parse(dedent(inspect.getsource(model))).body
    lines = body.body if isinstance(body, ast.ClassDef) else []
    return {
        node.target.id: _markdown(below.value.value)
        for node, below in pairwise(lines)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }


def read_by(path: str) -> list[str]:
    """Lists what reads a setting: trainings and commands. Raises StopIteration if ``READ_BY`` has no entry for it."""
    longest = next(p for p in sorted(READ_BY, key=len, reverse=True) if f"{path}.".startswith(f"{p}."))
    return READ_BY[longest].split()


def identity_of(path: str) -> list[str]:
    """Lists the work that a setting is part of the identity of: trainings, and scores."""
    of = [stage for stage, parts in _DECIDES.items() if any(f"{path}.".startswith(f"{part}.") for part in parts)]
    if path.startswith(f"{STAGE}."):
        of = _identity_in_training(path.removeprefix(f"{STAGE}."))
    scores = ["scores"] * _decides_scores(path.replace(STAGE, "training.prior"))
    if of == [_WITH_DECAY]:
        scores = [_WITH_DECAY.replace("STAGE", "scores")]
    return of + scores + ["study"] * (path in _STUDY)


def _decides_scores(path: str) -> bool:
    # A setting at the value that earlier versions worked with is left out of a digest, but decides nevertheless.
    # Studies decide no scores: each of their cells and trials has an experiment of its own. A given prior decides them
    # by its content, not by the setting.
    free = {"sweep", "ablation", "prior"}
    before = {name: value for name, value in all_before_values(Experiment).items() if name not in free}
    known = experiment_identity(Experiment(name="x")), before, all_before_values(Training)
    places = path, path, path.removeprefix("training.prior.")
    return any(get_path(each, place, _ABSENT) is not _ABSENT for each, place in zip(known, places, strict=True))


def _identity_in_training(setting: str) -> list[str]:
    usual = Training(budget=Budget(images=1))
    decides = {
        "STAGE": irrelevant_settings(usual, open_ended=True),
        "STAGE (only with a `decay` that depends on the budget)": irrelevant_settings(usual, open_ended=False),
        _WITH_DECAY: irrelevant_settings(usual.model_copy(update={"weight_decay": 1}), True),
    }
    # a decay that depends on the budget allows no limit in seconds, and with any other the budget decides nothing
    if setting == "budget.seconds":
        return []
    return [text for text, left_out in decides.items() if setting.split(".")[0] not in left_out][:1]


_ABSENT = object()


def _section_in(info: FieldInfo) -> type[Section] | None:
    plain = info.annotation
    return plain if isinstance(plain, type) and issubclass(plain, Section) else None


def _section(path: str, model: type[Section]) -> str:
    title = {"": "Experiment", STAGE: "training.prior, training.predictor, training.adapter"}.get(path, path)
    note = " STAGE is `prior`, `predictor` or `adapter`." if path.startswith(STAGE) else ""
    head = ["| setting | type, range | default | meaning | read by | identity of |", "|---|---|---|---|---|---|"]
    if model is Range:
        head = ["| key | type, range | default | meaning |", "|---|---|---|---|"]
    rows = [_row(setting, model is not Range) for setting in settings_of(path, model)]
    return "\n".join([f"## {title}", "", _markdown(inspect.getdoc(model) or "") + note, "", *head, *rows, ""])


def _row(setting: Setting, of_experiment: bool) -> str:
    types, constraints = unwrap_annotation(setting.field.annotation, setting.field.metadata)
    kind = kind_of(setting.field)
    shown = " or ".join(type_text(t, kind) for t in types)
    shown = re.sub(rf"\b{kind}s?\b", f"[{kind}](components.md#{kind})", shown, count=1) if kind else shown
    kinds = ", ".join(filter(None, [shown, range_text(constraints)]))
    # A default that is a mere value stands in its own column; a sentence that says more stays.
    meaning = re.sub(r" ?Default: [^,;]*(, [`\d][^;]*)?\.$| Required\.(?= |$)", "", setting.meaning)
    cells = [f"`{setting.path}`", kinds, setting.default, meaning]
    if of_experiment:
        cells += [_readers(setting.path), ", ".join(identity_of(setting.path))]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _readers(path: str) -> str:
    found = read_by(path)
    return "all" if found == _ALL.split() else ", ".join(found)


def _default(path: str, info: FieldInfo) -> str:
    if info.is_required() and not path.startswith(STAGE):
        return "required"
    if not path.startswith(STAGE):
        return f"`{yaml_text(_dumped(info.get_default(call_default_factory=True)))}`"
    experiment = Experiment(name="x").model_dump(mode="json")
    values = [get_path(experiment, path.replace("STAGE", stage)) for stage in ("prior", "predictor", "adapter")]
    # a component is dumped as {name: options}, and the defaults have no options
    texts = [f"`{yaml_text(next(iter(value)) if isinstance(value, dict) else value)}`" for value in values]
    return " / ".join(texts[:1] if len(set(texts)) == 1 else texts)


def _dumped(value: object) -> Any:
    if isinstance(value, list):
        return [_dumped(each) for each in value]
    return value.name if isinstance(value, Ref) else value


def _markdown(text: str) -> str:
    """Returns a docstring as one paragraph: single backticks, YAML's null for None, and links to pages."""
    text = re.sub(r"\bNone\b", "`null`", " ".join(text.split()).replace("``", "`"))
    return re.sub(r"docs/(\w+)\.md", r"[\1](../\1.md)", text)


if __name__ == "__main__":
    print(settings_page(), end="")  # noqa: T201 (printing is the purpose)
