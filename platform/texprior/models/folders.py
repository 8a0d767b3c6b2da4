"""Priors, predictors and models as folders of YAML and safetensors: saved, loaded, identified."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor, nn

from texprior.config import resolve
from texprior.config.resolver import TRAINED
from texprior.config.schema import Experiment
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow.predict import InitialPredictor
from texprior.models.build import Model, Prior, build_adapter, build_predictor, build_prior, require_grid
from texprior.models.checksums import require_intact
from texprior.models.prior_search import PRIOR as PRIOR
from texprior.models.prior_search import find_prior
from texprior.registry import Registry
from texprior.registry.origins import CARD as CARD
from texprior.runtime.builder import Builder
from texprior.store import about_tensors, load_tensors, require_folder, save_tensors, sha256, write_atomically

CONFIG, PREDICTOR, ADAPTER = TRAINED, "predictor.safetensors", "adapter.safetensors"
HELD_OUT = "held_out.json"
"""What was measured on held-out photographs after a training."""


def save_prior(
    folder: Path, experiment: Experiment, weights: dict[str, Tensor], about: dict[str, Any], card: str
) -> None:
    """Writes a prior's folder.

    The weights come last, so that a folder with weights is complete.
    """
    _save_texts(folder, experiment, card)
    save_tensors(folder / PRIOR, weights, about)


def load_prior(folder: Path, here: Builder) -> Prior:
    """Loads a trained prior, frozen. Raises ConfigError if the folder holds no prior.

    ``here`` gives the registry, and the device and attention backend in use; the rest is the folder's own. Raises
    TexpriorError if a file of an exported folder has another digest than the folder lists.
    """
    require_folder(folder, "prior", CONFIG, PRIOR)
    require_intact(folder, CARD)
    weights, about = load_tensors(folder / PRIOR)
    prior = build_prior(folder_builder(folder, here.registry, here), float(about["scale"]), folder)
    _load_weights(prior.network, weights, folder)
    return replace(prior, sha256=sha256(folder / PRIOR))


def save_predictor(folder: Path, experiment: Experiment, weights: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Writes a predictor's folder. A model's folder gets a copy of its weights."""
    write_atomically(folder / CONFIG, experiment.to_yaml().encode())
    save_tensors(folder / PREDICTOR, weights, about)


def load_predictor(folder: Path, builder: Builder) -> InitialPredictor:
    """Loads a trained predictor, frozen: the network of the builder's experiment with the folder's weights."""
    require_folder(folder, "predictor", CONFIG, PREDICTOR)
    predictor = build_predictor(builder)
    _load_weights(predictor, load_tensors(folder / PREDICTOR)[0], folder)
    return predictor


def save_model(
    folder: Path, experiment: Experiment, adapter: dict[str, Tensor], predictor: Path, about: dict[str, Any], card: str
) -> None:
    """Writes a model's folder.

    The adapter comes last, so that a folder with an adapter is complete.
    """
    _save_texts(folder, experiment, card)
    write_atomically(folder / PREDICTOR, (predictor / PREDICTOR).read_bytes())
    save_tensors(folder / ADAPTER, adapter, about)


def load_model(folder: Path, here: Builder, prior: Path | None = None) -> Model:
    """Loads a trained model on its prior, frozen.

    ``here`` gives the registry, the device and attention backend in use, and the tiles that will be sampled. ``prior``
    is the folder of its prior, which is searched if it is not given. Raises ConfigError if the prior is missing or is
    another one, and TexpriorError if a file of an exported folder has another digest than the folder lists.
    """
    # the prior, by content
    require_folder(folder, "model", CONFIG, PREDICTOR, ADAPTER)
    # the card may be edited, as hubs and evaluations do
    require_intact(folder, CARD)
    weights, about = load_tensors(folder / ADAPTER)
    loaded = load_prior(prior or find_prior(folder, about), here)
    if loaded.sha256 != about["prior_sha256"]:
        raise ConfigError(
            f"model {folder}: it was trained on the prior with sha256 {about['prior_sha256'][:16]}..., "
            f"but {loaded.folder} has {loaded.sha256[:16]}...; name the right one with --prior"
        )

    # the model's own networks
    own = folder_builder(folder, here.registry, here)
    adapter = build_adapter(own, loaded)
    _load_weights(adapter, weights, folder)
    predictor = load_predictor(folder, own)
    require_grid(here.experiment.sampling, loaded.network, predictor)
    process = Process(float(about["residual_scale"]))
    return Model(own.experiment, loaded, predictor, adapter, process, folder, here.registry)


def identify_model(folder: Path, here: Builder) -> tuple[Experiment, Path, list[str]]:
    """Returns a model's experiment, its prior's folder, and its weights' hashes.

    Builds no network. Raises ConfigError if the folder holds no model, or its prior is missing.
    """
    require_folder(folder, "model", CONFIG, PREDICTOR, ADAPTER)
    about = about_tensors(folder / ADAPTER)
    weights = [*(sha256(folder / name) for name in (PREDICTOR, ADAPTER)), str(about["prior_sha256"])]
    return folder_builder(folder, here.registry, here).experiment, find_prior(folder, about), weights


def folder_builder(folder: Path, registry: Registry, here: Builder | None = None) -> Builder:
    """Returns a builder of the experiment in a folder.

    It has the device and the attention backend of ``here``. Without ``here`` both are the folder's own. Raises
    ConfigError if the experiment cannot be read or resolved.
    """
    try:
        data = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{folder / CONFIG}: cannot be read ({error})") from None
    if here is not None and isinstance(data, dict):
        data |= {"device": here.experiment.device, "attention": here.experiment.attention.model_dump()}
    return Builder(resolve(data, registry, source=str(folder / CONFIG), stored=True), registry)


def _load_weights(network: nn.Module, weights: dict[str, Tensor], folder: Path) -> None:
    try:
        network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except RuntimeError as error:
        raise ConfigError(
            f"{folder}: the weights do not fit the network that config.yaml describes ({error})"
        ) from None
    network.requires_grad_(False).eval()


def _save_texts(folder: Path, experiment: Experiment, card: str) -> None:
    write_atomically(folder / CONFIG, experiment.to_yaml().encode())
    write_atomically(folder / CARD, card.encode())


def put_section(card: Path, title: str, text: str) -> None:
    """Adds a section to a card, or replaces the section of that title.

    The rest of the card stays as it is.
    """
    heading = f"## {title}\n"
    old = card.read_text(encoding="utf-8") if card.is_file() else ""
    before, found, after = old.partition(heading)
    if found:
        _, more, following = after.partition("\n## ")
        rest = f"\n## {following}" if more else ""
        new = f"{before}{heading}\n{text}{rest}"
    else:
        new = f"{old.rstrip()}\n\n{heading}\n{text}" if old else f"{heading}\n{text}"
    write_atomically(card, new.encode())
