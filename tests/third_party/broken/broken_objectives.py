"""Objectives: one of each sort that is right, and what goes wrong with them."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from texprior.flow.objective import Objective as Base
from texprior.plugin import Objective, hookimpl

CAUGHT_BY = {
    "right": [],
    "judge": [],
    "sum_over_batch": ["any.batch"],
    "mean_over_batch": ["any.space-works"],
    "detached": ["objective.gradient"],
    "root": ["objective.target"],
    "of_itself": ["objective.target"],
    "similarity": ["objective.target"],
    "steep": ["objective.levels"],
    "half": ["objective.autocast"],
    "learns_in_secret": ["objective.own-parameters"],
    "nothing_to_learn": ["objective.own-parameters"],
    "power_iteration": ["objective.unchanged"],
    "leaks": ["objective.own-loss"],
    "keeps_no_loss": ["objective.own-parameters"],
}


def mean(errors):
    return errors.mean(dim=(1, 2, 3))


class Right(Base):
    def __init__(self, options):
        super().__init__()

    def forward(self, learned):
        return mean((learned.estimate - learned.target).square())


class SumOverBatch(Right):
    def forward(self, learned):
        return super().forward(learned) * len(learned.target)


class MeanOverBatch(Right):
    def forward(self, learned):
        return super().forward(learned).mean()


class Detached(Right):
    def forward(self, learned):
        return super().forward(learned.detached())


class Root(Right):
    def forward(self, learned):
        return super().forward(learned).sqrt()


class OfItself(Right):
    """Pulls every picture to 0."""

    def forward(self, learned):
        return mean(learned.estimate.square())


class Similarity(Right):
    """Grows towards the target."""

    def forward(self, learned):
        return 1 - super().forward(learned)


class Steep(Right):
    """Overflows at the smallest noise level."""

    def forward(self, learned):
        return super().forward(learned) * (1 if learned.sigma is None else (0.2 / learned.sigma).exp())


class Half(Right):
    """Expands the square, and sums it in the precision of the caller."""

    def forward(self, learned):
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
        estimate, target = learned.estimate.to(dtype), learned.target.to(dtype)
        return 400 * (mean(estimate.square()) - 2 * mean(estimate * target) + mean(target.square())).float()


class Judge(Base):
    """A convolution that tells estimates from targets."""

    def __init__(self, options):
        super().__init__()
        self.judge = self.network()

    def network(self):
        return nn.Conv2d(3, 2, 3)

    def score(self, layer):
        return mean(self.judge(layer)).float()

    def forward(self, learned):
        return -self.score(learned.estimate)

    def own_loss(self, learned):
        return (1 - self.score(learned.target)).relu() + (1 + self.score(learned.estimate)).relu()


class LearnsInSecret(Right):
    """Has features that nobody froze."""

    def __init__(self, options):
        super().__init__(options)
        self.features = nn.Conv2d(3, 4, 3)

    def forward(self, learned):
        return mean((self.features(learned.estimate) - self.features(learned.target)).square())


class PowerIteration(Judge):
    def network(self):
        return spectral_norm(nn.Conv2d(3, 2, 3))


class Leaks(Judge):
    def forward(self, learned):
        self.seen = learned
        return super().forward(learned)

    def own_loss(self, learned):
        return super().own_loss(getattr(self, "seen", learned))


class KeepsNoLoss(Judge):
    def own_loss(self, learned):
        return None


@hookimpl
def texprior_objectives():
    both, trained = {"layer": True, "picture": True}, {"layer": True, "trained": True}
    made = {
        "right": (Right, both),
        "judge": (Judge, {**trained, "picture": True}),
        "sum_over_batch": (SumOverBatch, both),
        "mean_over_batch": (MeanOverBatch, both),
        "detached": (Detached, both),
        "root": (Root, both),
        "of_itself": (OfItself, both),
        "similarity": (Similarity, both),
        "steep": (Steep, both),
        "half": (Half, both),
        "learns_in_secret": (LearnsInSecret, both),
        "nothing_to_learn": (Right, trained),
        "power_iteration": (PowerIteration, trained),
        "leaks": (Leaks, trained),
        "keeps_no_loss": (KeepsNoLoss, trained),
    }
    return [
        Objective(name, f"{__name__}:{cls.__name__}", summary="An objective.", api=2, **declared)
        for name, (cls, declared) in made.items()
    ]
