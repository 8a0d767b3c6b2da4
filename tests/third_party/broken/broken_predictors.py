"""Predictors: one that is right, and what goes wrong with them."""

import torch
from torch import nn
from torch.nn import functional

from texprior.flow.predict import InitialPredictor
from texprior.plugin import Options, Predictor, hookimpl

CAUGHT_BY = {
    "right": [],
    "even_sizes": ["predictor.sizes"],
    "idle_layer": ["predictor.gradients"],
    "mean_loss": ["predictor.loss"],
    "upside_down_loss": ["predictor.loss"],
    "batch_norm": ["any.batch", "predictor.microbatch"],
    "batch_norm_of_training": ["predictor.microbatch"],
    "own_generator": ["predictor.train-mode"],
    "forgets_its_state": ["predictor.state"],
    "global_pool": ["predictor.local"],
    "wrong_stride": ["predictor.stride"],
    "not_padded": ["any.space-works"],
    "raises": ["any.space-works"],
    "no_loss": ["any.contract"],
    "coarse_output": [],
    "another_estimate": ["predictor.learned"],
    "mean_of_coarse_losses": ["predictor.learned"],
    "idle_coarse_layer": ["predictor.gradients"],
}


class Right(InitialPredictor):
    """y_d + Conv(SiLU(Conv(y_d))), at half the resolution."""

    stride = 2

    def __init__(self, options):
        super().__init__()
        self.down, self.up = nn.Conv2d(3, 12, 2, 2), nn.ConvTranspose2d(12, 3, 2, 2)

    def forward(self, degraded_BCHW):
        height, width = degraded_BCHW.shape[-2:]
        x = functional.pad(degraded_BCHW, (0, width % 2, 0, height % 2), mode="replicate")
        return degraded_BCHW + self.up(functional.silu(self.hidden(self.down(x))))[..., :height, :width]

    def hidden(self, h_BCHW):
        return h_BCHW

    def loss(self, estimate_BCHW, clean_BCHW):
        return (estimate_BCHW - clean_BCHW).abs().mean(dim=(1, 2, 3))


class EvenSizes(Right):
    def forward(self, degraded_BCHW):
        return degraded_BCHW + self.up(functional.silu(self.down(degraded_BCHW)))


class IdleLayer(Right):
    def __init__(self, options):
        super().__init__(options)
        self.forgotten = nn.Conv2d(3, 3, 1)


class MeanLoss(Right):
    def loss(self, estimate_BCHW, clean_BCHW):
        return (estimate_BCHW - clean_BCHW).abs().mean()


class UpsideDownLoss(Right):
    def loss(self, estimate_BCHW, clean_BCHW):
        return -super().loss(estimate_BCHW, clean_BCHW)


class BatchNorm(Right):
    def hidden(self, h_BCHW):
        return functional.batch_norm(h_BCHW, None, None, training=True)


class BatchNormOfTraining(Right):
    """In evaluation mode it uses the averages of training, so that batches and single pictures agree there."""

    def __init__(self, options):
        super().__init__(options)
        self.norm = nn.BatchNorm2d(12)

    def hidden(self, h_BCHW):
        return self.norm(h_BCHW)


class OwnGenerator(Right):
    """Drops with a generator of its own, which no checkpoint holds."""

    def __init__(self, options):
        super().__init__(options)
        self.rng = torch.Generator().manual_seed(0)

    def hidden(self, h_BCHW):
        return h_BCHW * (torch.rand(h_BCHW.shape, generator=self.rng) < 0.7) if self.training else h_BCHW


class ForgetsItsState(Right):
    def __init__(self, options):
        super().__init__(options)
        self.shift = torch.randn(1, 12, 1, 1)

    def hidden(self, h_BCHW):
        return h_BCHW + self.shift


class GlobalPool(Right):
    def hidden(self, h_BCHW):
        return h_BCHW * torch.sigmoid(h_BCHW.mean((-2, -1), keepdim=True))


class WrongStride(Right):
    stride = 1


class NotPadded(Right):
    def hidden(self, h_BCHW):
        return functional.avg_pool2d(h_BCHW, 3, 1)

    def forward(self, degraded_BCHW):
        return self.up(functional.silu(self.hidden(self.down(degraded_BCHW))))


class Raises(Right):
    def hidden(self, h_BCHW):
        return h_BCHW.no_such_method()


class NoLoss(Right):
    loss = None


class CoarseOutput(Right):
    """Also estimates the picture at half the resolution, by a layer that only training uses."""

    def __init__(self, options):
        super().__init__(options)
        self.coarse = nn.Conv2d(3, 3, 1)

    def learned(self, degraded_BCHW):
        return self(degraded_BCHW), {"half": self.coarse(functional.avg_pool2d(self(degraded_BCHW), 2))}

    def loss_from(self, learned):
        half = functional.avg_pool2d(learned.target, 2)
        return self.loss(learned.estimate, learned.target) + self.loss(learned.auxiliary["half"], half)


class AnotherEstimate(CoarseOutput):
    def learned(self, degraded_BCHW):
        estimate, further = super().learned(degraded_BCHW)
        return estimate + 0.1, further


class MeanOfCoarseLosses(CoarseOutput):
    def loss_from(self, learned):
        return super().loss_from(learned).mean().expand(len(learned.target))


class IdleCoarseLayer(CoarseOutput):
    def loss_from(self, learned):
        return self.loss(learned.estimate, learned.target)


@hookimpl
def texprior_predictors():
    classes = (
        *(Right, EvenSizes, IdleLayer, MeanLoss, UpsideDownLoss, BatchNorm, BatchNormOfTraining, OwnGenerator),
        *(ForgetsItsState, GlobalPool, WrongStride, NotPadded, Raises, NoLoss),
        *(CoarseOutput, AnotherEstimate, MeanOfCoarseLosses, IdleCoarseLayer),
    )
    local = ("right", "global_pool", "wrong_stride")
    return [
        Predictor(name, f"{__name__}:{c.__name__}", Options, "Two layers.", api=2, local=name in local)
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
