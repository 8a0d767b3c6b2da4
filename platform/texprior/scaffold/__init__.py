"""Writes what a user starts from: a plugin package, or an experiment file.

- ``new_plugin``: renders a new plugin package from the ``templates`` of a kind
- ``new_experiment``: writes an experiment file for folders of pictures
- ``looked_at``: what can be seen of a folder: number, sizes, pairs, noise
- ``splits``: shares photographs among train, val and test
"""
