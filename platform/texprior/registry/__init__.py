"""Finds plugins, resolves the names of their components, and builds them. Imports no torch.

- ``registry``: ``Registry``, which resolves names and builds components
- ``discovery``: loads each plugin by itself, all of it or nothing
- ``record_rules``: checks the records that a plugin returns
- ``containment``: undoes what a plugin changes in the process while it is loaded
- ``error_source``: which component raised an error
"""

from texprior.registry.discovery import Plugin, canonical
from texprior.registry.registry import Entry, Registry, load_implementation

__all__ = ["Entry", "Plugin", "Registry", "canonical", "load_implementation"]
