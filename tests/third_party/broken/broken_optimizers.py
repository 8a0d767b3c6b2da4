"""Optimizers: two that are right, and what goes wrong with them."""

import torch

from texprior.plugin import Optimizer, hookimpl

CAUGHT_BY = {
    "right": [],
    "averaging": [],
    "ascends": ["optimizer.descends"],
    "one_group": ["optimizer.groups", "optimizer.weight-decay"],
    "decays_all": ["optimizer.weight-decay"],
    "own_rate": ["optimizer.lr"],
    "counts_aside": ["optimizer.state"],
    "draws": ["any.global-rng", "optimizer.state"],
    "no_average": ["optimizer.averages"],
    "loses_weights": ["optimizer.averages"],
}


def parts(groups, lr):
    return [{"params": list(g.parameters), "weight_decay": g.weight_decay, "lr": lr * g.lr_factor} for g in groups]


class Right:
    """Stochastic gradient descent with decoupled weight decay."""

    def __init__(self, options):
        pass

    def __call__(self, groups, lr):
        return Descent(parts(groups, lr), {"lr": lr, "weight_decay": 0.0})


class Descent(torch.optim.Optimizer):
    sign = -1

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.change(p, group)

    def change(self, p, group):
        p.mul_(1 - group["lr"] * group["weight_decay"]).add_(p.grad, alpha=self.sign * group["lr"])


def factory(kind, name):
    def call(self, groups, lr):
        return kind(parts(groups, lr), {"lr": lr, "weight_decay": 0.0})

    return type(name, (Right,), {"__call__": call})


class Ascent(Descent):
    sign = 1


class OwnRate(Descent):
    def change(self, p, group):
        p.add_(p.grad, alpha=-0.01)
        p.mul_(1 - 0.01 * group["weight_decay"])


class DecaysAllDescent(Descent):
    def change(self, p, group):
        super().change(p, {**group, "weight_decay": 0.1})


class AsideDescent(Descent):
    """The step grows smaller by a counter that no checkpoint keeps."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.count = 0

    def change(self, p, group):
        self.count += 1
        super().change(p, {**group, "lr": group["lr"] / self.count**0.1})


class DrawingDescent(Descent):
    def change(self, p, group):
        super().change(p, {**group, "lr": group["lr"] * float(torch.rand(()))})


class AveragingDescent(Descent):
    """Keeps the mean of all weights so far, and those that are trained aside while the mean is in their place."""

    def change(self, p, group):
        super().change(p, group)
        state = self.state[p]
        state["seen"] = state.get("seen", 0) + 1
        mean = state.setdefault("mean", torch.zeros_like(p))
        mean.lerp_(p, 1 / state["seen"])

    @torch.no_grad()
    def eval(self):
        self.swap()

    @torch.no_grad()
    def train(self):
        if any("kept" in state for state in self.state.values()):
            self.swap()

    def swap(self):
        for p, state in self.state.items():
            if "kept" in state:
                p.copy_(state.pop("kept"))
            else:
                state["kept"] = p.clone()
                p.copy_(state["mean"])


class NoAverageDescent(Descent):
    def eval(self):
        pass

    def train(self):
        pass


class LosingDescent(AveragingDescent):
    @torch.no_grad()
    def train(self):
        pass


class OneGroup(Right):
    def __call__(self, groups, lr):
        every = [p for g in groups for p in g.parameters]
        return Descent(every, {"lr": lr, "weight_decay": max(g.weight_decay for g in groups)})


Averaging = factory(AveragingDescent, "Averaging")
Ascends = factory(Ascent, "Ascends")
DecaysAll = factory(DecaysAllDescent, "DecaysAll")
OwnLr = factory(OwnRate, "OwnLr")
CountsAside = factory(AsideDescent, "CountsAside")
Draws = factory(DrawingDescent, "Draws")
NoAverage = factory(NoAverageDescent, "NoAverage")
LosesWeights = factory(LosingDescent, "LosesWeights")


@hookimpl
def texprior_optimizers():
    made = {
        "right": "Right",
        "averaging": "Averaging",
        "ascends": "Ascends",
        "one_group": "OneGroup",
        "decays_all": "DecaysAll",
        "own_rate": "OwnLr",
        "counts_aside": "CountsAside",
        "draws": "Draws",
        "no_average": "NoAverage",
        "loses_weights": "LosesWeights",
    }
    averaging = ("averaging", "no_average", "loses_weights")
    return [
        Optimizer(name, f"{__name__}:{cls}", summary="An optimizer.", api=2, averages=name in averaging)
        for name, cls in made.items()
    ]
