"""Uses a pretrained restorer from a local file, whose architecture spandrel recognises."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from texprior import weights
from texprior.errors import ConfigError
from texprior.flow.predict import InitialPredictor
from texprior_plugins.predictor import SpandrelOptions
from texprior_plugins.predictor._loss import distance


class Spandrel(InitialPredictor):
    """Pretrained restorer as predictor: y_eps is the restorer's picture.

    Without ``finetune``, nothing is trained. ``finetune`` trains all parameters further, but not the statistics of
    normalisation layers.

    A model's folder keeps the restorer's parameters. To load the model, the restorer's file must still exist, since it
    determines the architecture. Raises ConfigError if spandrel is not installed or does not recognise the file. Raises
    it also if the file does not contain a restorer of colour pictures at their own size.
    """

    def __init__(self, options: SpandrelOptions) -> None:
        super().__init__()
        self.options = options
        self.restorer = _restorer(options)
        self.needs = self.restorer.size_requirements
        self.stride = self.needs.multiple_of
        self.net = self.restorer.model.eval().requires_grad_(options.finetune)

    def train(self, mode: bool = True) -> Spandrel:
        """Keeps evaluation mode, so that statistics of normalisation layers do not change."""
        return super().train(False)

    def forward(self, degraded_BCHW: Tensor) -> Tensor:
        """Returns the estimate, (B, 3, H, W), of any size."""
        if not self.options.finetune:
            restored: Tensor = self.restorer(degraded_BCHW)
            # spandrel computes in inference mode; autograd accepts such a tensor only as a clone
            return restored.clone()
        # the network itself, since spandrel's own call records no gradients
        height, width = degraded_BCHW.shape[-2:]
        estimate = self.net(self._padded(degraded_BCHW))
        if not isinstance(estimate, Tensor):
            raise ConfigError(
                "predictor.spandrel.finetune: this architecture returns more than a picture; set finetune to false"
            )
        return estimate[..., :height, :width]

    def loss(self, estimate_BCHW: Tensor, clean_BCHW: Tensor) -> Tensor:
        """Returns the distance to the clean picture per image, (B,)."""
        return distance(estimate_BCHW, clean_BCHW, self.options)

    def _padded(self, image_BCHW: Tensor) -> Tensor:
        """Repeats the last row and column until the architecture accepts the size."""
        least, multiple = self.needs.minimum, self.needs.multiple_of
        sides = [max(side, least) + -max(side, least) % multiple for side in image_BCHW.shape[-2:]]
        height, width = [max(sides)] * 2 if self.needs.square else sides
        return F.pad(image_BCHW, (0, width - image_BCHW.shape[-1], 0, height - image_BCHW.shape[-2]), mode="replicate")


def _restorer(options: SpandrelOptions) -> Any:
    """Returns the restorer that spandrel recognises in the file's tensors."""
    # spandrel is an optional extra, so it is imported only when the predictor is built
    try:
        import spandrel
    except ImportError as error:
        if error.name == "spandrel":
            raise ConfigError("predictor: spandrel is not installed; pip install 'texprior[spandrel]'") from None
        raise ConfigError(f"predictor: spandrel is installed but cannot be imported: {error}") from None

    # the tensors are read without running code from the file; spandrel sees only the tensors
    path = weights.named(options.weights)
    try:
        found = spandrel.ModelLoader(device="cpu").load_from_state_dict(weights.read(path))
    except spandrel.UnsupportedModelError:
        raise ConfigError(
            f"predictor.spandrel.weights: spandrel does not recognise the architecture of {path}"
        ) from None
    except (RuntimeError, KeyError, ValueError) as error:
        raise ConfigError(f"predictor.spandrel.weights: spandrel cannot load {path}: {error}") from None

    # a predictor maps one colour picture to one of the same size: refuse every other restorer
    name = found.architecture.name
    if not isinstance(found, spandrel.ImageModelDescriptor):
        raise ConfigError(f"predictor.spandrel.weights: {path} contains {name}, which also needs a mask")
    if (found.scale, found.input_channels, found.output_channels) != (1, 3, 3):
        raise ConfigError(
            f"predictor.spandrel.weights: {path} contains {name}, which maps {found.input_channels} to "
            f"{found.output_channels} channels at scale {found.scale}; a predictor maps 3 to 3 channels at scale 1"
        )
    return found
