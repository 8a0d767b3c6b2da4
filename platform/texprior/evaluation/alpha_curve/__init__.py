"""The alpha curve: no-reference quality over the share of texture in a picture, as in the poster's figure 1.

- ``curves``: the scores of the curves
- ``run``: measures them as tracked runs
- ``figure``: draws them
"""
