"""Optuna searches adapter configurations for Stage II.

- ``run``: a whole sweep as a tracked run
- ``ask_tell``: the loop: Optuna asks for configurations and is told their outcomes
- ``trial``: one trial: trained, scored on val at each rung, tracked
- ``study``: the study in Optuna's storage: opened, counted, read
- ``storage``: the storage itself, and what is wrong with it
- ``search_strategy``: Optuna's sampler and pruner, and the pruning rule of several objectives
- ``claim``: takes the next trial, or waits for those of other workers
- ``heartbeats``: whether a worker is alive; ``retries``: trials that are run again;
  ``equal_failures``: failures with a common cause
- ``workers``: the workers that run trials, which a launcher starts
- ``confirm``: trains the best trials again with fresh seeds
- ``importance``: which parameters mattered, by functional ANOVA
- ``records``: trials, their outcomes, and the finished study
- ``optuna_private``: every use of Optuna's private names
- ``status``: who runs which trial
- ``write_up``: the finished sweep in its run and its folder
- ``report``: the sweep in words and as CSV; ``front_figure``: the front of several objectives
"""
