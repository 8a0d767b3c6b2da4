"""Implements feature-wise linear modulation on a frozen denoiser.

See Perez et al. 2018, eq. 1 and 2.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from texprior.errors import ConfigError
from texprior.flow.adapt import BlockAdapter, Features
from texprior.flow.prior import DenoiserNet, Network
from texprior_plugins.adapter import FilmOptions
from texprior_plugins.adapter._bring import zeroed


class FeaturewiseModulation(BlockAdapter):
    """Feature-wise modulation after every basic denoising block of its position.

    h' = (1 + gamma(c)) h + beta(c), with one number per channel: a residual form, the identity for gamma = beta = 0.

    c is the mean token of the semantic code of the whole picture. A mean of y_eps would differ from tile to tile. The
    network sees y_eps itself only through the concatenated picture. Raises ConfigError if there is no code.
    """

    def __init__(self, options: FilmOptions, denoiser: DenoiserNet) -> None:
        super().__init__(denoiser, options.position)
        if not denoiser.code_width:
            raise ConfigError("adapter: film needs a semantic code, and the encoder gives none")
        self.sizes = [2 * b.channels for b in self.block_of.values()]
        self.look = nn.Linear(denoiser.code_width, options.width)
        self.modulate = nn.Linear(options.width, sum(self.sizes))
        if options.zero_init:
            zeroed(self.modulate)

    def modulation(self, code_BNC: Tensor) -> Features:
        """Returns gamma and beta of every block, stacked, (B, 2 channels, 1, 1)."""
        stacked = self.modulate(F.gelu(self.look(code_BNC.mean(1))))[..., None, None]
        return dict(zip(self.block_of, stacked.split(self.sizes, 1), strict=True))

    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """Returns h'."""
        gamma, beta = features[block].chunk(2, 1)
        return (1 + gamma) * hidden_BCHW + beta  # type: ignore[no-any-return]

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """Returns the denoiser, modulated by the code of each call."""
        return lambda x, c_noise, condition, code: denoiser(
            x, c_noise, condition, code, self.guide(self.modulation(code))
        )
