"""Computes the loss of each training on patches, per image, in the wanted precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from texprior.config.schema import Experiment
from texprior.diffusion.keys import generator, normal
from texprior.diffusion.precondition import denoise_noised
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow.adapt import DenoiserAdapter, Given, features_of, steered
from texprior.flow.compiled import compiled
from texprior.flow.contract import require_tensor
from texprior.flow.objective import Learned, Objective, StepTensors, objective_loss
from texprior.flow.precision import autocast
from texprior.flow.predict import InitialPredictor, Learn, learned_by, own_loss
from texprior.flow.prior import Network, checked_network, prior_denoise
from texprior.flow.process import base_of_prior, entrance
from texprior.flow.schedule import NoiseLevels
from texprior.models.build import Prior
from texprior.models.inputs import Inputs, given_of, noised_condition
from texprior.training.patches import Patches

Outputs = Iterator[tuple[str, Tensor]]
"""Tensors, each with the path in the experiment of the component that made it."""
_MAKERS = {
    "picture": "data.train",
    "clean": "data.train",
    "degraded": "degradation",
    "estimate": "predictor",
    "structure": "decomposition",
    "base": "decomposition",
    "condition": "decomposition",
    "code": "encoder",
}
"""What a pool holds -> the component that makes it last, in the order of the data flow."""


class LayerTask(NamedTuple):
    """What a network is asked for some samples: the layer, given the layer with noise and the inputs."""

    network: Network
    layer: Tensor
    noise: Tensor
    sigma: Tensor
    base: Tensor
    inputs: Mapping[str, Tensor]
    """The condition and the code, and what else an objective may read."""


class LayerLoss:
    """Loss of the layer (picture - base) for sample numbers, per image, (B,).

    ``levels`` distributes the noise levels. ``objective`` is what is minimised; None is the squared error of F.
    """

    def __init__(
        self,
        experiment: Experiment,
        prior: Prior,
        process: Process,
        patches: Patches,
        amp: bool,
        levels: NoiseLevels,
        objective: Objective | None = None,
        compiles: bool = False,
    ) -> None:
        self.experiment, self.prior, self.process, self.patches = experiment, prior, process, patches
        self.device = next(prior.network.parameters()).device
        self.amp, self.levels, self.objective = amp, levels, objective
        self.drops_codes = True
        """Whether codes are dropped; what is measured on held-out photographs has all of them, as sampling has."""
        self.denoiser = compiled(self._denoiser, compiles)
        self.steered_denoiser = compiled(self._steered_denoiser, compiles)
        if experiment.diffusion.code_dropout and not prior.encoder.width:
            raise ConfigError("diffusion.code_dropout: the encoder returns no code that could be dropped; set it to 0")

    def noised(self, numbers: Sequence[int]) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Returns patches, noise (B, 3, P, P) and sigma (B,).

        Each is a function of (seed, sample number).
        """
        batch = on_device(self.device, self.patches.batch(numbers))
        batch["code"] = self.kept(batch["code"], numbers)
        shape = (3, self.patches.patch, self.patches.patch)
        seed = self.patches.seed
        noise = on_device(self.device, {"": torch.stack([normal(shape, seed, "noise", n) for n in numbers])})[""]
        drawn = torch.cat([normal((1,), seed, "sigma", n) for n in numbers])
        sigma = require_tensor(self.levels, self.levels(drawn), drawn.shape, drawn, "the noise levels")
        return batch, noise, sigma.to(self.device)

    def kept(self, code_BNC: Tensor, numbers: Sequence[int]) -> Tensor:
        """Returns the codes, with zeros for a share ``diffusion.code_dropout`` of the samples.

        Which samples lose their code is a function of (seed, sample number).
        """
        share, seed = self.experiment.diffusion.code_dropout, self.patches.seed
        if not (share and self.drops_codes):
            return code_BNC
        kept = [torch.rand(1, generator=generator(seed, "code dropout", n)) >= share for n in numbers]
        return code_BNC * torch.cat(kept).to(code_BNC)[:, None, None]

    def stage_one(self, numbers: Sequence[int]) -> Tensor:
        """Returns the loss of Stage I: the texture of clean photographs, given their structure."""
        return self.of(self.texture(numbers))

    def stage_two(self, adapter: DenoiserAdapter, numbers: Sequence[int]) -> Tensor:
        """Returns the loss of Stage II on the residual.

        The residual is predicted given the inputs that are derived from the degraded picture.
        """
        return self.of(self.residual(adapter, numbers))

    def texture(self, numbers: Sequence[int]) -> LayerTask:
        """Returns what Stage I asks the prior for some samples."""
        batch, noise, sigma = self.noised(numbers)
        # The structure and its blurred copy get the same share of the texture: both draw it under the sample number.
        structure = condition = self.with_some_texture(batch["structure"], batch["picture"], numbers)
        if self.experiment.diffusion.condition_blur:
            condition = self.with_some_texture(batch["blurred structure"], batch["blurred picture"], numbers)
        base = base_of_prior(self.prior.process, batch["picture"], structure)
        given = {"condition": self.disturbed(condition, numbers), "code": batch["code"]}
        return LayerTask(self.denoiser, self.process.layer(batch["picture"], base), noise, sigma, base, given)

    def residual(self, adapter: DenoiserAdapter, numbers: Sequence[int]) -> LayerTask:
        """Returns what Stage II asks the steered prior for some samples."""
        batch, noise, sigma = self.noised(numbers)
        inputs = {**batch, "condition": self.disturbed(batch["condition"], numbers)}
        layer = self.process.layer(batch["clean"], batch["base"])
        network = partial(self.steered_denoiser, adapter, self.given(adapter, batch, inputs["condition"]))
        return LayerTask(network, layer, noise, sigma, batch["base"], inputs)

    def given(self, adapter: DenoiserAdapter, batch: Mapping[str, Tensor], condition_BCHW: Tensor) -> Given:
        """Returns what the adapter may see of the patches; the condition has its noise."""
        # without an adapter that sees it, the pool does not hold the degraded picture
        degraded = batch["degraded" if adapter.sees_given else "estimate"]
        inputs = Inputs(*(batch[name] for name in Inputs._fields if name in batch))
        return given_of(degraded, inputs, condition_BCHW, self.experiment.process)

    def of(self, task: LayerTask) -> Tensor:
        """Returns the loss of a network's estimate of a layer, (B,)."""
        condition, code = task.inputs["condition"], task.inputs["code"]
        scale = self.process.scale
        enter = entrance(self.prior.process, task.base, scale)
        with autocast(self.device, self.amp):
            found = denoise_noised(
                lambda x, c: task.network(x, c, condition, code), task.layer, task.noise, task.sigma, enter
            )
            if self.objective is None:
                # Karras et al. 2022, eq. 8
                return found.error()
            given = found.estimate, task.layer, task.base, scale, task.sigma, found.output, found.target
            # an objective gets the condition as a picture, without the channel of its noise level
            inputs = StepTensors({**task.inputs, "condition": condition[:, :3]})
            return objective_loss(self.objective, Learned(*given, inputs))

    def _denoiser(self, x_BCHW: Tensor, c_noise: Tensor, condition_BCHW: Tensor, code_BNC: Tensor) -> Tensor:
        return checked_network(self.prior.network, self.prior.network)(x_BCHW, c_noise, condition_BCHW, code_BNC)

    def _steered_denoiser(self, adapter: DenoiserAdapter, given: Given, *call: Tensor) -> Tensor:
        return steered(adapter, self.prior.network, features_of(adapter, given))(*call)

    def with_some_texture(self, structure_BCHW: Tensor, picture_BCHW: Tensor, numbers: Sequence[int]) -> Tensor:
        """Returns S + a T, with a uniform in [0, ``diffusion.alpha_max``).

        a is a function of (seed, sample number).
        """
        largest, seed = self.experiment.diffusion.alpha_max, self.patches.seed
        if not largest:
            return structure_BCHW
        alphas = [largest * torch.rand((1, 1, 1), generator=generator(seed, "alpha", n)) for n in numbers]
        return torch.lerp(structure_BCHW, picture_BCHW, torch.stack(alphas).to(self.device))

    def disturbed(self, condition_BCHW: Tensor, numbers: Sequence[int]) -> Tensor:
        """Adds noise to the condition of each sample, and its level as a channel if the prior is told it.

        Noise and level are functions of (seed, sample number).
        """
        seed, most = self.patches.seed, self.experiment.diffusion.condition_noise_max
        found = []
        for one, n in zip(condition_BCHW, numbers, strict=True):
            level = most * float(torch.rand(1, generator=generator(seed, "condition level", n))) if most else 0.0
            found.append(noised_condition(one[None], self.experiment, seed, n, level=level))
        return torch.cat(found)

    def outputs(self, numbers: Sequence[int], adapter: DenoiserAdapter | None = None) -> Outputs:
        """Yields what the components return for some samples, in the order of the data flow.

        Each tensor comes with the component's path in the experiment. With an adapter these are the components of Stage
        II.
        """
        batch, noise, sigma = self.noised(numbers)
        yield from _made(batch)
        if not math.isfinite(self.process.scale):
            # measured on other photographs: a single one that is not finite spoils every step
            for index in range(len(self.patches.pool)):
                yield from _made(self.patches.pool[index])
        if adapter:
            picture, base, condition = batch["clean"], batch["base"], batch["condition"]
        else:
            picture = batch["picture"]
            base, condition = base_of_prior(self.prior.process, picture, batch["structure"]), batch["structure"]
        x = self.process.layer(picture, base) + sigma.view(-1, 1, 1, 1) * noise
        enter = entrance(self.prior.process, base, self.process.scale)
        yield "diffusion.process", enter(x, sigma)
        known = x, sigma, condition, batch["code"], enter
        with autocast(self.device, self.amp):
            yield "denoiser", prior_denoise(self.prior.network, *known)
            if adapter:
                features = features_of(adapter, self.given(adapter, batch, batch["condition"]))
                yield from (("adapter", tensor) for tensor in features.values() if isinstance(tensor, Tensor))
                yield "adapter", prior_denoise(steered(adapter, self.prior.network, features), *known)


