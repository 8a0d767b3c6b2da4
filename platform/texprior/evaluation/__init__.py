"""Scores of a model: measured, summarised, shown.

- ``evaluate``: scores of degraded, predicted and restored pictures, and of the controls
- ``predictor_alone``: scores of a predictor's estimates as restored pictures
- ``judged``: what is found on one picture; ``sharing``: the processes that share the pictures
- ``run``: an evaluation as a tracked run, with its files and its place in the model's card
- ``about``: what scores were made on, and which evaluations are the same one
- ``metrics``: the metrics that an experiment names
- ``scores``: one score per method, picture and metric, and their CSV file
- ``intervals``: bootstrap intervals that hold their level with few pictures
- ``tables``: summaries as tables for the terminal, model cards and JSON
- ``card_figures``: the figures of an exported model's card, from stored scores
- ``contact_sheet``: the same crops of several methods side by side
- ``alpha_curve``: no-reference quality over the share of texture
"""
