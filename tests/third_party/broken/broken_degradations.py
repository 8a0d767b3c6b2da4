"""Degradations: one that is right, and what goes wrong with them."""

from texprior.flow.degrade import Replayable
from texprior.plugin import Degradation, Options, hookimpl

CAUGHT_BY = {
    "right": [],
    "global_randomness": ["any.global-rng"],
    "in_place": ["any.inputs"],
    "out_of_range": ["degradation.picture"],
    "cropping": ["degradation.picture"],
    "counting": ["degradation.keys", "degradation.workers"],
    "worker_seeded": ["degradation.workers"],
    "one_rain_for_all": ["degradation.random"],
    "undeclared_constant": ["degradation.random"],
    "own_numpy_generator": ["any.repeatable"],
    "not_finite": ["any.space-works"],
    "numpy_array": ["any.space-works"],
    "tells_its_factor": [],
    "tells_a_growing_list": ["degradation.drawn"],
    "tells_a_float": ["degradation.drawn"],
    "tells_a_map_of_one_size": ["degradation.drawn"],
}


class Right:
    """Darkens by a random factor and adds noise."""

    def __init__(self, options):
        self.options = options

    def __call__(self, image_CHW, rng):
        import torch

        factor = 0.6 + 0.3 * torch.rand((), generator=rng)
        return (factor * image_CHW + 0.02 * torch.randn(image_CHW.shape, generator=rng)).clamp(0, 1)


class GlobalRandomness(Right):
    def __call__(self, image_CHW, rng):
        import numpy

        return super().__call__(image_CHW, rng) * numpy.random.uniform(0.5, 0.9)


class InPlace(Right):
    def __call__(self, image_CHW, rng):
        degraded = super().__call__(image_CHW, rng)
        image_CHW *= 0.9
        return degraded


class OutOfRange(Right):
    def __call__(self, image_CHW, rng):
        return super().__call__(image_CHW, rng) + 0.5


class Cropping(Right):
    def __call__(self, image_CHW, rng):
        height, width = image_CHW.shape[-2:]
        return super().__call__(image_CHW, rng)[:, : height // 2 * 2, : width // 2 * 2]


class Counting(Right):
    calls = 0

    def __call__(self, image_CHW, rng):
        self.calls += 1
        return super().__call__(image_CHW, rng) / self.calls


class WorkerSeeded(Right):
    def __call__(self, image_CHW, rng):
        from torch.utils.data import get_worker_info

        worker = get_worker_info()
        return super().__call__(image_CHW, rng) * (0.5 if worker and worker.id == 1 else 1)


class OneRainForAll(Right):
    def __call__(self, image_CHW, rng):
        import torch

        return super().__call__(image_CHW, torch.Generator().manual_seed(0))


class UndeclaredConstant(Right):
    def __call__(self, image_CHW, rng):
        return image_CHW / 2


class OwnNumpyGenerator(Right):
    """Draws from a private generator that nobody seeds."""

    def __call__(self, image_CHW, rng):
        import numpy

        return super().__call__(image_CHW, rng) * float(numpy.random.default_rng().uniform(0.5, 0.9))


class NotFinite(Right):
    def __call__(self, image_CHW, rng):
        return super().__call__(image_CHW, rng) / 0 * 0


class NumpyArray(Right):
    def __call__(self, image_CHW, rng):
        return super().__call__(image_CHW, rng).numpy()


class TellsItsFactor(Replayable):
    """Darkens by a random factor, and tells it as a number and as a map."""

    def __init__(self, options):
        pass

    def draw(self, rng, size):
        import torch

        return {"factor": float(torch.rand((), generator=rng))}

    def apply(self, image_CHW, recipe):
        return image_CHW * recipe["factor"]

    def drawn(self, recipe, size):
        import torch

        factor = torch.tensor([recipe["factor"]])
        return {"factor": factor, "map": factor.expand(1, *size)}


class TellsAGrowingList(TellsItsFactor):
    def drawn(self, recipe, size):
        import torch

        return {"factors": torch.ones(1 + int(100 * recipe["factor"]))}


class TellsAFloat(TellsItsFactor):
    def drawn(self, recipe, size):
        return dict(recipe)


class TellsAMapOfOneSize(TellsItsFactor):
    def drawn(self, recipe, size):
        import torch

        return {"map": torch.ones(1, 48, 64)}


@hookimpl
def texprior_degradations():
    classes = (
        *(Right, GlobalRandomness, InPlace, OutOfRange, Cropping),
        *(Counting, WorkerSeeded, OneRainForAll, UndeclaredConstant),
        *(OwnNumpyGenerator, NotFinite, NumpyArray),
        *(TellsItsFactor, TellsAGrowingList, TellsAFloat, TellsAMapOfOneSize),
    )
    return [
        Degradation(name, f"{__name__}:{c.__name__}", Options, "Darkens.")
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
