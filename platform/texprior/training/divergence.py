"""Finds the component that made a training's steps not finite, and says what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from texprior.errors import TexpriorError
from texprior.plugin.references import refs_of
from texprior.runtime.session import Session
from texprior.training.loop import Diverged
from texprior.training.losses import Outputs

OutputsOf = Callable[[Sequence[int]], Outputs]
"""A function from sample numbers to what the components return for them."""
_TRAINED = {"prior": "denoiser", "predictor": "predictor", "adapter": "adapter"}
"""Stage -> path of the component that it trains."""


@torch.no_grad()
def first_not_finite(outputs_of: OutputsOf, numbers: Sequence[int], size: int) -> str:
    """Returns the path of the first component whose output is not finite.

    The output may be non-finite for some samples only. Returns "" if there is no such component. Looks at ``size``
    samples at a time, to bound the memory.
    """
    for start in range(0, len(numbers), size):
        for path, tensor in outputs_of(numbers[start : start + size]):
            if not torch.isfinite(tensor).all():
                return path
    return ""


def named_output(session: Session, path: str) -> str:
    """Returns a clause about the component whose output is not finite.

    ``path`` is the path of the component. Returns "" if the path is "".
    """
    if not path:
        return ""
    components = {at: (kind, ref.name) for at, kind, ref in refs_of(session.experiment)}
    # without a degradation the data set brings the degraded pictures
    kind, name = components.get(path) or components["data.train"]
    return f"the output of the {kind} '{name}' is not finite for these pictures"


def divergence_error(
    session: Session, stage: str, error: Diverged, path: str, checkpoint: Path | None
) -> TexpriorError:
    """Returns the error of a training that gave up.

    ``path`` is that of the component whose output is not finite. ``checkpoint`` is the last one, or None if there is
    none.
    """
    setting = f"training.{stage}"
    remedy = f"lower {setting}.lr" if path in ("", _TRAINED[stage]) else "this component is at fault, not the training"
    if path == _TRAINED[stage]:
        remedy += ", or mend the component if it does this with initial weights too"
    what = named_output(session, path) or "all components return finite values, but the loss or its gradient is not"
    kept = (
        f"the last checkpoint was kept in {checkpoint.parent}; a training with other settings can start from its "
        f"weights with {setting}.start_from"
        if checkpoint
        else "no checkpoint was written yet"
    )
    return TexpriorError(f"{stage}: the training diverged: {error}; {what}; {remedy}; {kept}")
