"""Priors, predictors and models as folders of YAML and safetensors: saved, loaded, identified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from torch import Tensor, nn

from texprior.config import resolve
from texprior.config.schema import Experiment
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow.predict import InitialPredictor
from texprior.models.build import Model, Prior, build_adapter, build_prior, require_grid, to_device
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import about_tensors, load_tensors, require_folder, save_tensors, sha256, write_atomically

CONFIG, PRIOR, PREDICTOR, ADAPTER, CARD = (
    "config.yaml",
    "prior.safetensors",
    "predictor.safetensors",
    "adapter.safetensors",
    "README.md",
)


def save_prior(
    folder: Path, experiment: Experiment, weights: dict[str, Tensor], about: dict[str, Any], card: str
) -> None:
    """Writes a prior's folder; the weights come last, so that a folder with weights is whole."""
    _save_texts(folder, experiment, card)
    save_tensors(folder / PRIOR, weights, about)


def load_prior(folder: Path, registry: Registry, session: Session | None = None) -> Prior:
    """A trained prior, frozen. Raises ConfigError where the folder is no prior."""
    require_folder(folder, "prior", CONFIG, PRIOR)
    inner = _session_of(folder, registry, session)
    weights, about = load_tensors(folder / PRIOR)
    prior = build_prior(inner, float(about["scale"]), folder)
    _load(prior.network, weights, folder)
    return Prior(
        inner.experiment, prior.network, prior.encoder, prior.decomposition, prior.scale, folder, sha256(folder / PRIOR)
    )


def save_predictor(folder: Path, experiment: Experiment, weights: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Writes a predictor's folder, which models copy it from."""
    write_atomically(folder / CONFIG, experiment.to_yaml().encode())
    save_tensors(folder / PREDICTOR, weights, about)


def load_predictor(folder: Path, session: Session) -> InitialPredictor:
    """A trained predictor, frozen."""
    require_folder(folder, "predictor", CONFIG, PREDICTOR)
    predictor: InitialPredictor = to_device(session.build("predictor"), session.device)
    _load(predictor, load_tensors(folder / PREDICTOR)[0], folder)
    return predictor


def save_model(
    folder: Path, experiment: Experiment, adapter: dict[str, Tensor], predictor: Path, about: dict[str, Any], card: str
) -> None:
    """Writes a model's folder; the adapter comes last, so that a folder with an adapter is whole."""
    _save_texts(folder, experiment, card)
    write_atomically(folder / PREDICTOR, (predictor / PREDICTOR).read_bytes())
    save_tensors(folder / ADAPTER, adapter, about)


def load_model(folder: Path, registry: Registry, prior: Path | None = None, session: Session | None = None) -> Model:
    """A trained model on its prior. Raises ConfigError where the prior is missing or is another one."""
    require_folder(folder, "model", CONFIG, PREDICTOR, ADAPTER)
    inner = _session_of(folder, registry, session)
    weights, about = load_tensors(folder / ADAPTER)
    loaded = load_prior(_prior_of(folder, about, prior), registry, session)
    if loaded.sha256 != about["prior_sha256"]:
        raise ConfigError(
            f"model {folder}: it was trained on the prior with sha256 {about['prior_sha256'][:16]}..., "
            f"but {loaded.folder} has {loaded.sha256[:16]}...; name the right one with --prior"
        )
    adapter = build_adapter(inner, loaded)
    _load(adapter, weights, folder)
    process, predictor = Process(float(about["residual_scale"])), load_predictor(folder, inner)
    require_grid((session or inner).experiment.sampling, loaded.network, predictor)
    return Model(inner.experiment, loaded, predictor, adapter, process, folder, registry)


def identify_model(folder: Path, session: Session) -> tuple[Experiment, Path, list[str]]:
    """A model's experiment, its prior's folder, and what its networks are by content; builds none of them.

    Raises ConfigError where the folder is no model, or its prior is missing.
    """
    require_folder(folder, "model", CONFIG, PREDICTOR, ADAPTER)
    experiment = _session_of(folder, session.registry, session).experiment
    about = about_tensors(folder / ADAPTER)
    weights = [*(sha256(folder / name) for name in (PREDICTOR, ADAPTER)), str(about["prior_sha256"])]
    return experiment, _prior_of(folder, about, None), weights


def _prior_of(folder: Path, about: dict[str, Any], given: Path | None) -> Path:
    """The prior's folder: the one given, the one recorded, or one beside the model with the right content."""
    if given is not None:
        return given
    recorded = (folder / str(about["prior_path"])).resolve()
    candidates = [recorded, *sorted(folder.parent.glob("prior-*"))]
    whole = [c for c in candidates if (c / PRIOR).is_file()]
    right = [c for c in whole if sha256(c / PRIOR) == about["prior_sha256"]]
    if right or whole:
        return (right or whole)[0]
    raise ConfigError(
        f"model {folder}: its prior (sha256 {about['prior_sha256'][:16]}...) is not at {recorded}; "
        "name its folder with --prior"
    )


def _session_of(folder: Path, registry: Registry, session: Session | None) -> Session:
    """A session for what a folder holds: its own experiment, on the device in use."""
    try:
        data = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{folder / CONFIG}: cannot be read ({error})") from None
    if session is not None and isinstance(data, dict):
        data |= {"device": session.experiment.device, "attention": session.experiment.attention.model_dump()}
    return Session(resolve(data, registry, source=str(folder / CONFIG)), registry)


def _load(network: nn.Module, weights: dict[str, Tensor], folder: Path) -> None:
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
    """Adds a section to a card, or replaces the one of the same title; what follows and precedes stays."""
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
