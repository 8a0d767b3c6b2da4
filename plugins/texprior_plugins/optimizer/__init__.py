"""Declares the optimizers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from texprior.plugin import Before, Optimizer, Options, hookimpl

_ADAMW = """@inproceedings{loshchilov2019adamw,
  title = {Decoupled Weight Decay Regularization},
  author = {Loshchilov, Ilya and Hutter, Frank},
  booktitle = {International Conference on Learning Representations},
  year = {2019},
  note = {arXiv:1711.05101}
}"""


class AdamWOptions(Options):
    """Options of ``adamw``."""

    beta1: Annotated[float, Field(ge=0, lt=1, description="decay of the mean of gradients"), Before(0.9)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description="decay of the mean of squares"), Before(0.999)] = 0.999
    eps: Annotated[float, Field(gt=0, le=1, description="added to the root of the mean of squares"), Before(1e-8)] = (
        1e-8
    )


@hookimpl
def texprior_optimizers() -> list[Optimizer]:
    """Returns the records of the optimizers."""
    return [
        Optimizer(
            name="adamw",
            impl="texprior_plugins.optimizer.adamw:AdamW",
            options=AdamWOptions,
            summary="AdamW (torch): Adam with decoupled weight decay.",
            api=2,
            citation=_ADAMW,
        ),
    ]
