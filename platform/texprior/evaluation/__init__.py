"""Scores of a model: measured, summarised, shown.

- ``evaluate``: scores of degraded, predicted and restored pictures, and of the controls
- ``run``: an evaluation as a tracked run, with its files and its place in the model's card
- ``metrics``: the metrics that an experiment names
- ``scores``: one score per method, picture and metric, and their CSV file
- ``tables``: summaries as tables for the terminal, model cards and JSON
- ``contact_sheet``: the same crops of several methods side by side
- ``alpha_curve``: no-reference quality over the share of texture
"""
