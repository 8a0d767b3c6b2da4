"""A pretrained restorer from a local file, its architecture recognised by spandrel."""

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
    """y_eps = the restorer's picture. Taken as it is, it has nothing to train; ``finetune`` trains all of it further,
    but not the statistics of its normalisation.

    A model's folder keeps the restorer's parameters; to load it, the file must be there still, which says what
    architecture it is. Raises ConfigError where spandrel is not installed or does not know what is in the file, or that
    is no restorer of colour pictures at their own size.
    """

    def __init__(self, options: SpandrelOptions) -> None:
        super().__init__()
        self.options = options
        self.restorer = _restorer(options)
        self.needs = self.restorer.size_requirements
        self.stride = self.needs.multiple_of
        self.net = self.restorer.model.eval().requires_grad_(options.finetune)

    def train(self, mode: bool = True) -> Spandrel:
        """It stays in evaluation mode."""
        return super().train(False)

    def forward(self, degraded_BCHW: Tensor) -> Tensor:
        """The estimate, (B, 3, H, W), of any size."""
        if not self.options.finetune:
            restored: Tensor = self.restorer(degraded_BCHW)
            return restored.clone()  # a tensor of inference mode no more
        height, width = degraded_BCHW.shape[-2:]
        estimate = self.net(self._padded(degraded_BCHW))
        if not isinstance(estimate, Tensor):
            raise ConfigError(
                "predictor.spandrel.finetune: this architecture gives more than a picture; set it to false"
            )
        return estimate[..., :height, :width]

    def loss(self, estimate_BCHW: Tensor, clean_BCHW: Tensor) -> Tensor:
        """The distance per image, (B,)."""
        return distance(estimate_BCHW, clean_BCHW, self.options)

    def _padded(self, image_BCHW: Tensor) -> Tensor:
        """The picture with its last row and column repeated until the architecture takes it."""
        least, multiple = self.needs.minimum, self.needs.multiple_of
        sides = [max(side, least) + -max(side, least) % multiple for side in image_BCHW.shape[-2:]]
        height, width = [max(sides)] * 2 if self.needs.square else sides
        return F.pad(image_BCHW, (0, width - image_BCHW.shape[-1], 0, height - image_BCHW.shape[-2]), mode="replicate")


def _restorer(options: SpandrelOptions) -> Any:
    """What spandrel makes of the file's tensors."""
    try:
        import spandrel
    except ImportError as error:
        if error.name == "spandrel":
            raise ConfigError("predictor: spandrel is not installed; pip install 'texprior[spandrel]'") from None
        raise ConfigError(f"predictor: spandrel is installed but cannot be imported: {error}") from None
    path = weights.named(options.weights)
    try:
        found = spandrel.ModelLoader(device="cpu").load_from_state_dict(weights.read(path))
    except spandrel.UnsupportedModelError:
        raise ConfigError(f"predictor.spandrel.weights: {path} is of no architecture that spandrel knows") from None
    except (RuntimeError, KeyError, ValueError) as error:
        raise ConfigError(f"predictor.spandrel.weights: spandrel cannot load {path}: {error}") from None
    name = found.architecture.name
    if not isinstance(found, spandrel.ImageModelDescriptor):
        raise ConfigError(f"predictor.spandrel.weights: {path} is of {name}, which wants a mask as well")
    if (found.scale, found.input_channels, found.output_channels) != (1, 3, 3):
        raise ConfigError(
            f"predictor.spandrel.weights: {path} is of {name} from {found.input_channels} to {found.output_channels} "
            f"channels at scale {found.scale}; a predictor goes from 3 to 3 at scale 1"
        )
    return found
