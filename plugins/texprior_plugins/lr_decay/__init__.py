"""Declares the decays of the learning rate."""

from __future__ import annotations

from texprior.plugin import LrDecay, hookimpl


@hookimpl
def texprior_lr_decays() -> list[LrDecay]:
    """Returns the records of the decays."""
    return [
        LrDecay(
            name="constant",
            impl="texprior_plugins.lr_decay.constant:Constant",
            summary="No decay: the learning rate stays, and a larger budget continues the same training.",
            api=2,
            open_ended=True,
        ),
        LrDecay(
            name="cosine",
            impl="texprior_plugins.lr_decay.cosine:Cosine",
            summary="Half a cosine, from the whole learning rate to 0 at the end of the budget.",
            api=2,
        ),
    ]
