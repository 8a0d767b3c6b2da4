"""Optuna searches adapter configurations for Stage II.

- ``run``: a whole sweep as a tracked run
- ``ask_tell``: the loop: Optuna asks for configurations and is told their outcomes
- ``trial``: one trial: trained, scored on val at each rung, tracked
- ``study``: the study in Optuna's storage: opened, counted, read
- ``search_strategy``: Optuna's sampler and pruner, and the pruning rule of several objectives
- ``dead_workers``: trials whose worker died, and their retries
- ``workers``: local processes or Ray tasks that run trials
- ``confirm``: trains the best trials again with fresh seeds
- ``importance``: which parameters mattered, by functional ANOVA
- ``records``: trials, their outcomes, and the finished study
- ``optuna_private``: every use of Optuna's private names
- ``report``: the sweep in words and as CSV; ``front_figure``: the front of several objectives
"""
