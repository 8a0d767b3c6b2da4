"""texprior: a plugin-based experimentation platform for diffusion texture priors in image restoration.

``load``, ``register``, ``load_model``, ``shipped_models`` and ``restore`` are what the commands do, for scripts and
notebooks; see ``texprior.api``, which is imported when one of them is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from texprior._version import __version__

if TYPE_CHECKING:
    from texprior.api import Workbench, load, load_model, register, restore, shipped_models

__all__ = ["Workbench", "__version__", "load", "load_model", "register", "restore", "shipped_models"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("texprior.api"), name)
    raise AttributeError(f"module 'texprior' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
