"""Reads the version of the installed distribution.

The module imports nothing else of texprior, so that every package may import it.
"""

from importlib.metadata import version

__version__ = version("texprior")
