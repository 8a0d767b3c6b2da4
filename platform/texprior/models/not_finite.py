"""Finds the component that made a restored picture not finite."""

from __future__ import annotations

from typing import NoReturn

import torch
from torch import Tensor

from texprior.diffusion.keys import Key
from texprior.errors import ImageError
from texprior.flow.contract import refuse, require_finite
from texprior.flow.process import base_of_task
from texprior.flow.sample import Denoise, LayerSampler
from texprior.models.build import Model
from texprior.models.inputs import Inputs


@torch.no_grad()
def refuse_not_finite(
    model: Model,
    degraded_BCHW: Tensor,
    given: Inputs,
    alone: Denoise,
    steered: Denoise,
    sampler: LayerSampler,
    start_BCHW: Tensor,
    sigma: Tensor,
    key: Key,
) -> NoReturn:
    """Raises ContractError, which names the first component of the walk whose result is not finite.

    Raises ImageError if that is the degraded picture. It is for a sampled layer that is not finite. ``alone`` and
    ``steered`` are D without and with the adapter; each is called once more, at the start of the sampling.
    """
    if not degraded_BCHW.isfinite().all():
        raise ImageError(f"{key}: the picture has values that are not finite")
    prior, where = model.prior, f"of picture '{key}'"
    require_finite(model.predictor, given.estimate, f"the estimate {where}")
    own = base_of_task(prior.process, degraded_BCHW, given.estimate) is not None
    require_finite(prior.process if own else prior.decomposition, given.base, f"the base {where}")
    require_finite(prior.decomposition, given.condition, f"the structure {where}")
    require_finite(prior.encoder, given.code, f"the code {where}")
    require_finite(prior.network, alone(start_BCHW, sigma), f"the denoised layer {where}")
    require_finite(model.adapter, steered(start_BCHW, sigma), f"the layer of the steered denoiser {where}")
    refuse(sampler, f"the sampled layer {where} has values that are not finite", "finite values")
