"""The version of the installed distribution. It stands alone, so that every room may import it."""

from importlib.metadata import version

__version__ = version("texprior")
