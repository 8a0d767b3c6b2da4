"""Does what the commands do, from a script or a notebook.

    import texprior

    bench = texprior.load("experiment.yaml", "adapter.cga.width=64")
    prior = bench.prior()
    model = bench.adapt(prior)
    restored = texprior.restore(model, "photograph.png", steps=4)

Heavy packages are imported when they are used: ``load`` is as quick as ``--help``.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from texprior.config import ALL_SAID, resolve, said_in, written
from texprior.config import load as load_experiment
from texprior.config.schema import Experiment
from texprior.errors import printable
from texprior.registry import Plugin, Registry

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    from texprior.ablations.finish import AblationDone
    from texprior.evaluation.scores import Scores
    from texprior.models.build import Model
    from texprior.pipeline import Restored
    from texprior.runtime.session import Session
    from texprior.runtime.workers import Workers
    from texprior.sweeps.records import StudyDone
    from texprior.training.run import Trained

log = logging.getLogger(__name__)
_REGISTRY: list[Registry] = []


def registry() -> Registry:
    """Returns the registry of installed components and of those registered in this process."""
    if not _REGISTRY:
        _REGISTRY.append(Registry.discover())
    return _REGISTRY[0]


def register(source: ModuleType | str | Path) -> Plugin:
    """Adds a plugin that is not installed: a Python file, or a module.

    Registering it again replaces it. Its version is the hash of its content, and is in the record of every run that
    uses it. Workers of a sweep get a file too, or a module that is a file. Raises PluginError with the reason if it
    does not load.
    """
    return registry().register(source)


def load(source: str | Path | Mapping[str, Any], *overrides: str, quiet: bool = False) -> Workbench:
    """Loads an experiment from a file or a mapping, with overrides such as ``"adapter.cga.width=64"``.

    ``quiet`` shows no progress. Raises ConfigError with file, line and path of what is wrong.
    """
    known = registry()
    if isinstance(source, Mapping):
        experiment, said = resolve(source, known, overrides), copy.deepcopy(dict(source))
    else:
        experiment, said = load_experiment(source, known, overrides), written(source, known)
    for sentence in known.warnings_of(experiment):
        log.warning(sentence)
    return Workbench(experiment, known, quiet, said, overrides)


@dataclass(frozen=True)
class Workbench:
    """A resolved experiment and what can be done with it.

    It uses the same folders and stores as the commands.
    """

    experiment: Experiment
    registry: Registry
    quiet: bool = False
    written: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the experiment was resolved from, together with ``overrides``."""
    overrides: tuple[str, ...] = ()

    def __repr__(self) -> str:
        chosen = {"degradation": self.experiment.degradation, "adapter": self.experiment.adapter}
        parts = [f"{kind} {ref.name if ref else 'none'}" for kind, ref in chosen.items()]
        return f"Workbench({self.experiment.name}: {', '.join(parts)}, {len(self.overrides)} overrides)"

    def with_(self, *overrides: str) -> Workbench:
        """Returns the workbench with further overrides, such as ``"seed=1"``; the experiment is resolved again."""
        every = (*self.overrides, *overrides)
        return replace(self, experiment=resolve(self.written, self.registry, every), overrides=every)

    def prior(self, fresh: bool = False) -> Path:
        """Trains the texture prior (Stage I), continues it, or finds it trained; returns its folder.

        ``fresh`` starts over. A warning names each photograph that cannot be read; the others are used.
        """
        from texprior.training.prior import train_prior

        with self._session(fresh=fresh) as session:
            return _folder(train_prior(session))

    def adapt(self, prior: str | Path | None = None, fresh: bool = False) -> Path:
        """Trains predictor and adapter (Stage II) on a prior; returns the model's folder.

        The prior is by default that of the experiment's key ``prior``, else its own. Raises ConfigError if it is not
        trained yet.
        """
        from texprior.runtime.split_check import require_splits
        from texprior.training.adapter import train_adapter
        from texprior.training.given_prior import given_prior
        from texprior.training.predictor import train_predictor
        from texprior.training.preflight import require_adapters
        from texprior.training.prior import own_prior

        remedy = "train it with prior(), or name one with prior=..."
        with self._on(prior)._session(fresh=fresh) as session:
            folder = given_prior(session.experiment) or own_prior(session, remedy)
            require_splits(session, "train")
            require_adapters(session, folder)
            return _folder(train_adapter(session, folder, _folder(train_predictor(session))))

    def evaluate(
        self, model: str | Path | Model, split: Literal["val", "test"] | None = None, folder: str | Path | None = None
    ) -> Scores:
        """Scores a model on a split (by default ``evaluation.split``) as a tracked run.

        ``scores.csv`` and ``sheet.png`` go to ``folder``, by default to that of ``texprior evaluate``; the means go
        to the card too.
        """
        from texprior.evaluation.run import run_evaluation

        bench = self.with_(f"evaluation.split={split}") if split else self
        with bench._session() as session:
            loaded = _loaded(model, session)
            judged = run_evaluation(session, loaded, Path(folder) if folder else None)
            _warn(judged.evaluated.broken)
            return judged.evaluated.scores

    def sweep(
        self,
        trials: int | None = None,
        prior: str | Path | None = None,
        storage: str | None = None,
        workers: int = 1,
        launcher: str | Mapping[str, Any] = "local",
    ) -> StudyDone:
        """Searches ``sweep.space`` until the study holds ``trials`` trials; returns them, and the best one's model.

        ``launcher`` starts the workers: its name, or a mapping with its options, ``{"ray": {"address": "auto"}}``.
        Workers are processes, so in a script the call must be below ``if __name__ == "__main__":``.
        """
        from texprior.sweeps.run import run_study

        with self._on(prior)._session() as session:
            crew = _workers(session, workers, launcher)
            done = run_study(session, None, trials, storage, workers=crew)
            _warn(done.broken)
            return done

    def ablate(
        self,
        split: Literal["val", "test"] | None = None,
        workers: int = 1,
        retry_failed: bool = False,
        launcher: str | Mapping[str, Any] = "local",
    ) -> AblationDone:
        """Compares the arms of ``ablation`` with their baseline; returns comparison, every cell's outcome, and report.

        Continues what was interrupted. Cells that failed are outcomes; their reasons are in ``failed``. ``launcher``
        is that of ``sweep``.
        """
        from texprior.ablations.run import run_ablation

        bench = self.with_(f"ablation.split={split}") if split else self
        with bench._session() as session:
            crew = _workers(session, workers, launcher)
            done = run_ablation(session, crew, retry_failed, "texprior.load(...).ablate()")
            _warn(done.broken)
            return done

    def _on(self, prior: str | Path | None) -> Workbench:
        """Returns the workbench on a trained prior, if one is given."""
        return self if prior is None else self.with_(f"prior={json.dumps(str(prior))}")

    @contextmanager
    def _session(self, fresh: bool = False) -> Iterator[Session]:
        """Starts a session that shows its progress on stderr while the work lasts."""
        from texprior.runtime.progress import Reporter
        from texprior.runtime.session import Session

        said = said_in(self.written, self.registry, self.overrides) if self.written else ALL_SAID
        if self.quiet:
            yield Session.start(self.experiment, self.registry, fresh=fresh, said=said)
            return
        with Reporter() as reporter:
            yield Session.start(
                self.experiment, self.registry, progress=reporter, say=reporter.say, fresh=fresh, said=said
            )


