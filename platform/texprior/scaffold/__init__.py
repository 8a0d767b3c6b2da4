"""Renders a new plugin package: ``new_plugin`` from the ``templates`` of a kind."""
