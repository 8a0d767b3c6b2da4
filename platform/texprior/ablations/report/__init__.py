"""What an ablation writes at its end.

- ``page``: one HTML file, the figures as PNG, every score as CSV
- ``text``: the answer in sentences, and tables
- ``compute``: what the trainings of each arm cost
- ``figures``: differences with their intervals, and the pictures behind them
- ``crops``: crops where the arms differ most
"""
