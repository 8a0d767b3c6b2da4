"""Adapters: two that are right, and what goes wrong with them."""

import torch
from torch import nn
from torch.nn import functional

from texprior.flow.adapt import BlockAdapter
from texprior.plugin import Adapter, Options, hookimpl

CAUGHT_BY = {
    "right": [],
    "not_the_identity": ["adapter.identity"],
    "nearly_the_identity": ["adapter.identity"],
    "trains_the_backbone": ["adapter.frozen"],
    "owns_the_backbone": ["adapter.frozen", "adapter.state", "adapter.leaves-prior"],
    "writes_to_the_backbone": ["adapter.leaves-prior", "adapter.frozen", "adapter.train-mode", "any.batch"],
    "leaves_a_hook": ["adapter.leaves-prior", "adapter.train-mode", "any.batch"],
    "recomputes_its_features": ["adapter.cacheable"],
    "idle_layer": ["adapter.gradients"],
    "does_nothing": ["adapter.acts", "adapter.gradients"],
    "forgets_its_state": ["adapter.state"],
    "with_dropout": [],
    "own_generator": ["adapter.train-mode"],
    "batch_norm": ["adapter.microbatch"],
    "cropping": ["any.space-works"],
    "list_of_features": ["any.space-works"],
    "global_called_local": ["adapter.local"],
    "global_features": [],
    "norm_over_positions": ["adapter.tiles"],
    "sees_degraded": [],
    "at_noise": [],
    "needs_a_structure": ["adapter.given"],
    "recomputes_what_is_degraded": ["adapter.cacheable"],
    "mean_of_degraded_called_local": ["adapter.local"],
}
WIDTH = 4


