"""Uses any frozen model of PyTorch Image Models (Wightman 2019).

The parameters come from a local file.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from texprior import weights
from texprior.errors import ConfigError
from texprior.flow.prior import SemanticEncoder
from texprior_plugins.encoder import TimmOptions

# side of the blank picture that finds the number of channels: enough for stride 64, small enough to be fast
_PROBE_PX = 64


class Timm(SemanticEncoder):
    """Encoder that averages the chosen feature map to grid x grid tokens.

    The tokens are in row-major order, computed in float32. Pictures keep their size. If the model accepts only one
    size, every picture is resized to it without regard to its shape. Raises ConfigError if timm is not installed, or if
    it does not know the model or its feature maps. Raises it also if the file's tensors do not match the model's.
    Tensors of a classifier are optional in the file.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, options: TimmOptions) -> None:
        super().__init__()
        self.model = _model(options)
        given = self.model.pretrained_cfg
        self.size = tuple(given["input_size"][-2:]) if given.get("fixed_input_size") else None
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(given[name], dtype=torch.float32)[:, None, None], persistent=False)
        self.stage, self.grid, self.tokens = options.stage, options.grid, options.grid**2
        self.requires_grad_(False).eval()
        self.width = self._width(options)

    def train(self, mode: bool = True) -> Timm:
        """Keeps evaluation mode: normalisation by the stored statistics, no dropout."""
        return super().train(False)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Returns the semantic code, (B, grid * grid, width) float32."""
        # without autocast, the code does not depend on the precision of training
        with torch.autocast(image_BCHW.device.type, enabled=False):
            return F.adaptive_avg_pool2d(self._features(image_BCHW.float()), self.grid).flatten(2).transpose(1, 2)

    def _features(self, image_BCHW: Tensor) -> Tensor:
        if self.size and image_BCHW.shape[-2:] != self.size:
            image_BCHW = F.interpolate(image_BCHW, self.size, mode="bilinear", antialias=True).clamp(0, 1)
        features: list[Tensor] = self.model.forward_intermediates(
            (image_BCHW - self.mean) / self.std, indices=[self.stage], output_fmt="NCHW", intermediates_only=True
        )
        return features[0]

    @torch.no_grad()
    def _width(self, options: TimmOptions) -> int:
        # a forward pass finds the channels in the same way for every family of models, and a wrong index fails here
        try:
            return int(self._features(torch.zeros(1, 3, _PROBE_PX, _PROBE_PX)).shape[1])
        except (AssertionError, IndexError):
            raise ConfigError(
                f"encoder.timm.stage: '{options.model}' has {len(self.model.feature_info)} feature maps, none of them "
                f"at {options.stage}"
            ) from None


def _model(options: TimmOptions) -> Any:
    """Returns the model without its classifier, with the file's parameters."""
    # timm is an optional extra, so it is imported only when the encoder is built
    try:
        import timm
    except ImportError as error:
        if error.name == "timm":
            raise ConfigError("encoder: timm is not installed; pip install 'texprior[timm]'") from None
        raise ConfigError(f"encoder: timm is installed but cannot be imported: {error}") from None

    try:
        model: nn.Module = timm.create_model(options.model, pretrained=False)
    except RuntimeError as error:
        raise ConfigError(f"encoder.timm.model: timm cannot make '{options.model}': {error}") from None
    if not hasattr(model, "forward_intermediates"):
        raise ConfigError(f"encoder.timm.model: '{options.model}' does not return feature maps; choose another model")
    model.reset_classifier(0)
    _load(model, options)
    return model


def _load(model: Any, options: TimmOptions) -> None:
    path = weights.named(options.weights)

    # compare the names and shapes without the classifier, which the encoder does not use
    given, own = weights.read(path), model.state_dict()
    heads = model.pretrained_cfg.get("classifier") or ()
    heads = tuple(f"{head}." for head in ((heads,) if isinstance(heads, str) else heads))
    given = {name: tensor for name, tensor in given.items() if not name.startswith(heads)}
    # counters of training steps: some files lack them, and evaluation mode does not read them
    missing = [name for name in own if name not in given and not name.endswith("num_batches_tracked")]
    foreign = [name for name, tensor in given.items() if name not in own or own[name].shape != tensor.shape]
    if missing or foreign:
        raise ConfigError(
            f"encoder.timm.weights: {path} does not fit '{options.model}': {len(missing)} tensors are missing and "
            f"{len(foreign)} do not belong to the model, such as {(missing or foreign)[0]}"
        )
    # not strict, because of these counters; all other tensors are checked above
    model.load_state_dict(given, strict=False)
