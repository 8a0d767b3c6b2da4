"""Metrics: one with a reference and one without that are right, and what goes wrong with them."""

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Metric, Options, hookimpl

CAUGHT_BY = {
    "right": [],
    "right_without": [],
    "upside_down": ["metric.direction", "metric.identity"],
    "batch_mean": ["metric.batch"],
    "one_for_all": ["metric.scores", "metric.batch"],
    "vague_key": ["metric.key"],
    "biased": ["metric.identity"],
    "saturated": ["metric.noise"],
    "peeks": ["metric.reference"],
    "right_set": [],
    "crowd": ["metric.features"],
    "ranked": ["metric.contributions"],
    "upside_down_set": ["metric.set-noise", "metric.set-identity"],
    "a_float": ["any.space-works"],
}


class ErrorOptions(Options):
    power: Annotated[Literal[1, 2], Field(description="of the error")] = 1


class Error:
    """The mean absolute or squared error."""

    def __init__(self, options):
        self.power = options.power
        self.key = f"error_{options.power}"

    def __call__(self, image_BCHW, reference_BCHW):
        return (image_BCHW - reference_BCHW).abs().pow(self.power).flatten(1).mean(1)


class Roughness:
    """The mean absolute difference of neighbours: noise raises it. Needs no reference."""

    key = "roughness"

    def __init__(self, options):
        pass

    def __call__(self, image_BCHW, reference_BCHW):
        return image_BCHW.diff(dim=-1).abs().flatten(1).mean(1)


class BatchMean(Error):
    def __call__(self, image_BCHW, reference_BCHW):
        scores = super().__call__(image_BCHW, reference_BCHW)
        return scores + 0.5 * scores.mean()


class OneForAll(Error):
    def __call__(self, image_BCHW, reference_BCHW):
        return super().__call__(image_BCHW, reference_BCHW).mean()[None]


class VagueKey(Error):
    def __init__(self, options):
        super().__init__(options)
        self.key = "error"


class Biased(Error):
    """Takes a darker picture for the better one."""

    def __call__(self, image_BCHW, reference_BCHW):
        return super().__call__(image_BCHW, 0.93 * reference_BCHW)


class Saturated(Error):
    def __call__(self, image_BCHW, reference_BCHW):
        return super().__call__(image_BCHW, reference_BCHW).clamp_max(0.03)


class Peeks(Roughness):
    def __call__(self, image_BCHW, reference_BCHW):
        scores = super().__call__(image_BCHW, None)
        return scores if reference_BCHW is None else scores / super().__call__(reference_BCHW, None)


class Roughnesses:
    """The squared difference of the roughness of two sets, picture by picture."""

    key = "roughnesses"

    def __init__(self, options):
        pass

    def features(self, image_BCHW):
        return image_BCHW.diff(dim=-1).abs().mean((-2, -1))

    def contributions(self, features_NF, reference_NF):
        return (features_NF - reference_NF).square().sum(1)


class Crowd(Roughnesses):
    def features(self, image_BCHW):
        return super().features(image_BCHW) + 0.1 * image_BCHW.mean()


class Ranked(Roughnesses):
    """The first picture counts most."""

    def contributions(self, features_NF, reference_NF):
        weights = features_NF.new_tensor(range(len(features_NF), 0, -1))
        return super().contributions(features_NF, reference_NF) * weights


class AFloat(Error):
    def __call__(self, image_BCHW, reference_BCHW):
        return float(super().__call__(image_BCHW, reference_BCHW).mean())


@hookimpl
def texprior_metrics():
    classes = (
        *(Error, Roughness, Error, BatchMean, OneForAll, VagueKey, Biased, Saturated, Peeks),
        *(Roughnesses, Crowd, Ranked, Roughnesses, AFloat),
    )
    return [
        Metric(
            name,
            f"{__name__}:{c.__name__}",
            ErrorOptions if issubclass(c, Error) else Options,
            "An error.",
            better="higher" if name.startswith("upside_down") else "lower",
            reference=not issubclass(c, Roughness),
            scope="set" if issubclass(c, Roughnesses) else "image",
        )
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
