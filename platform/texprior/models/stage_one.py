"""Compares the Stage I settings of an experiment with those of a trained prior.

If they differ, the settings of the prior decide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from texprior.config.dotted_paths import get_path, leaf_paths
from texprior.config.said import Said
from texprior.config.schema import Experiment
from texprior.decompositions.strength_search import strength_of
from texprior.registry import Registry

COMPONENTS = ("decomposition", "encoder", "denoiser", "diffusion.process")
VALUES = (
    "match_texture_std",
    *("diffusion.condition_noise", "diffusion.condition_noise_max", "diffusion.condition_blur", "diffusion.alpha_max"),
    "diffusion.code_dropout",
)
"""Settings that belong to a prior, besides its components."""
_SHOWN = 5
"""Differences that a message lists: enough to see what kind of prior it is, few enough to read."""


class Difference(NamedTuple):
    """A setting that an experiment states and that its prior has differently."""

    path: str
    of_prior: object
    stated: object

    def __str__(self) -> str:
        return f"{self.path}: the prior has {json.dumps(self.of_prior)}, the experiment {json.dumps(self.stated)}"


def with_stage_one_of(experiment: Experiment, of_prior: Experiment) -> Experiment:
    """Returns an experiment with its Stage I settings replaced by those of a prior.

    These are the decomposition, net S, the denoiser, the process, and what the prior's training did to the condition
    and the code.
    """
    sections = [path.rpartition(".")[::2] for path in (*COMPONENTS, *VALUES)]
    own = {name: getattr(of_prior, name) for section, name in sections if not section}
    diffusion = {name: getattr(of_prior.diffusion, name) for section, name in sections if section}
    return experiment.model_copy(update={**own, "diffusion": experiment.diffusion.model_copy(update=diffusion)})


def stage_one_differences(
    experiment: Experiment, of_prior: Experiment, said: Said, registry: Registry
) -> list[Difference]:
    """Lists the Stage I settings that the experiment states and that differ from the prior's."""
    here, there = experiment.model_dump(mode="json"), of_prior.model_dump(mode="json")
    found = []
    for path in COMPONENTS:
        ours, theirs = get_path(here, path), get_path(there, path)
        if ours.keys() != theirs.keys():
            found += [Difference(path, next(iter(theirs)), next(iter(ours)))]
        else:
            found += _values(here, there, dict.fromkeys((*leaf_paths(ours, path), *leaf_paths(theirs, path))))
    found += _values(here, there, dict.fromkeys(VALUES))

    # the strength is not the experiment's: both state the texture that it is searched for
    target = experiment.match_texture_std
    if target is not None and target == of_prior.match_texture_std:
        name = experiment.decomposition.name
        strength = f"decomposition.{name}.{strength_of(registry, experiment.decomposition)}"
        found = [difference for difference in found if difference.path != strength]
    return [difference for difference in found if difference.path in said]


def _values(here: Mapping[str, Any], there: Mapping[str, Any], paths: Mapping[str, Any]) -> list[Difference]:
    pairs = [Difference(path, get_path(there, path), get_path(here, path)) for path in paths]
    return [pair for pair in pairs if pair.of_prior != pair.stated]


def describe_differences(found: list[Difference], whose: str) -> str:
    """Returns a message that lists differences and says what to do.

    ``whose`` names the prior or the model.
    """
    lines = [f"  {difference}" for difference in found[:_SHOWN]]
    lines += [f"  and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    settings = "this setting differs" if len(found) == 1 else f"these {len(found)} settings differ"
    return "\n".join(
        [
            f"{settings} from those of {whose}, whose own settings are used:",
            *lines,
            "remove them from the experiment to take the prior's values, or train another prior with them",
        ]
    )