class Right(BlockAdapter):
    """h + Out(GELU(In(h)) + Conv(y at the block's resolution)), Out = 0 at first."""

    def __init__(self, options, denoiser):
        super().__init__(denoiser)
        self.conv, self.enter, self.out = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for name, block in self.block_of.items():
            self.enter[name.replace(".", "_")] = nn.Conv2d(block.channels, WIDTH, 1)
            self.conv[name.replace(".", "_")] = nn.Conv2d(3, WIDTH, 3, padding=1)
            self.out[name.replace(".", "_")] = nn.Conv2d(WIDTH, block.channels, 1)
        self.out.apply(lambda m: self.start(m) if isinstance(m, nn.Conv2d) else None)

    def start(self, layer):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)

    def features(self, estimate_BCHW):
        y = self.padded(estimate_BCHW)
        return {name: self.feature(name, y) for name in self.block_of}

    def padded(self, estimate_BCHW):
        height, width = estimate_BCHW.shape[-2:]
        return functional.pad(estimate_BCHW, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")

    def feature(self, block, y_BCHW):
        small = functional.avg_pool2d(y_BCHW, self.block_of[block].stride)
        return self.conv[block.replace(".", "_")](small)

    def after_block(self, block, hidden_BCHW, features):
        key = block.replace(".", "_")
        return hidden_BCHW + self.out[key](functional.gelu(self.enter[key](hidden_BCHW)) + features[block])


class NotTheIdentity(Right):
    def start(self, layer):
        pass


class NearlyTheIdentity(Right):
    def after_block(self, block, hidden_BCHW, features):
        return super().after_block(block, hidden_BCHW * (1 + 1e-4), features)


class TrainsTheBackbone(Right):
    def adapted(self, denoiser, features):
        denoiser.requires_grad_(True)
        return super().adapted(denoiser, features)


class OwnsTheBackbone(Right):
    def __init__(self, options, denoiser):
        super().__init__(options, denoiser)
        self.denoiser = denoiser


class WritesToTheBackbone(Right):
    """Adds its delta to the weights when it is put to work, and forgets to take it away."""

    def __init__(self, options, denoiser):
        super().__init__(options, denoiser)
        self.delta = nn.Parameter(torch.zeros(()))

    def adapted(self, denoiser, features):
        with torch.no_grad():
            for parameter in denoiser.parameters():
                parameter.add_(self.delta)
        network = super().adapted(denoiser, features)
        return lambda *given: network(*given) + self.delta


class LeavesAHook(Right):
    def adapted(self, denoiser, features):
        denoiser.register_forward_hook(lambda module, inputs, output: output + self.shift())
        return super().adapted(denoiser, features)

    def shift(self):
        return sum(layer.bias.mean() for layer in self.out.values())


class RecomputesItsFeatures(Right):
    def features(self, estimate_BCHW):
        return {"y": self.padded(estimate_BCHW)}

    def after_block(self, block, hidden_BCHW, features):
        return super().after_block(block, hidden_BCHW, {block: self.feature(block, features["y"])})


class IdleLayer(Right):
    def __init__(self, options, denoiser):
        super().__init__(options, denoiser)
        self.forgotten = nn.Conv2d(3, 3, 1)


class DoesNothing(Right):
    def after_block(self, block, hidden_BCHW, features):
        return hidden_BCHW + 0 * super().after_block(block, hidden_BCHW, features)


class ForgetsItsState(Right):
    def __init__(self, options, denoiser):
        super().__init__(options, denoiser)
        self.shift = torch.rand(())

    def features(self, estimate_BCHW):
        return {name: feature + self.shift for name, feature in super().features(estimate_BCHW).items()}


class WithDropout(Right):
    def feature(self, block, y_BCHW):
        return functional.dropout(super().feature(block, y_BCHW), 0.3, self.training)


class OwnGenerator(Right):
    """Drops with a generator of its own, which no checkpoint holds."""

    def __init__(self, options, denoiser):
        super().__init__(options, denoiser)
        self.rng = torch.Generator().manual_seed(0)

    def feature(self, block, y_BCHW):
        feature = super().feature(block, y_BCHW)
        return feature * (torch.rand(feature.shape, generator=self.rng) < 0.7) if self.training else feature


class BatchNorm(Right):
    def __init__(self, options, denoiser):
        super().__init__(options, denoiser)
        self.norm = nn.BatchNorm2d(WIDTH, affine=False)

    def feature(self, block, y_BCHW):
        return self.norm(super().feature(block, y_BCHW))


class Cropping(Right):
    def after_block(self, block, hidden_BCHW, features):
        return super().after_block(block, hidden_BCHW, features)[..., 1:]


class ListOfFeatures(Right):
    def features(self, estimate_BCHW):
        return list(super().features(estimate_BCHW).values())


class GlobalFeatures(Right):
    """Reads the mean colour of the whole picture next to its maps."""

    def features(self, estimate_BCHW):
        mean = estimate_BCHW.mean((-2, -1)).mean(1)[:, None, None, None]
        return {"mean": mean, "maps": super().features(estimate_BCHW)}

    def after_block(self, block, hidden_BCHW, features):
        return super().after_block(block, hidden_BCHW, {block: features["maps"][block] + features["mean"]})


class NormOverPositions(Right):
    def after_block(self, block, hidden_BCHW, features):
        changed = super().after_block(block, hidden_BCHW, features)
        return hidden_BCHW + (changed - hidden_BCHW) * changed.std((-2, -1), keepdim=True)


class SeesDegraded(Right):
    """Maps of the degraded picture in place of those of the estimate."""

    def features_from(self, given):
        return self.features(given.degraded)


class AtNoise(Right):
    """Acts less where there is more noise."""

    def after_block_at(self, block, hidden_BCHW, features, noise_B):
        changed = self.after_block(block, hidden_BCHW, features) - hidden_BCHW
        return hidden_BCHW + torch.exp(-noise_B)[:, None, None, None] * changed


class NeedsAStructure(Right):
    def features_from(self, given):
        return self.features(given.estimate - given.structure)


class RecomputesWhatIsDegraded(Right):
    def features_from(self, given):
        return {"y": self.padded(given.degraded)}

    def after_block(self, block, hidden_BCHW, features):
        return super().after_block(block, hidden_BCHW, {block: self.feature(block, features["y"])})


class MeanOfDegraded(Right):
    def features_from(self, given):
        return self.features(given.estimate + given.degraded.mean((-2, -1), keepdim=True))


@hookimpl
def texprior_adapters():
    classes = (
        *(Right, NotTheIdentity, NearlyTheIdentity, TrainsTheBackbone, OwnsTheBackbone, WritesToTheBackbone),
        *(LeavesAHook, RecomputesItsFeatures, IdleLayer, DoesNothing, ForgetsItsState, WithDropout, OwnGenerator),
        *(BatchNorm, Cropping, ListOfFeatures, GlobalFeatures, GlobalFeatures, NormOverPositions),
        *(SeesDegraded, AtNoise, NeedsAStructure, RecomputesWhatIsDegraded, MeanOfDegraded),
    )
    identity = {"nearly_the_identity": "close"}
    return [
        Adapter(
            name,
            f"{__name__}:{c.__name__}",
            Options,
            "Adds.",
            api=2,
            cacheable=True,
            identity=identity.get(name, "bitwise"),
            local=name not in ("global_features", "norm_over_positions"),
        )
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