def shipped_models() -> dict[str, Path]:
    """Returns task -> folder of each model that texprior ships."""
    from texprior.store import shipped_models as found

    return found()


def load_model(
    folder: str | Path | None = None, prior: str | Path | None = None, device: str = "auto", task: str | None = None
) -> Model:
    """Loads a trained model, or the shipped model of a task, for several calls of ``restore``.

    ``prior`` is its prior's folder, if that was moved. Raises ConfigError if the folder holds no model, its prior is
    missing, or a plugin of it is not registered; and if there is no such task.
    """
    from texprior.models.folders import ADAPTER, CONFIG, PREDICTOR
    from texprior.models.folders import load_model as load_folder
    from texprior.models.shipped import chosen_model
    from texprior.runtime.session import Session
    from texprior.store import require_folder

    chosen = chosen_model(folder, task, "load_model(FOLDER) and load_model(task=NAME)")
    path = require_folder(chosen, "model", CONFIG, PREDICTOR, ADAPTER)
    experiment = load_experiment(path / CONFIG, registry(), [f"device={device}"], stored=True)
    session = Session.start(experiment.model_copy(update={"events": []}), registry())  # sets the threads; no observer
    return load_folder(path, session.builder, Path(prior) if prior else None)


def restore(
    model: str | Path | Model,
    image: str | Path | Tensor | NDArray[Any] | Image,
    seed: int | None = None,
    key: str = "",
    **sampling: object,
) -> Restored:
    """Restores a picture of any size.

    The picture is a file, a tensor (3, H, W), an array (H, W, 3), or a PIL image; with floats in [0, 1], uint8 or
    uint16. Grey, alpha (composed on white) and batches of one are taken too. ``.picture`` of the result is
    (1, 3, H, W) in [0, 1].
    ``sampling`` are settings of an experiment's section ``sampling``: ``steps=4, texture_strength=0.5, samples=8``. The
    noise is a function of the seed (by default the model's) and the key (by default the file's name). Raises ImageError
    for what is no picture, with the shape, type or range found, and ConfigError for an unknown setting.
    """
    from texprior.flow.given_picture import as_picture
    from texprior.flow.image import load_image
    from texprior.pipeline import restore as restore_picture

    # the picture comes first: a model takes seconds to load
    picture = load_image(image) if isinstance(image, str | Path) else as_picture(image)

    loaded = _loaded(model)
    data = loaded.experiment.model_dump(mode="json")
    experiment = resolve(data | {"sampling": data["sampling"] | sampling}, loaded.registry, source="restore")
    loaded = replace(loaded, experiment=experiment)  # tiles of the prediction are those of the sampling
    named = key or (printable(Path(image).name) if isinstance(image, str | Path) else "picture")
    noise_seed = experiment.seed if seed is None else seed
    return restore_picture(loaded, picture[None], named, experiment.sampling, noise_seed)


def _loaded(model: str | Path | Model, session: Session | None = None) -> Model:
    if not isinstance(model, str | Path):
        return model
    if session is None:
        return load_model(model)
    from texprior.models.folders import load_model as load_folder
    from texprior.store import named_folder

    return load_folder(named_folder(model), session.builder)


def _workers(session: Session, number: int, launcher: str | Mapping[str, Any]) -> Workers:
    from texprior.runtime.workers import Workers, launcher_of

    return Workers(number, launcher_of(session.registry, launcher))


def _folder(trained: Trained) -> Path:
    _warn(trained.broken)
    return trained.folder


def _warn(broken: Mapping[str, str]) -> None:
    for reason in broken.values():
        log.warning("left out: %s", reason)
