"""Declares the optimizers and their options."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from texprior.plugin import Before, Optimizer, Options, Tune, hookimpl

_ADAMW = """@inproceedings{loshchilov2019adamw,
  title = {Decoupled Weight Decay Regularization},
  author = {Loshchilov, Ilya and Hutter, Frank},
  booktitle = {International Conference on Learning Representations},
  year = {2019},
  note = {arXiv:1711.05101}
}"""
_SCHEDULE_FREE = """@inproceedings{defazio2024road,
  title = {The Road Less Scheduled},
  author = {Defazio, Aaron and Yang, Xingyu and Mehta, Harsh and Mishchenko, Konstantin and Khaled, Ahmed and
    Cutkosky, Ashok},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2024},
  note = {arXiv:2405.15682}
}"""


class AdamWOptions(Options):
    """Options of ``adamw``."""

    beta1: Annotated[float, Field(ge=0, lt=1, description="decay of the mean of gradients"), Before(0.9)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description="decay of the mean of squares"), Before(0.999)] = 0.999
    eps: Annotated[float, Field(gt=0, le=1, description="added to the root of the mean of squares"), Before(1e-8)] = (
        1e-8
    )


class ScheduleFreeOptions(Options):
    """Options of ``schedule-free``."""

    beta1: Annotated[
        float, Field(gt=0, lt=1, description="share of the average in the weights that are trained"), Tune(0.9, 0.98)
    ] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description="decay of the mean of squares")] = 0.999
    eps: Annotated[float, Field(gt=0, le=1, description="added to the root of the mean of squares")] = 1e-8


class TorchOptions(Options):
    """Options of ``torch``."""

    name: Annotated[str, Field(min_length=1, description="class name in torch.optim, such as SGD or NAdam")] = "SGD"
    arguments: Annotated[
        dict[str, Any],
        Field(default_factory=dict, description="arguments of the class by name, without lr and weight_decay"),
    ]


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
        Optimizer(
            name="schedule-free",
            impl="texprior_plugins.optimizer.schedule_free:ScheduleFree",
            options=ScheduleFreeOptions,
            summary="AdamW that averages its weights itself and needs no decay of the learning rate.",
            api=2,
            citation=_SCHEDULE_FREE,
            requires=("schedulefree",),
            averages=True,
            single=True,
        ),
        Optimizer(
            name="torch",
            impl="texprior_plugins.optimizer.any_of_torch:AnyOfTorch",
            options=TorchOptions,
            summary="Any optimizer of torch.optim that takes steps by gradients, by its name.",
            api=2,
        ),
    ]
