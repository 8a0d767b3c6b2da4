"""Measures what an ablation would take here: trainings still to be done, photographs, and evaluations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from texprior.ablations.cells import Cell, outcome_of
from texprior.ablations.plan import Plan
from texprior.diffusion.process import Process
from texprior.evaluation.metrics import build_metrics
from texprior.evaluation.predictor_alone import evaluate_predictor
from texprior.flow.decompose import decompose
from texprior.flow.degrade import degraded_sample
from texprior.flow.kinds import DEGRADATION, PROCESS
from texprior.flow.measure import measure
from texprior.flow.prior import encode
from texprior.models.build import Model, build_adapter, build_predictor, build_prior
from texprior.models.folders import ADAPTER, PREDICTOR, PRIOR
from texprior.models.inputs import inputs_of
from texprior.models.sampling import build_sampler, calls_per_picture, rehearsed_scale
from texprior.pipeline import restore
from texprior.runtime.device_clock import device_time
from texprior.runtime.progress import no_progress
from texprior.runtime.session import Session
from texprior.store import sha256
from texprior.training.adapter import adapter_place
from texprior.training.cross_fit import fold_places
from texprior.training.dry_run import Measured, measure_predictor, measure_prior, measure_stage_two
from texprior.training.folders import ADAPTER_PARTS, Place, is_trained
from texprior.training.planned import Planned, planned_at
from texprior.training.preflight import on_prior

_NETWORKS = ("denoiser", "encoder", "attention")
_PREDICTOR = ("predictor", "training.predictor")
_ADAPTER = ("adapter", "process.unfreeze", "training.adapter")


def measure_ablation(plan: Plan) -> list[Measured]:
    """Returns a row for each kind of training and for evaluation; trains nothing.

    The rows of the trainings come first, then those for the photographs and the evaluations.
    """
    pending = [cell for cell in plan.cells if outcome_of(cell) is None]
    rows: list[Measured] = []
    undone = _first_of_each([cell for cell in pending if _needs_prior(cell)], lambda cell: cell.prior)
    for group in _alike(undone, lambda cell: cell.experiment.hash(*_NETWORKS, "training.prior")):
        (row,) = measure_prior(_of(plan, group[0]))
        rows.append(_times(row, len(group)))
    predictors = _first_of_each([c for c in pending if c.predictor in c.unfinished()], lambda cell: cell.predictor)
    trained = _without_adapter(plan, pending)
    adapters = _first_of_each(trained, _adapter)
    counted: set[str] = set()
    waiting = {cell.predictor: cell for cell in predictors} | _folds(plan, trained)
    for group in _alike(trained, lambda cell: cell.experiment.hash(*_NETWORKS, *_PREDICTOR, *_ADAPTER)):
        predictor, adapter = measure_stage_two(_of(plan, group[0]), None)
        kind = group[0].experiment.hash(*_PREDICTOR)
        if kind not in counted:
            counted.add(kind)
            rows.append(_times(predictor, sum(c.experiment.hash(*_PREDICTOR) == kind for c in waiting.values())))
        rows.append(_times(adapter, sum(cell in group for cell in adapters)))
    lone = _alike([cell for cell in predictors if cell.prior is None], lambda cell: cell.experiment.hash(*_PREDICTOR))
    new = [group for group in lone if group[0].experiment.hash(*_PREDICTOR) not in counted]
    rows += [_times(measure_predictor(_of(plan, group[0])), len(group)) for group in new]
    done = [row for row in rows if row.times]
    return _named(done) + ([*_pictures(plan, pending, trained)] if pending else [])


def planned_trainings(plan: Plan) -> list[Planned]:
    """Returns what would be done for each training of the pending cells.

    These are each prior, each predictor, and each of their adapters.
    """
    found: dict[Any, Planned] = {}
    for cell in plan.cells:
        if cell.model is not None or outcome_of(cell) is not None:
            continue
        session, trainings = _of(plan, cell), cell.experiment.training
        predictor = planned_at(session, "predictor", cell.predictor, PREDICTOR, trainings.predictor)
        found.setdefault(cell.predictor.folder, predictor)
        for fold in fold_places(session) if cell.trains_adapter else []:
            found.setdefault(fold.folder, planned_at(session, "predictor", fold, PREDICTOR, trainings.predictor))
        if cell.prior is not None:
            prior = planned_at(session, "prior", cell.prior, PRIOR, trainings.prior)
            found.setdefault(cell.prior.folder, prior)
        # its place takes the hashes of two files of weights, and many cells may share it
        if cell.prior is not None and _adapter(cell) not in found:
            place, settings = _adapter_place(plan, cell), trainings.adapter
            new = Planned("adapter", "trained here", None, settings.budget.images)
            found[_adapter(cell)] = planned_at(session, "adapter", place, ADAPTER, settings) if place else new
    return sorted(found.values(), key=lambda planned: ("prior", "predictor", "adapter").index(planned.stage))


def _first_of_each(cells: Iterable[Cell], key: Callable[[Cell], Any]) -> list[Cell]:
    """One cell for each training, such as one for each prior."""
    return [group[0] for group in _alike(cells, key)]


def _needs_prior(cell: Cell) -> bool:
    return cell.prior is not None and cell.prior in cell.unfinished()


def _adapter(cell: Cell) -> tuple[Path | None, Path, str]:
    return (
        cell.prior and cell.prior.folder,
        cell.predictor.folder,
        cell.experiment.hash(*ADAPTER_PARTS, "training.adapter", "training.folds"),
    )


def _adapter_place(plan: Plan, cell: Cell) -> Place | None:
    """Returns the place of a cell's adapter; None if its prior or its predictor is not trained, and decides it."""
    if cell.prior is None or cell.unfinished():
        return None
    session = on_prior(_of(plan, cell), cell.prior.folder)
    return adapter_place(session, sha256(cell.prior.folder / PRIOR), cell.predictor.folder)


