"""Provides tools that work with any decomposition. (The decompositions themselves are plugins.)

- ``comparison``: compares several decompositions on the same photographs
- ``strength_search``: finds the strength at which a texture has a given standard deviation
- ``moments``: mean and variance over values that come in portions
- ``structure_cache``: keeps what is derived from photographs on disk
"""
