"""Attention backends: one that is right, one that does not work here and says so, and what goes wrong with them."""

import torch
from torch.nn.functional import scaled_dot_product_attention

from texprior.plugin import Attention, Options, hookimpl

CAUGHT_BY = {
    "right": [],
    "elsewhere": [],
    "wrong_gradients": ["attention.gradients"],
    "no_gradients": ["attention.gradients"],
    "unscaled": ["attention.output", "attention.gradients"],
    "pairs_of_keys": ["attention.output", "attention.gradients"],
    "always_there": ["attention.available"],
    "raises": ["attention.available"],
    "heads_last": ["any.space-works"],
}


class Right:
    def __init__(self, options):
        pass

    def available(self, device, dtype):
        return "" if dtype.is_floating_point else f"it does not work with {dtype}"

    def __call__(self, query_BHND, key_BHMD, value_BHMD):
        return scaled_dot_product_attention(query_BHND, key_BHMD, value_BHMD)


class Elsewhere(Right):
    def available(self, device, dtype):
        return "it works on its own chip alone"

    def __call__(self, query_BHND, key_BHMD, value_BHMD):
        raise NotImplementedError


class _Half(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query):
        return query.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient / 2


class WrongGradients(Right):
    def __call__(self, query_BHND, key_BHMD, value_BHMD):
        return super().__call__(_Half.apply(query_BHND), key_BHMD, value_BHMD)


class NoGradients(Right):
    def __call__(self, query_BHND, key_BHMD, value_BHMD):
        return super().__call__(query_BHND, key_BHMD.detach(), value_BHMD)


class Unscaled(Right):
    def __call__(self, query_BHND, key_BHMD, value_BHMD):
        return scaled_dot_product_attention(query_BHND, key_BHMD, value_BHMD, scale=1.0)


class PairsOfKeys(Right):
    """Forgets the last key where their number is odd."""

    def __call__(self, query_BHND, key_BHMD, value_BHMD):
        even = max(key_BHMD.shape[-2] // 2 * 2, 1)
        return super().__call__(query_BHND, key_BHMD[..., :even, :], value_BHMD[..., :even, :])


class AlwaysThere(Right):
    def available(self, device, dtype):
        return ""


class Raises(Right):
    def available(self, device, dtype):
        if dtype == torch.int32:
            raise RuntimeError("no kernel for int32")
        return ""


class HeadsLast(Right):
    def __call__(self, query_BHND, key_BHMD, value_BHMD):
        return super().__call__(query_BHND, key_BHMD, value_BHMD).transpose(1, 2)


@hookimpl
def texprior_attentions():
    classes = (Right, Elsewhere, WrongGradients, NoGradients, Unscaled, PairsOfKeys, AlwaysThere, Raises, HeadsLast)
    return [
        Attention(name, f"{__name__}:{c.__name__}", Options, "Looks.")
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
