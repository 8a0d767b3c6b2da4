"""Adds several objectives."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.objective import Learned, Objective
from texprior_plugins.objective import CombinedOptions


class Combined(Objective):
    """The weighted sum of objectives.

    The losses of their own parameters are added without weights: no parameter is in two of them. Raises ConfigError if
    trained terms need different learning rates, because an objective has one.
    """

    def __init__(self, options: CombinedOptions, terms: Sequence[Objective]) -> None:
        super().__init__()
        self.terms = nn.ModuleList(terms)
        self.weights = options.weights or [1.0] * len(terms)
        rates = sorted({t.own_lr for t in terms if any(p.requires_grad for p in t.parameters())})
        if len(rates) > 1:
            raise ConfigError(
                f"objective combined: its trained terms have the learning rates {', '.join(map(str, rates))} (own_lr); "
                "give all of them the same"
            )
        self.own_lr = rates[0] if rates else 1.0

    def forward(self, learned: Learned) -> Tensor:
        """Returns the loss of each picture, (B,)."""
        return _sum([weight * term(learned) for weight, term in zip(self.weights, self.terms, strict=True)])

    def own_loss(self, learned: Learned) -> Tensor | None:
        """Returns the sum of the terms' own losses, (B,); None if no term has one."""
        terms = [term.own_loss(learned) for term in self.terms if isinstance(term, Objective)]
        found = [loss for loss in terms if loss is not None]
        return _sum(found) if found else None


def _sum(losses: Sequence[Tensor]) -> Tensor:
    total, *others = losses
    for loss in others:
        total = total + loss
    return total
