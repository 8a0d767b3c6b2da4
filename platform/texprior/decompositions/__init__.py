"""Tools that work on any decomposition. (The decompositions themselves are plugins.)

- ``comparison``: several decompositions on the same photographs, side by side
- ``strength_search``: the strength at which a texture has a given standard deviation
- ``structure_cache``: keeps the structures of slow decompositions on disk
"""
