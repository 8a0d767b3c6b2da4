"""Shows on a local page what a model does to a picture.

- ``restoring``: restores the pictures of the page, and keeps the last results
- ``layers``: splits them into structure and texture
- ``drawing``: turns results into pictures for a screen
- ``page``: lays out the page; the only module that imports Gradio
- ``server``: serves the page to this machine alone
"""
