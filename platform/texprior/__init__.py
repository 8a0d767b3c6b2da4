"""texprior: a plugin-based experimentation platform for diffusion texture priors in image restoration."""

from importlib.metadata import version

__version__ = version("texprior")