def _folds(plan: Plan, cells: Iterable[Cell]) -> dict[Place, Cell]:
    """Returns the predictors of folds that are still to be trained, each with a cell that needs it."""
    places = {place: cell for cell in cells for place in fold_places(_of(plan, cell))}
    return {place: cell for place, cell in places.items() if not (place.folder / PREDICTOR).is_file()}


def _without_adapter(plan: Plan, cells: Iterable[Cell]) -> list[Cell]:
    """Returns the cells whose adapter is still to be trained."""

    def stored(group: Sequence[Cell]) -> bool:
        first, place = group[0], _adapter_place(plan, group[0])
        return place is not None and is_trained(
            _of(plan, first), place.folder / ADAPTER, first.experiment.training.adapter
        )

    groups = _alike((cell for cell in cells if cell.trains_adapter), _adapter)
    return [cell for group in groups if not stored(group) for cell in group]


def _of(plan: Plan, cell: Cell) -> Session:
    return plan.session.with_(experiment=cell.experiment)


def _alike(cells: Iterable[Cell], key: Callable[[Cell], Any]) -> list[list[Cell]]:
    groups: dict[Any, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return list(groups.values())


def _times(row: Measured, times: int) -> Measured:
    return replace(row, times=times, expected_s=row.expected_s / row.times * times)


def _named(rows: Sequence[Measured]) -> list[Measured]:
    """Numbers the kinds of one training if there are several."""
    kinds: dict[str, int] = {}
    for row in rows:
        kinds[row.stage] = kinds.get(row.stage, 0) + 1
    seen: dict[str, int] = {}
    named = []
    for row in rows:
        seen[row.stage] = seen.get(row.stage, 0) + 1
        named.append(row if kinds[row.stage] == 1 else replace(row, stage=f"{row.stage} {seen[row.stage]}"))
    return named


def _pictures(plan: Plan, pending: Sequence[Cell], trained: Iterable[Cell]) -> list[Measured]:
    """What the photographs of all cells take: to prepare them for training, and to restore and score them.

    One photograph of each kind of cell is timed. ``trained`` are the cells whose adapter is still to be trained; a
    training that several cells share prepares its photographs once.
    """
    prepared, judged, prepare_s, judge_s = 0, 0, 0.0, 0.0
    untrained = {cell.folder for cell in trained}
    of_priors, of_adapters = set[Place | None](), set[tuple[Path | None, Path, str]]()

    def kind(cell: Cell) -> tuple[Any, ...]:
        """The arm; for a sampled model, everything that its time depends on."""
        settings = cell.experiment.sampling
        process = _of(plan, cell).build(PROCESS, "diffusion.process")
        sampler = build_sampler(plan.session.registry, settings, process)
        calls = calls_per_picture(sampler, settings)
        return (cell.arm,) if cell.model is None else (calls, settings.tile, settings.halo, settings.features_mb)

    for cells in _alike(pending, kind):
        session = _of(plan, cells[0])
        experiment = session.experiment
        choice = experiment.evaluation
        split = len(session.pictures(choice.split)[1][: choice.limit])
        alone = cells[0].prior is None
        judge_s += split * len(cells) * (_estimated_s(session) if alone else sum(_timed(session, choice.split)[1:]))
        judged += split * len(cells)
        # the predictor alone derives nothing slow from a photograph, and its evaluation is all that is timed
        waiting = [cell for cell in cells if cell.folder in untrained]
        if waiting:
            variants = experiment.data.variants if experiment.degradation else 1
            train, of_prior = (len(s.pictures("train")[1]) for s in (session, session.of_stage_one()))
            structure_s, inputs_s, _ = _timed(session, "train")
            trainings = experiment.training
            each = experiment.data.patches_per_photograph
            priors = {c.prior for c in waiting if _needs_prior(c)} - of_priors
            adapters = set(map(_adapter, waiting)) - of_adapters
            of_priors, of_adapters = of_priors | priors, of_adapters | adapters
            first = min(of_prior, math.ceil(trainings.prior.budget.images / each)) * len(priors)
            visits = math.ceil(trainings.adapter.budget.images / each)
            # a photograph that is degraded anew at each visit is prepared as often as it is visited
            second = (visits if variants is None else min(visits, train * variants)) * len(adapters)
            prepared, prepare_s = prepared + first + second, prepare_s + first * structure_s + second * inputs_s
    photographs = Measured("photographs", 0, 0, prepared / prepare_s, prepared, prepare_s, None) if prepared else None
    return [*filter(None, [photographs]), Measured("evaluations", 0, 0, judged / judge_s, judged, judge_s, None)]


def _estimated_s(session: Session) -> float:
    """Seconds in which the predictor alone restores and scores one photograph."""
    first = session.experiment.evaluation.model_copy(update={"limit": 1})
    one = session.with_(experiment=session.experiment.model_copy(update={"evaluation": first}), progress=no_progress)
    predictor = build_predictor(session.builder).requires_grad_(False).eval()
    started = device_time(session.device)
    evaluate_predictor(one, predictor, lambda _number, _key, _versions: None)
    return device_time(session.device) - started


def _timed(session: Session, split: str) -> tuple[float, float, float]:
    """Seconds for one photograph: its structure and code, what Stage II derives from it, its restoration and scores."""
    experiment, choice = session.experiment, session.experiment.evaluation
    builder = session.builder
    prior, predictor = build_prior(builder, 1.0, Path()), build_predictor(builder)
    adapter = build_adapter(builder, prior)
    scale = rehearsed_scale(prior.process, experiment.sampling)
    model = Model(experiment, prior, predictor, adapter, Process(scale), Path(), session.registry)
    degradation = session.build(DEGRADATION) if experiment.degradation else None
    metrics = build_metrics(session).images
    dataset, keys = session.pictures(split)
    sample = dataset.load(keys[0])
    clean = sample.clean[None].to(session.device)
    with torch.no_grad():
        started = device_time(session.device)
        encode(decompose(clean, prior.decomposition).structure, prior.encoder)
        structured = device_time(session.device)
        picture = degraded_sample(sample, degradation, choice.seed, bits=experiment.data.degraded_bits)
        degraded = picture[None].to(session.device)
        derived = inputs_of(degraded, experiment, predictor, prior, prior.encoder)
        known = device_time(session.device)
        known_inputs = derived if experiment.sampling.self_ensemble == 1 else None
        restored = restore(model, degraded, keys[0], None, choice.seed, known_inputs)
        measure(restored.picture, clean, metrics)
    return structured - started, known - structured, device_time(session.device) - known
