"""What an ablation writes at its end.

- ``page``: one HTML file, the figures as PNG, every score as CSV
- ``text``: the answer in sentences, and tables
- ``figures``: differences with their intervals, and the pictures behind them
- ``crops``: crops where the arms differ most
"""