def _made(item: Mapping[str, Tensor]) -> Outputs:
    """Yields what a pool holds of photographs, in the order in which it is made."""
    yield from ((path, item[name]) for name, path in _MAKERS.items() if name in item)


def prediction_outputs(predictor: InitialPredictor, patches: Patches, amp: bool, numbers: Sequence[int]) -> Outputs:
    """Yields what the components return for some samples of the predictor's training; see ``LayerLoss.outputs``."""
    device = next(predictor.parameters()).device
    batch = on_device(device, patches.batch(numbers))
    yield from _made(batch)
    with autocast(device, amp):
        learned = learned_by(predictor, batch)
    yield from (("predictor", tensor) for tensor in (learned.estimate, *learned.auxiliary.values()))
    yield "predictor", own_loss(predictor, learned)


def prediction_loss_of(
    predictor: InitialPredictor,
    patches: Patches,
    amp: bool,
    objective: Objective | None = None,
    compiles: bool = False,
) -> Callable[[Sequence[int]], Tensor]:
    """Returns the loss of the predictor's training; ``compiles`` says whether its calls are compiled."""
    learn = compiled(lambda degraded_BCHW: predictor.learned(degraded_BCHW), True) if compiles else None
    return partial(prediction_loss, predictor, patches, amp, objective=objective, learn=learn)


def prediction_loss(
    predictor: InitialPredictor,
    patches: Patches,
    amp: bool,
    numbers: Sequence[int],
    objective: Objective | None = None,
    learn: Learn | None = None,
) -> Tensor:
    """Returns the loss of the predictor on clean and degraded patches, per image, (B,).

    Without an objective it is the predictor's own.
    """
    device = next(predictor.parameters()).device
    batch = on_device(device, patches.batch(numbers))
    with autocast(device, amp):
        learned = learned_by(predictor, batch, learn)
        return own_loss(predictor, learned) if objective is None else objective_loss(objective, learned)


def on_device(device: torch.device, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies the tensors of a batch from the CPU to the device."""
    if device.type != "cuda":
        return {name: tensor.to(device) for name, tensor in batch.items()}
    # from pinned memory, so that the copy runs beside the steps that are still being computed
    return {name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in batch.items()}
