"""Measures no-reference quality over the share alpha of texture in a picture.

This is what the poster's figure 1 shows.

- ``curves``: the scores of the curves
- ``run``: measures them as tracked runs
- ``figure``: draws them
"""
